"""JSONPath: one expression of kubectl's JSONPath, read from an object; what kubectl knows besides is refused."""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["find", "parse", "same"]

Step = Callable[[Any], Iterator[Any]]

_NAME = re.compile(r"\.((?:[^.\[\]{}()\s'\"*\\]|\\.)+)")
_QUOTED = re.compile(r"\[\s*'((?:[^'\\]|\\.)*)'\s*\]")
_NUMBER = re.compile(r"\[\s*(-?\d+)\s*\]")
_SLICE = re.compile(r"\[\s*(-?\d*)\s*:\s*(-?\d*)\s*\]")
_EVERY = re.compile(r"\.\*|\[\s*\*\s*\]")
_FILTER = re.compile(r"\[\?\(\s*@(?P<path>[^=!<>]*?)\s*(?:(?P<sign>==|!=|<=|>=|<|>)\s*(?P<value>[^()]+?)\s*)?\)\]")
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONSTANTS = {"true": True, "false": False}
_EXAMPLE = 'such as {.status.phase} or {.status.conditions[?(@.type=="Ready")].status}'


def parse(text: str) -> list[Step]:
    """Return the steps of an expression of kubectl's JSONPath: names, indexes, slices, * and filters.

    The braces may be left out, as in `kubectl get -o jsonpath`. Raises ValueError for what is no path, or is none of
    these: text beside the braces, several of them, `range`, `..` and unions are refused.
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    inner = inner.removeprefix("$")
    if inner and inner[0] not in ".[":
        inner = f".{inner}"
    steps: list[Step] = []
    at = 0
    while at < len(inner):
        step, at = _step(inner, at, text)
        steps.append(step)
    if not steps:
        raise ValueError(f"expected a JSONPath {_EXAMPLE}, found {text[:80]!r}")
    return steps


def find(steps: list[Step], value: Any) -> list[Any]:
    """Return what the steps lead to in a value; nothing if it is not there."""
    found = [value]
    for step in steps:
        found = [part for one in found for part in step(one)]
    return found


def same(found: Any, wanted: Any) -> bool:
    """Whether a value is the wanted one, by its text, as `kubectl wait` compares: 3 is "3", and true is "true"."""
    return _text(found) == _text(wanted)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _step(inner: str, at: int, text: str) -> tuple[Step, int]:
    if match := _EVERY.match(inner, at):
        return _every, match.end()
    if match := _NAME.match(inner, at):
        return _named(re.sub(r"\\(.)", r"\1", match[1])), match.end()
    if match := _QUOTED.match(inner, at):
        return _named(re.sub(r"\\(.)", r"\1", match[1])), match.end()
    if match := _NUMBER.match(inner, at):
        return _indexed(int(match[1])), match.end()
    if match := _SLICE.match(inner, at):
        begin, end = (int(number) if number else None for number in match.groups())
        return _sliced(slice(begin, end)), match.end()
    if match := _FILTER.match(inner, at):
        return _filtered(match, text), match.end()
    rest = inner[at:]
    known = {"..": "`..`", "[?": "this filter", "{": "text between expressions", "}": "text between expressions"}
    what = next((words for begin, words in known.items() if rest.startswith(begin)), f"{rest[:20]!r}")
    raise ValueError(f"{text[:80]!r}: {what} is not supported; write one expression {_EXAMPLE}")


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _named(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _indexed(number: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= number < len(value):
            yield value[number]

    return step


def _sliced(part: slice) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[part]

    return step


def _filtered(match: re.Match[str], text: str) -> Step:
    path = parse(match["path"]) if match["path"] else []
    sign = match["sign"]
    wanted = _literal(match["value"], text) if sign else None

    def fits(value: Any) -> bool:
        found = find(path, value)
        if not sign:
            return bool(found)
        if sign in ("==", "!="):
            return any(same(one, wanted) == (sign == "==") for one in found)
        return any(_ordered(one, wanted) and _SIGNS[sign](one, wanted) for one in found)

    def step(value: Any) -> Iterator[Any]:
        yield from (one for one in _every(value) if fits(one))

    return step


def _ordered(found: Any, wanted: Any) -> bool:
    numbers = (int, float)
    if isinstance(found, bool) or isinstance(wanted, bool):
        return False
    return (isinstance(found, numbers) and isinstance(wanted, numbers)) or (
        isinstance(found, str) and isinstance(wanted, str)
    )


def _literal(word: str, text: str) -> Any:
    if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"":
        return word[1:-1]
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    try:
        return float(word) if "." in word else int(word)
    except ValueError as error:
        raise ValueError(
            f"{text[:80]!r}: expected a number, true, false, or a text in quotes, found {word!r}"
        ) from error
