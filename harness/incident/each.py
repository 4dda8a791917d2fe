"""Each: where a file may say $each, which stands for the values of `for_each`, and what to write where it may not."""

from collections.abc import Iterator, Mapping
from typing import Any

from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.incident.contents import listed_parts
from chaos_harness.harness.incident.durations import is_duration
from chaos_harness.harness.incident.model import SCHEMA
from chaos_harness.harness.incident.yaml_source import Location, Problem

__all__ = ["Turns", "with_each"]

_EACH = "$each"
"""What stands in a step for the value of a turn."""

_MOST_VALUES = 20
_SHORT = 80
_FREE = ("title", "story", "links")
"""Fields that are for readers."""


def with_each(value: Any, each: Any) -> Any:
    """Return the parameters of a step with one value of `for_each` in the place of each $each."""
    if isinstance(value, Mapping):
        return {name: with_each(part, each) for name, part in value.items()}
    if isinstance(value, list):
        return [with_each(part, each) for part in value]
    return each if value == _EACH else value


class Turns:
    """The turns of a file that may be wrong: one for each value of `for_each`, or the file as it is."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._found = list(_texts(data, ()))
        self._stands = {place for place, text, named in self._found if text == _EACH and not named}

    @property
    def data(self) -> list[dict[str, Any]]:
        """The data of each turn: with its value in the parameters of steps."""
        return [{**self._data, "faults": self._steps(value)} for value in self._values] or [dict(self._data)]

    def problems(self) -> Iterator[Problem]:
        """Yield each $each that stands for nothing, with what to write there."""
        for place, text, named in self._found:
            if place[0] == "for_each":
                yield place, f"{_shown(text)} cannot be a value of `for_each`: it stands for one of them"
            elif not _is_parameter(place):
                if text == _EACH:
                    where = "stands for a value of `for_each` in the parameters of steps, `with`, alone"
                    yield place, f"{_EACH} {where}: write here what is meant"
            elif named:
                yield place, f"{_EACH} stands for a value, and not for the name of a field: write the name"
            elif text != _EACH:
                words = f"{_EACH} stands for a whole value: say {_EACH} alone, and all of {_shown(text)} in `for_each`"
                yield place, f"{words}, as {_shown(text.replace(_EACH, 'A'))}"
            elif not self._values:
                words = f"{_EACH} stands for a value of `for_each`, and this file has none"
                yield place, f"{words}: add a list of them, such as `for_each: [A, B]`"
            elif self._is_time(place):
                yield place, f"{_EACH} cannot stand for a time: write one, such as 30s, and a step for each of several"

    def told(self, place: Location, words: str) -> Problem:
        """Return a problem; if $each stands at its place, it says that the value is one of `for_each`."""
        return place, f"{words} (it is a value of `for_each`)" if place in self._stands else words

    @property
    def _values(self) -> list[Any]:
        values = self._data.get("for_each")
        return values[:_MOST_VALUES] if isinstance(values, list) else []

    def _steps(self, value: Any) -> Any:
        steps = self._data.get("faults")
        if not isinstance(steps, list):
            return steps
        return [
            {**step, "with": with_each(step["with"], value)} if isinstance(step, dict) and "with" in step else step
            for step in steps
        ]

    def _is_time(self, place: Location) -> bool:
        """Whether a parameter is a time, which has its unit, and so is read before the turns are known."""
        _, index, _, name, *_ = place
        fault = listed_parts(self._data, "faults")[int(index)].get("fault")
        entry = entries("fault").get(fault) if isinstance(fault, str) else None
        return self._data.get("schema") == SCHEMA and entry is not None and is_duration(entry, str(name))


def _is_parameter(place: Location) -> bool:
    return (place[0], *place[2:3]) == ("faults", "with") and len(place) > len(("faults", 0, "with"))


def _texts(value: Any, place: Location) -> Iterator[tuple[Location, str, bool]]:
    """Yield each text with $each in it, with its place, and whether it is the name of a field."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if place or name not in _FREE:
                yield from ((at, text, True) for at, text, _ in _texts(str(name), (*place, name)))
                yield from _texts(part, (*place, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _texts(part, (*place, index))
    elif isinstance(value, str) and _EACH in value:
        yield place, value, False


def _shown(text: str) -> str:
    return repr(text[:_SHORT])
