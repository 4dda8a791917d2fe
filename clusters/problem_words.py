"""Problem words: what pydantic says of a wrong value, in the words of all other messages."""

import re
from collections.abc import Mapping
from math import inf, isfinite

from pydantic_core import ErrorDetails

from chaos_harness.clusters.suggest import did_you_mean

__all__ = ["describe_problem", "shorten"]

_SHORT = 80
_TYPES = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "fields",
    "model_type": "fields",
    "model_attributes_type": "fields",
    "none_required": "nothing",
}
_BOUNDS: Mapping[str, str] = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character",
    "too_long": "at most {max_length} of them",
    "too_short": "at least {min_length} of them",
}
_COUNTED = ("too_long", "too_short")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def describe_problem(problem: ErrorDetails, forms: Mapping[str, str] | None = None) -> str:
    """Return what was expected and what stands there, and the word that was probably meant, if there is one.

    `forms` are what texts look like, in words, by their patterns.
    """
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return _one_of(given, str(context["expected"]))
    if kind == "string_pattern_mismatch":
        form = (forms or {}).get(context["pattern"], f"a text of the form {context['pattern']}")
        return f"expected {form}, found {shorten(given)}"
    if kind in _TYPES:
        return f"expected {_TYPES[kind]}, found {shorten(given)}{_as_seconds(kind, given)}"
    if kind in _BOUNDS:
        amount = f"{len(given)}" if kind in _COUNTED and hasattr(given, "__len__") else shorten(given)
        return f"expected {_BOUNDS[kind].format(**context)}, found {amount}"
    return f"{problem['msg']} (was {shorten(given)})"


def shorten(value: object) -> str:
    """Return the repr of a value, shortened."""
    words = repr(value)
    return words if len(words) <= _SHORT else f"{words[:_SHORT]}…"


def _one_of(given: object, expected: str) -> str:
    meant = did_you_mean(given, re.findall(r"'([^']*)'", expected)) if isinstance(given, str) else ""
    return f"expected {expected}, found {shorten(given)}{f'; {meant.strip()}' if meant else ''}"


def _as_seconds(kind: str, given: object) -> str:
    """Return how a duration is written as a number, where a number is wanted."""
    duration = _DURATION.fullmatch(given) if kind == "float_type" and isinstance(given, str) else None
    seconds = float(duration[1]) * _UNITS[duration[2]] if duration else inf
    return f"; in seconds that is {seconds:g}" if isfinite(seconds) else ""
