"""Notation: what schema 2 writes, in the words of a history: steps by id, policies by name, times with their unit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos_harness.harness.catalogue import CatalogueEntry, PartKind, entries
from chaos_harness.harness.history.faults import listed
from chaos_harness.harness.incident.contents import LISTS, listed_parts, make_part
from chaos_harness.harness.incident.durations import bare_numbers, read_parameter
from chaos_harness.harness.incident.model import SCHEMA
from chaos_harness.harness.incident.step_names import StepNames
from chaos_harness.harness.incident.yaml_source import Location, Problem
from chaos_harness.harness.policies import ADMIT

__all__ = ["FAULT_PARAMETERS", "POLICY_PARAMETERS", "counted_names", "translate"]

FAULT_PARAMETERS = ("fault", "during", "before", "than")
"""Parameters of checks that are steps of the same file."""

POLICY_PARAMETERS = ("policy", "policies", "webhook")
"""Parameters of checks that are policies, by their names or by those under which answers about them are counted."""

_BOTH = "there is a turn for each value: leave out `repeat`"


def translate(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return a file's data as the harness works with it, and the problems of its notation.

    Data of schema 1 is in the words of a history already.
    """
    values = data.get("for_each")
    turns = {"repeat": len(values)} if isinstance(values, list) and values and "repeat" not in data else {}
    problems: list[Problem] = [(("for_each",), _BOTH)] if values and "repeat" in data else []
    data = {**data, **turns}
    if data.get("schema") != SCHEMA:
        return data, problems
    reader = _Reader(StepNames.of(data), counted_names(data))
    changed = {name: reader.parts(kind, name, data[name]) for kind, name in LISTS.items() if name in data}
    return {**data, **changed}, [*problems, *bare_numbers(data), *reader.problems]


def counted_names(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return under which names answers are counted, by the names of the harness's own policies in a file."""
    made = {
        part["policy"]: policy
        for part in listed_parts(data, "policies")
        if isinstance(part, dict) and (policy := make_part("policy", part)) is not None
    }
    return {
        name: list(dict.fromkeys(question.policy for question in policy.questions if question.policy != ADMIT))
        for name, policy in made.items()
    }


@dataclass
class _Reader:
    """Reads the parameters of the parts of a file, and keeps what is wrong with them."""

    steps: StepNames
    policies: Mapping[str, list[str]]
    problems: list[Problem] = field(default_factory=list)

    def parts(self, kind: PartKind, name: str, given: Any) -> Any:
        if not isinstance(given, list):
            return given
        return [self._part(kind, part, (name, index)) for index, part in enumerate(given)]

    def _part(self, kind: PartKind, part: Any, place: Location) -> Any:
        name = part.get(kind) if isinstance(part, dict) else None
        entry = entries(kind).get(name) if isinstance(name, str) else None
        if entry is None or not isinstance(part.get("with"), dict):
            return part
        values = {
            parameter: self._value(entry, kind, parameter, value, (*place, "with", parameter))
            for parameter, value in part["with"].items()
        }
        return {**part, "with": values}

    def _value(self, entry: CatalogueEntry, kind: PartKind, name: str, value: Any, place: Location) -> Any:
        try:
            if kind == "check" and name in FAULT_PARAMETERS and _is_text(value):
                return _like(value, self.steps.in_history([self.steps.find(word) for word in listed(value)]))
            if kind == "check" and name in POLICY_PARAMETERS and _is_text(value):
                return self._policies(entry, name, value)
            return read_parameter(entry, name, value)
        except ValueError as error:
            self.problems.append((place, str(error)))
        return value

    def _policies(self, entry: CatalogueEntry, name: str, value: Any) -> Any:
        names = [counted for word in listed(value) for counted in self.policies.get(word, [word])]
        if entry.parameters.model_fields[name].annotation is str and len(names) > 1:
            several = " and ".join(map(repr, names))
            raise ValueError(f"answers about {value} are counted as {several}: say which of them is meant")
        return _like(value, names)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(word, str) for word in value))


def _like(value: Any, names: list[str]) -> Any:
    """Return one name as a text, unless a list was given; several as a list."""
    return names[0] if len(names) == 1 and isinstance(value, str) else names
