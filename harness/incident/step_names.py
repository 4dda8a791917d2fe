"""Step names: how claims name the steps of an incident, by their ids or faults, and what a history calls them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.incident.contents import listed_parts, make_part

__all__ = ["StepName", "StepNames"]

_ID = "fault "


@dataclass(frozen=True)
class StepName:
    """One step: its index, its own id, its fault, and the fault's name in a history."""

    index: int
    id: str
    fault: str
    label: str


@dataclass(frozen=True)
class StepNames:
    """The steps of a file that may be wrong; `turns` is how often they are done."""

    steps: tuple[StepName, ...]
    count: int
    turns: int

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return the names of the steps of a file."""
        given = listed_parts(data, "faults")
        repeat = data.get("repeat", 1)
        steps = [_named(index, part) for index, part in enumerate(given) if isinstance(part, dict)]
        known = tuple(step for step in steps if step.fault)
        return cls(known, len(given), repeat if isinstance(repeat, int) and 0 < repeat <= 20 else 1)  # noqa: PLR2004

    @property
    def words(self) -> list[str]:
        """The words by which claims may name steps: ids, and faults that a single step does."""
        faults = [step.fault for step in self.steps]
        alone = [step.fault for step in self.steps if faults.count(step.fault) == 1 and not step.id]
        return list(dict.fromkeys([*(step.id for step in self.steps if step.id), *alone]))

    def find(self, word: str) -> StepName:
        """Return the step that a claim names. Raises ValueError with what to write instead."""
        of_id = [step for step in self.steps if step.id == word]
        of_fault = [step for step in self.steps if step.fault == word]
        if of_id or len(of_fault) == 1:
            return (of_id or of_fault)[0]
        there = f"{did_you_mean(word, self.words)}there is {', '.join(self.words) or 'none'}"
        if of_fault:
            numbers = " and ".join(str(step.index + 1) for step in of_fault)
            raise ValueError(f"steps {numbers} do {word}: give the one that is meant an id, `id: …`; {there}")
        labelled = [step for step in self.steps if step.label == word]
        if labelled:
            meant = " and ".join(step.id or step.fault for step in labelled)
            raise ValueError(f"claims name a step by its id or its fault: {meant} instead of {word!r}")
        raise ValueError(f"no step has the id, or the fault, {word[:80]!r}; {there}")

    def in_history(self, steps: list[StepName]) -> list[str]:
        """Return what a history calls these steps: the fault's name if they are all that do it, else their numbers."""
        chosen = {step.index for step in steps}
        names: list[str] = []
        for step in steps:
            same = {other.index for other in self.steps if other.label == step.label}
            names += [step.label] if same <= chosen else self._numbers(step)
        return list(dict.fromkeys(names))

    def named(self, name: str) -> list[StepName]:
        """Return the steps that a history calls so, by the numbers that `in_history` gives them."""
        numbers = {step.index: self._numbers(step) for step in self.steps}
        return [step for step in self.steps if name == step.label or name in numbers[step.index]]

    def _numbers(self, step: StepName) -> list[str]:
        return [f"{_ID}{turn * self.count + step.index + 1}" for turn in range(self.turns)]


def _named(index: int, part: Mapping[str, Any]) -> StepName:
    fault, identity = (word if isinstance(word := part.get(name), str) else "" for name in ("fault", "id"))
    made = make_part("fault", part)
    return StepName(index, identity, fault, made.name if made else fault.replace("_", " "))
