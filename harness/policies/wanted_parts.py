"""Wanted parts: the fields that a mutated object must have, by paths as in a mutator's `location`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chaos_harness.clusters.api.objects import Object
from chaos_harness.harness.errors import BadScenario

__all__ = ["WantedParts"]

_KEY = r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w-]+)"""
_STEP = re.compile(rf"{_KEY}(?:\[\s*{_KEY}\s*:\s*(?:(\*)|{_KEY})\s*\])?(\.(?=.)|$)")
_ESCAPED = re.compile(r"\\(.)")
_TEMPLATES = ("spec.template.", "spec.jobTemplate.spec.template.")
_MISSING = object()


class _Step(NamedTuple):
    """A field, and which elements of the list in it: those whose `key` is `value` (None: all of them)."""

    name: str
    key: str = ""
    value: str | None = None


@dataclass(frozen=True)
class WantedParts:
    """What an object must have: a value for each path.

    A path is as in the `location` of a mutator: `spec.containers[name: *].imagePullPolicy`, keys with dots in quotes. A
    value that is a map is a part: what else is there does not matter. A list must be there as it is, element by
    element. Raises BadScenario for a path that is none.
    """

    by_path: Mapping[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        """Read each path once, so that a wrong one is an error here."""
        if problems := [problem for path in self.by_path for problem in _problems(path)]:
            raise BadScenario(problems)

    def are_in(self, manifest: Object) -> bool:
        """Whether an object has all of them."""
        return all(
            _has(found, wanted) for path, wanted in self.by_path.items() for found in _find(manifest, _steps(path))
        )

    def of_pods(self, kind: str) -> "WantedParts | None":
        """Return the parts that pods have if an object of this `kind` has them; None if pods do not get them.

        That is a pod itself, or a controller whose pod template has them.
        """
        if kind == "Pod":
            return self
        below = {
            path.removeprefix(template): value
            for path, value in self.by_path.items()
            for template in _TEMPLATES
            if path.startswith(template)
        }
        return WantedParts(below) if below else None


def _problems(path: str) -> Iterator[str]:
    try:
        _steps(path)
    except ValueError:
        yield (
            f"{path[:80]!r} is no path of a field: expected one as in a mutator's location, such as "
            'spec.containers[name: *].image or metadata.labels."example.com/team"'
        )


def _steps(path: str) -> list[_Step]:
    steps: list[_Step] = []
    at = 0
    while at < len(path) or not steps:
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(path)
        name, key, every, value, _ = match.groups()
        steps.append(_Step(_plain(name), _plain(key or ""), None if every or not key else _plain(value)))
        at = match.end()
    return steps


def _plain(key: str) -> str:
    return _ESCAPED.sub(r"\1", key[1:-1]) if key[:1] in ("'", '"') else key


def _find(value: Any, steps: list[_Step]) -> Iterator[Any]:
    """Yield what is at a path, _MISSING where there is nothing; with a list that is to be searched, each match."""
    if not steps:
        yield value
        return
    step, *rest = steps
    inner = value.get(step.name, _MISSING) if isinstance(value, Mapping) else _MISSING
    if not step.key:
        yield from _find(inner, rest) if inner is not _MISSING else (_MISSING,)
        return
    elements = inner if isinstance(inner, list) else []
    chosen = [
        element
        for element in elements
        if isinstance(element, Mapping) and step.key in element and step.value in (None, str(element[step.key]))
    ]
    for element in chosen:
        yield from _find(element, rest)
    if not chosen:
        yield _MISSING


def _has(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_has(found.get(key, _MISSING), part) for key, part in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_has, found, wanted))
    return type(found) is type(wanted) and bool(found == wanted)
