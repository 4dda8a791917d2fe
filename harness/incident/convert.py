"""Convert: writes an incident file of schema 1 in schema 2, by changing these words alone; comments and layout stay."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.harness.catalogue import PartKind, entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history.faults import listed
from chaos_harness.harness.incident.contents import LISTS
from chaos_harness.harness.incident.durations import bare_numbers, is_duration, written
from chaos_harness.harness.incident.model import SCHEMA
from chaos_harness.harness.incident.notation import FAULT_PARAMETERS, POLICY_PARAMETERS, counted_names
from chaos_harness.harness.incident.step_names import StepName, StepNames
from chaos_harness.harness.incident.timeline import beginning_order
from chaos_harness.harness.incident.yaml_source import Location, Problem, parse

__all__ = ["convert"]

_LONGEST = 30
"""The most letters of a fault's name in an id that is made of it."""


def convert(text: str, path: Path, *, by_place: bool = False) -> str:
    """Return the text of a file of schema 1 in schema 2; `path` is where it stands, for messages.

    Numbers of steps ("fault 2") are in the order in which they begin, or `by_place` in that of the file.

    Raises BadScenario if it is not of schema 1, or if a claim names a step by its number whose place is not known
    before it is run.
    """
    sources = parse(text, path)
    data = sources[0].data if len(sources) == 1 else None
    if not isinstance(data, dict) or data.get("schema") != 1:
        raise BadScenario(f"{path}: expected a file of schema 1 to convert")
    order = list(range(len(data["faults"]))) if by_place else beginning_order(data["faults"])
    end = "\r\n" if "\r\n" in text else "\n"
    writer = _Writer(data, dict(_nodes(yaml.compose(text, yaml.SafeLoader), ())), order, end)
    writer.rewrite()
    if writer.problems:
        raise BadScenario([sources[0].problem(place, words) for place, words in writer.problems])
    return writer.applied(text)


def _nodes(node: Any, place: Location) -> Iterator[tuple[Location, Any]]:
    """Yield each part of a document, with its place."""
    yield place, node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _nodes(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _nodes(value, (*place, index))


class _Writer:
    """Collects what is written in place of what."""

    def __init__(self, data: Mapping[str, Any], nodes: Mapping[Location, Any], order: list[int], end: str) -> None:
        self.problems: list[Problem] = []
        self._data = data
        self._nodes = nodes
        self._order = order
        self._end = end
        self._edits: dict[tuple[int, int], str] = {}
        self._steps = StepNames.of(data)
        asked = counted_names(data)
        self._policy = {words[0]: name for name, words in asked.items() if len(words) == 1}

    def rewrite(self) -> None:
        self._put(("schema",), str(SCHEMA))
        for place, _ in bare_numbers(self._data):
            self._duration(place)
        for kind, name in LISTS.items():
            for index, part in enumerate(self._data.get(name, ())):
                self._part(kind, part, (name, index))

    def applied(self, text: str) -> str:
        """Return the text with all that is written anew."""
        for (begin, end), words in sorted(self._edits.items(), reverse=True):
            text = f"{text[:begin]}{words}{text[end:]}"
        return text

    def _part(self, kind: PartKind, part: Any, place: Location) -> None:
        entry = entries(kind).get(str(part.get(kind)))
        for name, value in part.get("with", {}).items() if entry else ():
            at = (*place, "with", name)
            if entry and is_duration(entry, name) and value:
                self._duration(at)
            elif kind == "check" and name in FAULT_PARAMETERS:
                self._faults(at, value)
            elif kind == "check" and name in POLICY_PARAMETERS:
                self._words(at, value, [self._policy.get(word, word) for word in listed(value)])

    def _duration(self, place: Location) -> None:
        self._put(place, written(float(self._nodes[place].value)))

    def _faults(self, place: Location, value: Any) -> None:
        words: list[str] = []
        for name in listed(value):
            found = self._find(name)
            if not found:
                self.problems.append(
                    (place, f"which step {name!r} is shows only when it is run: name its fault instead")
                )
            words += [self._word(step) for step in found]
        self._words(place, value, list(dict.fromkeys(words)))

    def _find(self, name: str) -> list[StepName]:
        """Return the steps that schema 1 calls so; none if it is a number, and their order is not known."""
        labelled = [step for step in self._steps.steps if step.label == name]
        number = name.removeprefix("fault ")
        if labelled or not number.isdigit() or not self._order:
            return labelled
        index = self._order[(int(number) - 1) % len(self._order)]
        return [step for step in self._steps.steps if step.index == index]

    def _word(self, step: StepName) -> str:
        """Return how schema 2 names a step; one that is not alone with its fault, and has no id, is given one."""
        if step.id or sum(other.fault == step.fault for other in self._steps.steps) == 1:
            return step.id or step.fault
        identity = f"{step.fault.replace('_', '-')[:_LONGEST]}-{step.index + 1}"
        node = self._nodes["faults", step.index]
        first = node.value[0][0].start_mark
        between = ", " if node.flow_style else f"{self._end}{' ' * first.column}"
        self._edits[first.index, first.index] = f"id: {identity}{between}"
        return identity

    def _words(self, place: Location, value: Any, words: list[str]) -> None:
        if len(words) == 1 and isinstance(value, str):
            self._put(place, words[0])
        elif isinstance(value, list) and len(words) == len(value):
            for index, word in enumerate(words):
                self._put((*place, index), word)
        else:
            self._put(place, f"[{', '.join(words)}]")

    def _put(self, place: Location, words: str) -> None:
        node = self._nodes[place]
        last = node.value[-1] if isinstance(node, yaml.SequenceNode) and not node.flow_style else node
        self._edits[node.start_mark.index, last.end_mark.index] = words  # a block reaches to what comes after it
