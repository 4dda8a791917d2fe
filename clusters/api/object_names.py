"""Object names: checks the names and kinds of Kubernetes objects, so that no name can act as an option or a path."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chaos_harness.clusters.errors import BadScenario

__all__ = ["manifest_problems", "require_names"]

_WORDS = {
    "apiVersion": (r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?v[a-z0-9]{1,62}", "a version such as v1 or apps/v1"),
    "kind": (r"[A-Z][A-Za-z0-9]{0,62}", "a kind such as ConfigMap"),
    "name": (
        r"[A-Za-z0-9]([A-Za-z0-9_.:-]{0,251}[A-Za-z0-9])?",
        "the name of an object, which is no option and no path",
    ),
    "namespace": (r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "the name of a namespace"),
}
_FIELDS = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))
_LONGEST = 80


def name_problem(what: str, value: str) -> str | None:
    """Return what is wrong with `value` as the field `what` ("apiVersion", "kind", "name", "namespace"), or None."""
    pattern, words = _WORDS[what]
    return None if re.fullmatch(pattern, value) else f"expected {words}, found {value[:_LONGEST]!r}"


def manifest_problems(manifest: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield `(location, message)` for each invalid name in an object to be applied; only values that are text count."""
    for place in _FIELDS:
        value: Any = manifest
        for key in place:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, str) and (problem := name_problem(place[-1], value)) is not None:
            yield place, problem


def require_names(**words: str) -> None:
    """Raise BadScenario with all problems of these names; an empty namespace is allowed."""
    given = {what: value for what, value in words.items() if value or what != "namespace"}
    refusals = {what: name_problem(what, value) for what, value in given.items()}
    problems = [f"{what}: {problem}" for what, problem in refusals.items() if problem is not None]
    if problems:
        raise BadScenario(problems)
