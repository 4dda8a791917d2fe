"""Generated policies by hand: one template, its constraint, and what is generated of both, as watches tell of them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal, Self

from chaos_harness.harness.history import Entry, Header, History
from chaos_harness.harness.history.vocabulary import (
    ADDED,
    BOOKMARK,
    DELETED,
    END,
    EXPERIMENT,
    GAP,
    HISTORY,
    JUDGE,
    LISTED,
    MODIFIED,
    RESUMED,
    is_watch,
)
from chaos_harness.harness.probes import objects
from tests.fakes.histories import STARTED, HistoryBuilder, renumbered

__all__ = [
    "BINDINGS",
    "CONSTRAINTS",
    "LISTS",
    "POLICIES",
    "TEMPLATES",
    "Change",
    "Generating",
    "gapped",
    "new",
    "silenced",
]

TEMPLATES, POLICIES, BINDINGS = (f"watch {watched.name}" for watched in objects.GENERATED)
CONSTRAINTS = f"{objects.CONSTRAINTS}chaoslabels"
LISTS = (TEMPLATES, POLICIES, BINDINGS, CONSTRAINTS)

Change = Literal["ADDED", "MODIFIED", "DELETED", "LISTED"]

_EXPRESSION = "has(object.metadata.labels)"
_SIGNS_SECONDS = 5


class Generating(HistoryBuilder):
    """A history of one template, its constraint, and what is generated of both; objects have uids and generations."""

    def __init__(self) -> None:
        super().__init__()
        self._lives: Counter[tuple[str, str]] = Counter()
        self._generations: Counter[tuple[str, str]] = Counter()

    def begin(self, at: float = 0.0, *, watched: tuple[str, ...] = LISTS) -> Self:
        """Let all lists be whole, and empty."""
        for process in watched:
            self.whole(at, process)
        return self

    def template(
        self,
        at: float,
        *,
        generate: bool,
        f: Change = "MODIFIED",
        gap: bool = False,
        expression: str = _EXPRESSION,
        seen: bool = True,
    ) -> Self:
        """Add the template; `seen`: all pods tell of its newest generation."""
        source = {"generateVAP": generate, "validations": [{"expression": expression}]}
        code = {"engine": "K8sNativeValidation", "source": source}
        spec = {"targets": [{"target": "t", "code": [code]}]}
        return self.change(at, TEMPLATES, f, {"metadata": {"name": "chaoslabels"}, "spec": spec}, gap=gap, seen=seen)

    def constraint(
        self, at: float, f: Change = "ADDED", *, point: str = "vap.k8s.io", gap: bool = False, action: str = "deny"
    ) -> Self:
        """Add the constraint."""
        scoped = [{"action": action, "enforcementPoints": [{"name": point}]}]
        spec = {"enforcementAction": "scoped", "scopedEnforcementActions": scoped}
        return self.change(
            at, CONSTRAINTS, f, {"kind": "ChaosLabels", "metadata": {"name": "c"}, "spec": spec}, gap=gap
        )

    def policy(
        self,
        at: float,
        f: Change = "ADDED",
        *,
        gap: bool = False,
        name: str = "gatekeeper-chaoslabels",
        expression: str = _EXPRESSION,
    ) -> Self:
        """Add the policy."""
        spec = {"validations": [{"expression": expression}]}
        return self.change(at, POLICIES, f, {"metadata": {"name": name}, "spec": spec}, gap=gap)

    def binding(
        self,
        at: float,
        f: Change = "ADDED",
        *,
        gap: bool = False,
        name: str = "gatekeeper-chaoslabels-c",
        action: str = "Deny",
    ) -> Self:
        """Add the binding."""
        param = {"name": "c", "parameterNotFoundAction": "Allow"}
        spec = {"policyName": "gatekeeper-chaoslabels", "validationActions": [action], "paramRef": param}
        return self.change(at, BINDINGS, f, {"metadata": {"name": name}, "spec": spec}, gap=gap)

    def gap(self, at: float, process: str, why: str = "refused") -> Self:
        """Let a watch see nothing any more."""
        return self.add(at, "change", process, GAP, {"resource_version": "", "why": why, "detail": ""})

    def whole(self, at: float, process: str, f: str = LISTED) -> Self:
        """Let a watch have listed all, or have gone on where it was."""
        return self.add(at, "change", process, f, {"resource_version": "9"})

    def end(self, at: float) -> History:
        """Return it as it was written in schema 1."""
        return self.add(at, "mark", EXPERIMENT, "end").recorded()

    def change(
        self, at: float, process: str, f: Change, object_: dict[str, Any], *, gap: bool = False, seen: bool = True
    ) -> Self:
        """Add that an object came, changed or went."""
        life = process, object_["metadata"]["name"]
        self._lives[life] += f == ADDED
        self._generations[life] += f != DELETED
        generation = self._generations[life]
        metadata = {**object_["metadata"], "uid": f"{life[1]} {self._lives[life]}", "generation": generation}
        status = {"byPod": [{"observedGeneration": generation}, {"observedGeneration": generation - (not seen)}]}
        value: dict[str, Any] = {"resource_version": "2", "object": {**object_, "metadata": metadata, "status": status}}
        return self.add(at, "change", process, f, value | ({"in_gap": True} if gap else {}))


def new(history: HistoryBuilder, end: float) -> History:
    """Return a history as it is written today: watches that see give signs, and the last entry is its end mark."""
    entries = list(history.recorded().entries)
    begun = {entry.process: entry.at for entry in reversed(entries) if is_watch(entry.process)}
    for process, begin in begun.items():
        at = begin + _SIGNS_SECONDS
        while at < end + 1:
            history.add(at, "change", process, BOOKMARK, {"resource_version": "9"})
            at += _SIGNS_SECONDS
        history.add(end + 0.5, "change", process, BOOKMARK, {"resource_version": "9"})
    history.add(end, "mark", EXPERIMENT, JUDGE).add(end + 1, "mark", HISTORY, END)
    recorded = history.recorded()
    blind = {process: list(_blind(recorded, process)) for process in begun}
    kept = [
        entry
        for entry in recorded.entries
        if entry.f != BOOKMARK or not any(a <= entry.at < b for a, b in blind[entry.process])
    ]
    return _numbered(recorded, kept)


def silenced(recorded: History, process: str, begin: float) -> History:
    """Return what a history has if a watch is half open from a moment on, to the end."""
    entries = [entry for entry in recorded.entries if entry.process != process or entry.at < begin]
    return _numbered(recorded, entries)


def gapped(
    recorded: History, process: str, begin: float, end: float, *, how: str = LISTED, why: str = "silent"
) -> History:
    """Return what a history has if a watch that saw everything did not see from one moment to another.

    `how` it finds out: by a new list, LISTED, or because it goes on where it was, RESUMED.
    """
    entries = list(recorded.entries)
    mine = [entry for entry in entries if entry.process == process]
    hidden = [entry for entry in mine if begin <= entry.at <= end]
    before = _state(entry for entry in mine if entry.at < begin)
    after = _state(entry for entry in mine if entry.at <= end)
    if how == RESUMED:
        changes = [(entry.f, entry.value["object"]) for entry in hidden if "object" in entry.value]
    else:
        changes = list(_differences(before, after))
    values = [(f, {"object": object_, "in_gap": True}) for f, object_ in changes]
    lines = [(GAP, {"why": why, "detail": ""}), *values, (how, {"resource_version": "9"})]
    at_end = [Entry(0, "change", process, f, value, end, STARTED + end) for f, value in lines]
    kept = [entry for entry in entries if entry.process != process or not begin <= entry.at <= end]
    return _numbered(recorded, sorted([*kept, *at_end], key=lambda entry: entry.at))


def _numbered(recorded: History, entries: list[Entry]) -> History:
    return replace(recorded, header=Header(2, "test", STARTED, "0"), entries=renumbered(entries))


def _blind(recorded: History, process: str) -> Iterator[tuple[float, float]]:
    gap: float | None = None
    for entry in recorded.entries:
        if entry.process == process and entry.f == GAP:
            gap = entry.at if gap is None else gap
        elif entry.process == process and gap is not None and entry.f in (LISTED, RESUMED):
            yield gap, entry.at
            gap = None
    if gap is not None:
        yield gap, float("inf")


def _state(entries: Iterable[Entry]) -> dict[str, dict[str, Any]]:
    state: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if "object" in entry.value:
            name = entry.value["object"]["metadata"]["name"]
            state.pop(name, None)
            if entry.f != DELETED:
                state[name] = entry.value["object"]
    return state


def _differences(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, old in before.items():
        if name not in after or after[name]["metadata"]["uid"] != old["metadata"]["uid"]:
            yield DELETED, old
    for name, later in after.items():
        if name not in before or before[name]["metadata"]["uid"] != later["metadata"]["uid"]:
            yield ADDED, later
        elif before[name] != later:
            yield MODIFIED, later
