"""Claim problems: what a claim names or needs, and no other part of its incident brings."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.catalogue import CatalogueEntry, entries, watch_groups
from chaos_harness.harness.causes import CAUSES
from chaos_harness.harness.history.control_plane import LEADERS
from chaos_harness.harness.history.faults import listed
from chaos_harness.harness.incident.asks import own_policy_names
from chaos_harness.harness.incident.contents import Contents, listed_parts
from chaos_harness.harness.incident.model import SCHEMA
from chaos_harness.harness.incident.needs import ASKED, NOT_IN_FILES, READS_FIELDS, needs_of, source_of, streams_of
from chaos_harness.harness.incident.notation import FAULT_PARAMETERS, POLICY_PARAMETERS
from chaos_harness.harness.incident.step_names import StepNames
from chaos_harness.harness.incident.yaml_source import Problem
from chaos_harness.harness.policies import IGNORE_LABEL

__all__ = ["NUMBERS", "problems_of_claims"]

NUMBERS = ("seconds", "late", "steady", "within", "but_for", "unasked", "at_most", "enough", "least")
"""Parameters of checks that are numbers."""

_WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController")
_CHAOS = "chaos-"
_POSITIVE = ("enough", "least")
_LONGEST = 6 * 3600.0
_MOST = 100_000
_SHOWN = 3
_MUTATION_CHECK = "never_unmutated"
_OF_A_FIELD = "kind: Deployment, name: web, path: '{.status.readyReplicas}'"


def problems_of_claims(data: Mapping[str, Any], contents: Contents, shape: Shape | None) -> Iterator[Problem]:
    """Yield what claims name, or need, and no other part of the file brings: such a claim could never be decided."""
    steps = StepNames.of(data).words if data.get("schema") == SCHEMA else contents.fault_names
    for index, claimed in enumerate(listed_parts(data, "claims")):
        check = claimed.get("check") if isinstance(claimed, dict) else None
        entry = entries("check").get(check) if isinstance(check, str) else None
        values = claimed.get("with", {}) if isinstance(claimed, dict) else None
        if entry and isinstance(values, dict) and not entry.problems(values):
            claim = _Claim(entry, values, contents, shape, steps)
            yield from ((("claims", index, *place), words) for place, words in claim.problems())


@dataclass(frozen=True)
class _Claim:
    """A claim of a file whose parameters are right by themselves; `steps` are the words for steps in such a file."""

    entry: CatalogueEntry
    given: Mapping[str, Any]
    contents: Contents
    shape: Shape | None
    steps: list[str]

    def problems(self) -> Iterator[Problem]:
        settings = self.entry.settings(self.given)
        for name, value in settings.items():
            words = list(self._words_of(name, value))
            place = ("with", name) if name in self.given else ("with",) if self.given else ("check",)
            unless = "" if name in self.given else f"{name} is {_quoted(value)} unless it is given; "
            yield from ((place, f"{unless}{problem}") for problem in words)
        yield from ((("check",), words) for words in self._unmet())

    def _words_of(self, name: str, value: Any) -> Iterator[str]:
        if name in NUMBERS:
            yield from _out_of_range(name, value)
        elif name == "spare":
            yield from self._not_among(value, LEADERS, "no leader has the name")
        elif name == "excused":
            yield from self._not_among(value, CAUSES, "no answer is lost by the cause")
        elif name == "kinds":
            yield from self._not_among(value, _WORKLOADS, "no controller of pods has the kind")
        elif name == "field":
            yield from self._not_watched(value)
        elif name == "namespace" and value and not value.startswith(_CHAOS):
            yield f"expected a namespace of the workload, {_CHAOS}…, found {value[:80]!r}"
        elif self.contents.whole:
            yield from self._unknown_in_file(name, value)

    def _unknown_in_file(self, name: str, value: Any) -> Iterator[str]:
        if name in FAULT_PARAMETERS:
            known = (*self.contents.fault_ids, *self.contents.fault_names)
            named = [fault for fault in listed(value) if fault not in known]
            yield from self._not_among(named, self.steps, "no step does")
        elif name == "how":
            nodes = needs_of(self.entry.name).nodes
            what = "no step does this to a node:" if nodes else "no step does this to a pod of Gatekeeper:"
            yield from self._not_among([value], self.contents.harms(nodes=nodes), what)
        elif name in POLICY_PARAMETERS:
            yield from self._not_asked(listed(value))
        elif name == "constraint":
            yield from self._not_among([value], self.contents.constraints, "no policy has the constraint")

    def _not_among(self, given: Iterable[str], known: Iterable[str], what: str) -> Iterator[str]:
        there = list(known)
        for word in given:
            if word not in there and not word.startswith("$"):  # a reference is reported as one
                yield f"{what} {word[:80]!r}; {did_you_mean(word, there)}there is {', '.join(there) or 'none'}"

    def _not_watched(self, field: str) -> Iterator[str]:
        """Yield that no probe reads a field, with the line to add."""
        for problem in self._not_among([field], self.contents.fields, "no probe reads the field"):
            line = f"{{probe: {READS_FIELDS}, with: {{field: {json.dumps(field[:80])}, {_OF_A_FIELD}}}}}"
            yield f"{problem}; add to `probes`, with what it is to read: `{line}`"

    def _not_asked(self, given: Iterable[str]) -> Iterator[str]:
        """Yield policies about which nobody asks, with the line to add, and those that demand no mutation."""
        demanding = self.entry.name == _MUTATION_CHECK
        for word in given:
            unknown = list(self._not_among([word], self.contents.asked, "nobody asks about the policy"))
            yield from (f"{problem}; {_line_to_add(self.contents)}" for problem in unknown)
            if demanding and not unknown and word not in self.contents.mutations:
                there = ", ".join(self.contents.mutations) or "none"
                yield f"{word[:80]!r} demands no mutation that pods could lack; those that do: {there}"

    def _asks_nothing(self) -> bool:
        """Whether the file has constraints or mutators of the author's, and the claim could judge none of them."""
        own = own_policy_names(self.contents.own)
        return bool(own) and self.contents.whole and self.contents.asked == [IGNORE_LABEL]

    def _unmet(self) -> Iterator[str]:
        """Yield what the check needs of the file, or of the shape, that is not there."""
        check = self.entry.name
        if check in NOT_IN_FILES:
            yield f"{check} cannot be claimed in a file: {NOT_IN_FILES[check]}"
            return
        if ASKED in needs_of(check).streams and not set(self.given) & set(POLICY_PARAMETERS) and self._asks_nothing():
            named = ", ".join(own_policy_names(self.contents.own)[:_SHOWN])
            yield f"{check} judges what is asked, and nobody asks about {named}; {_line_to_add(self.contents)}"
        for field_name, value in dict.fromkeys(map(source_of, streams_of(check, self.given))):
            if field_name == "registry" and self.shape and not self.shape.registry:
                yield f"{check} reads the registry's log, and the shape has no registry"
            elif field_name == "watch" and not self.contents.watches_group(value):
                of_kind = " KIND" if watch_groups()[value].of_kind else ""
                yield f"{check} needs `watch: [{value}{of_kind}]`, which is not in this file"
            elif field_name == "probes" and value not in self.contents.probes:
                yield f"{check} needs `probes: [{{probe: {value}}}]`, which is not in this file"


def _line_to_add(contents: Contents) -> str:
    """Return the line that makes somebody ask about a policy of the author's, or "" if there is none."""
    own = own_policy_names(contents.own)
    if not own:
        return "ask about it in an item of `policies`: `asks: [{ask: NAME, object: {…}, answer: denied}]`"
    return f"add to the item of {own[0]}: `asks: [{{ask: NAME, object: {{…}}, answer: denied}}]`"


def _out_of_range(name: str, value: float) -> Iterator[str]:
    least, most = float(name in _POSITIVE), _MOST if name in _POSITIVE else _LONGEST
    if not least <= value <= most:
        yield f"expected {least:g} to {most:g}, found {value:g}"


def _quoted(value: Any) -> str:
    return " and ".join(map(repr, listed(value))) if isinstance(value, str | tuple) else repr(value)
