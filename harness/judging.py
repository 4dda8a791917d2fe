"""Judging: which sources judged a claim, and the same claim judged again by the sources of today."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from harness.catalogue import entries
from harness.checks import Checked
from harness.errors import BadScenario
from harness.history import Recorded, read
from harness.history.recorded import Entry
from harness.verdict import Check, Verdict

__all__ = ["again", "check_of", "judge_of", "today"]

_ROOT = Path(__file__).parents[1]
_MODEL = "harness.checks"
_OURS = ("harness", "clusters")
_PACKAGE = "chaos_harness."
"""What their names begin with; a digest knows them without it."""
_NO_JUDGES = ("harness.errors", "clusters.errors", "clusters.shown", "harness.history.writer", "harness.jsonl")
"""What checks import that raises, shows or writes, and changes no verdict."""
_DIGITS = 12
_NAMED = re.compile(r"\b([a-z]\w*)\(")
_WORD = re.compile(r'[^,()=\[\]"&]+')
_CONSTANTS: Mapping[str, Any] = {"True": True, "False": False, "None": None}


def today(id_: str) -> str:
    """Return the digest of the sources that judge a claim with this id now: its checks and all that they import.

    A verdict counts only while the digest that is kept with it is today's: what was judged by other sources may come
    out otherwise now.
    """
    checks = entries("check")
    return _digest(frozenset(checks[name].factory.__module__ for name in _NAMED.findall(id_) if name in checks))


def judge_of(check: Callable[..., Any]) -> str:
    """Return `today` of a check; for one that is in no catalogue, of the module that made it."""
    found = getattr(check, "id", "")
    if set(_NAMED.findall(found)) & entries("check").keys():
        return today(found)
    return _digest(frozenset({str(getattr(check, "__module__", _MODEL))}))


def again(check: Check, history: Path, until: float | None = None) -> Verdict:
    """Judge a claim by a history that was written before; `until` is the moment up to which it was written then.

    Raises BadScenario if the history cannot be read.
    """
    recorded = read(history, so_far=until is not None)
    return check(recorded if until is None else replace(recorded, entries=_Prefix(recorded, until)))


def check_of(id_: str) -> Checked:
    """Return the check that has this id ("fail_open_window(60, fault=kill node) & undisturbed()").

    Raises BadScenario if it names a check, or a parameter, that there is not (any more).
    """
    try:
        return _Reader(id_).whole()
    except RecursionError as error:
        raise BadScenario("the id of a check is nested too deep") from error


@dataclass(frozen=True)
class _Prefix:
    recorded: Recorded
    until: float

    def __iter__(self) -> Iterator[Entry]:
        for entry in self.recorded.entries:
            if entry.at > self.until:
                return
            yield entry


class _Reader:
    """Reads an id from its begin to its end; `harness.checks.identified` and `Checked` are what writes one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> Checked:
        found = self._joined()
        if self._at < len(self._text):
            raise self._refused("the end")
        return found

    def _joined(self) -> Checked:
        found = self._one()
        while self._took(" & "):
            found &= self._one()
        return found

    def _one(self) -> Checked:
        if not self._took("("):
            return self._made()
        found = self._joined()
        self._must(").within(")
        seconds, after = self._value(), ""
        if self._took(", after="):
            after = str(self._value())
        self._must(")")
        return found.within(float(seconds), after=after)

    def _made(self) -> Checked:
        name = self._matched(re.compile(r"[a-z]\w*"), "a check's name")
        entry = entries("check").get(name)
        if entry is None:
            raise BadScenario(f"{self._text}: there is no check {name} (any more)")
        self._must("(")
        unnamed = iter(entry.parameters.model_fields)
        values: dict[str, Any] = {}
        while not self._took(")"):
            named = re.compile(r"([a-z_]\w*)=").match(self._text, self._at)
            self._at = named.end() if named else self._at
            values[named[1] if named else next(unnamed, "")] = self._value()
            self._took(", ")
        check: Checked = entry.make(values)
        return check

    def _value(self) -> Any:
        if self._took("["):
            found = []
            while not self._took("]"):
                found.append(self._value())
                self._took(", ")
            return found
        if self._text.startswith('"', self._at):
            quoted = self._matched(re.compile(r'"(?:[^"\\]|\\.)*"'), "a quoted word")
            return ast.literal_eval(quoted)
        word = self._matched(_WORD, "a value")
        try:
            return _CONSTANTS[word] if word in _CONSTANTS else float(word)
        except ValueError:
            return word

    def _took(self, sign: str) -> bool:
        found = self._text.startswith(sign, self._at)
        self._at += len(sign) if found else 0
        return found

    def _must(self, sign: str) -> None:
        if not self._took(sign):
            raise self._refused(repr(sign))

    def _matched(self, pattern: re.Pattern[str], wanted: str) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._refused(wanted)
        self._at = found.end()
        return found[0]

    def _refused(self, wanted: str) -> BadScenario:
        return BadScenario(f"{self._text}: expected {wanted} at its letter {self._at + 1}")


@cache
def _digest(modules: frozenset[str]) -> str:
    """Return the digest of modules and of everything of ours that they import, however far away."""
    known: dict[str, bytes] = {}
    waiting = [*(name.removeprefix(_PACKAGE) for name in modules), _MODEL]
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if name in known or name in _NO_JUDGES or path is None:
            continue
        known[name] = path.read_bytes()
        waiting += _imported(path)
    parts = (part for name in sorted(known) for part in (name.encode(), known[name]))
    return sha256(b"\0".join(parts)).hexdigest()[:_DIGITS]


@cache
def _imported(path: Path) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_imports(ast.parse(path.read_bytes(), path))))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names = [each.name for each in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{each}" for each in names)]
        for each in names:
            parts = each.removeprefix(_PACKAGE).split(".")
            yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1) if parts[0] in _OURS)


def _path(name: str) -> Path | None:
    place = _ROOT.joinpath(*name.split("."))
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)
