"""In force: when policies were in force, and which pods were created in the namespaces that they cover."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.pod_mutations import PodMutations, is_among
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import (
    ADDED,
    APPLY,
    GAP,
    IN_FORCE,
    LISTED,
    MODIFIED,
    POLICIES,
    REMOVE,
    REMOVED,
    RESUMED,
    WATCH_WORKLOAD,
)

__all__ = ["CreatedPods", "Creation", "InForce", "policy_of"]

_ALWAYS = Spans(((-inf, inf),))
_PARTS = {"deny by cel (webhook)": "deny by cel", "deny by cel (vap)": "deny by cel"}
"""The `parts` of policies in old histories, which do not record them."""


@dataclass
class _Term:
    """One period in which a policy was in force; None: that line is missing, or not read yet."""

    applied: float
    since: float | None = None
    until: float | None = None
    removed: float | None = None


class InForce(Reader):
    """When policies were in force; a reader (see `following`)."""

    def __init__(self) -> None:
        self._terms: dict[str, list[_Term]] = {}
        self._parts: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The policies that were applied."""
        return tuple(self._terms)

    def applied(self, policy: str) -> bool:
        """Whether a policy was applied, as far as is recorded."""
        return any(name in self._terms for name in self._names(policy))

    def asked_about(self, name: str, questions: Iterable[str]) -> bool:
        """Whether one of these names of `questions` means the policy that was applied as `name`."""
        return any(name in self._names(question) for question in questions)

    def sure(self, policy: str) -> Spans:
        """Return when a policy must certainly be enforced.

        A policy that was never applied, such as Gatekeeper's own, must always be enforced.
        """
        return self._spans(policy, sure=True)

    def maybe(self, policy: str) -> Spans:
        """Return when it was, or may have been, in force."""
        return self._spans(policy, sure=False)

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process == POLICIES else None

    def _spans(self, policy: str, *, sure: bool) -> Spans:
        if not self.applied(policy):
            return _ALWAYS
        terms = [term for name in self._names(policy) for term in self._terms.get(name, ())]
        if sure:
            whole = [term for term in terms if not (term.until is None and term.removed is not None)]
            return Spans.of((term.since, _first(term.until, inf)) for term in whole if term.since is not None)
        return Spans.of((_first(term.since, term.applied), _first(term.until, term.removed, inf)) for term in terms)

    def _names(self, policy: str) -> set[str]:
        return {policy, policy_of(policy, self._parts)}

    def _take(self, entry: Entry) -> None:
        self._parts |= entry.value.get("parts") or {}
        for name in entry.value["policies"]:
            terms = self._terms.setdefault(name, [])
            over = not terms or terms[-1].removed is not None or terms[-1].until is not None
            if entry.f == APPLY or (entry.f == IN_FORCE and (over or terms[-1].since is not None)):
                terms.append(_Term(entry.at))
            elif not terms:  # its start is missing
                terms.append(_Term(-inf))
            if entry.f == IN_FORCE:
                terms[-1].since = entry.at
            elif entry.f == REMOVE:
                terms[-1].until = entry.at
            elif entry.f == REMOVED:
                terms[-1].removed = entry.at


@dataclass(frozen=True, slots=True)
class Creation:
    """A pod whose creation the watch on the workload saw, from `after` to `at` (equal if it was seen as it happened).

    `owner` is in words, such as "ReplicaSet web"; `lacking` are the names of the mutations that it lacks.
    """

    after: float
    at: float
    name: str
    owner: str
    lacking: frozenset[str]
    uid: str = ""

    def lacks(self, policy: str) -> bool:
        """Whether it lacks the mutation of a policy."""
        return is_among(policy, self.lacking)


class CreatedPods(Reader):
    """The pods that were created while they were watched; a reader (see `following`)."""

    def __init__(self) -> None:
        self.created: list[Creation] = []
        self._seen: set[str] = set()
        self._last = 0.0
        self._gap = 0.0
        self._mutations = PodMutations()

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return {WATCH_WORKLOAD: self._take, POLICIES: self._mutations.take}.get(process)

    def _take(self, entry: Entry) -> None:
        value = entry.value or {}
        pod = value.get("object")
        if entry.f == GAP:
            self._gap = self._last
        elif pod and pod.get("metadata", {}).get("uid") not in self._seen:
            self._note(entry, pod["metadata"], self._mutations.lacking(pod), in_gap="in_gap" in value)
        if entry.f in (LISTED, RESUMED) or not value.get("in_gap"):
            self._last = entry.at

    def _note(self, entry: Entry, metadata: dict[str, object], lacking: frozenset[str], *, in_gap: bool) -> None:
        uid = str(metadata.get("uid"))
        self._seen.add(uid)
        if entry.f not in (ADDED, MODIFIED):
            return
        references = metadata.get("ownerReferences")
        owners = references if isinstance(references, list) else []
        whose = ", ".join(f"{owner.get('kind')} {owner.get('name')}" for owner in owners) or "nobody"
        name = f"{metadata.get('namespace')}/{metadata.get('name')}"
        self.created.append(Creation(self._gap if in_gap else entry.at, entry.at, name, whose, lacking, uid))


def policy_of(question: str, parts: Mapping[str, str]) -> str:
    """Return the name of the policy that a question is about, by the `parts` of applied policies (see POLICIES).

    "deny by cel (vap)" asks about one of two parts of "deny by cel".
    """
    return parts.get(question) or _PARTS.get(question, question)


def _first(*moments: float | None) -> float:
    return next(moment for moment in moments if moment is not None)
