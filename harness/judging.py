"""Judging: which code judged a claim, and how to judge the same claim again with the code of today."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from chaos_harness import harness
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.checks import Check
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.history import History, read
from chaos_harness.harness.history.faults import listed
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.meaning import Code, source_of
from chaos_harness.harness.normal_form import Place
from chaos_harness.harness.verdict import CheckFunction, Claim, Verdict

__all__ = ["again", "check_of", "faults_of", "judge_of", "today", "up_to"]

_OURS = {module.partition(".")[0] for module in (Check.__module__, escape_controls.__module__)}
_NO_JUDGES = (HarnessError.__module__, escape_controls.__module__, f"{harness.__name__}.__version__")
"""What checks use that raises, or shows, and changes no verdict."""
_MODEL = (Check, read, Claim.surprising)
"""What judges beside the function that makes a check."""
_NAMED = re.compile(r"\b([a-z]\w*)\(")
_WORD = re.compile(r'[^,()=\[\]"&]+')
_CONSTANTS: Mapping[str, Any] = {"True": True, "False": False, "None": None}


def today(id_: str) -> str:
    """Return the digest of the code that judges a claim with this id now: its checks and everything that they use.

    A verdict counts only while the digest kept with it is today's: what other code judged may come out otherwise now.
    See `harness.meaning.Code.digest` for changes that do not alter it.
    """
    return _digest(tuple(sorted(set(_NAMED.findall(id_)) & entries("check").keys())))


def judge_of(check: Callable[..., Any]) -> str:
    """Return `today` of a check; for one that is in no catalogue, of the module that made it."""
    id_ = getattr(check, "id", "")
    if set(_NAMED.findall(id_)) & entries("check").keys():
        return today(id_)
    module = str(getattr(check, "__module__", Check.__module__))
    return _code(module.partition(".")[0]).digest([Place(module, ""), *_model()])


def again(check: CheckFunction, history: Path, until: float | None = None) -> Verdict:
    """Judge a claim on a history that was written before, up to the moment `until`, in seconds (None: all of it).

    Raises BadScenario if the history cannot be read.
    """
    return check(up_to(read(history), until))


def up_to(recorded: History, until: float | None) -> History:
    """Return what a history was when it was recorded up to the moment `until`, in seconds (None: all of it)."""
    return recorded if until is None else replace(recorded, entries=_Prefix(recorded, until), ended=True)


def check_of(id_: str) -> Check:
    """Return the check that has this id ("fail_open_window(60, fault=kill node) & undisturbed()").

    Raises BadScenario if it names a check, or a parameter, that there is not (any more).
    """
    try:
        return _Reader(id_).whole()
    except RecursionError as error:
        raise BadScenario("the id of a check is nested too deep") from error


def faults_of(check: str, ids: Iterable[str]) -> set[str]:
    """Return the faults, by name or id, that claims with these ids are about, if they are claims of this check.

    An id that cannot be parsed is ignored: it belongs to a check that is in no catalogue.
    """
    named: set[str] = set()
    for id_ in ids:
        reader = _Reader(id_)
        with suppress(BadScenario, RecursionError):
            reader.whole()
            named |= {name for made, values in reader.parts if made == check for name in listed(values["fault"])}
    return named


@dataclass(frozen=True)
class _Prefix:
    recorded: History
    until: float

    def __iter__(self) -> Iterator[Entry]:
        for entry in self.recorded.entries:
            if entry.at > self.until:
                return
            yield entry


class _Reader:
    """Reads an id from its begin to its end; `harness.checks.identified` and `Check` are what writes one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.parts: list[tuple[str, Mapping[str, Any]]] = []

    def whole(self) -> Check:
        checked = self._joined()
        if self._at < len(self._text):
            raise self._refused("the end")
        return checked

    def _joined(self) -> Check:
        checked = self._one()
        while self._took(" & "):
            checked &= self._one()
        return checked

    def _one(self) -> Check:
        if not self._took("("):
            return self._made()
        checked = self._joined()
        self._must(").within(")
        seconds, after = self._value(), ""
        if self._took(", after="):
            after = str(self._value())
        self._must(")")
        return checked.within(float(seconds), after=after)

    def _made(self) -> Check:
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
        self.parts.append((name, values))
        check: Check = entry.make(values)
        return check

    def _value(self) -> Any:
        if self._took("["):
            values = []
            while not self._took("]"):
                values.append(self._value())
                self._took(", ")
            return values
        if self._text.startswith('"', self._at):
            quoted = self._matched(re.compile(r'"(?:[^"\\]|\\.)*"'), "a quoted word")
            return ast.literal_eval(quoted)
        word = self._matched(_WORD, "a value")
        try:
            return _CONSTANTS[word] if word in _CONSTANTS else float(word)
        except ValueError:
            return word

    def _took(self, sign: str) -> bool:
        is_next = self._text.startswith(sign, self._at)
        self._at += len(sign) if is_next else 0
        return is_next

    def _must(self, sign: str) -> None:
        if not self._took(sign):
            raise self._refused(repr(sign))

    def _matched(self, pattern: re.Pattern[str], wanted: str) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._refused(wanted)
        self._at = match.end()
        return match[0]

    def _refused(self, wanted: str) -> BadScenario:
        return BadScenario(f"{self._text}: expected {wanted} at character {self._at + 1}")


@cache
def _digest(names: tuple[str, ...]) -> str:
    checks = entries("check")
    return _code("").digest([*(_place(checks[name].factory) for name in names), *_model()])


def _model() -> list[Place]:
    return [_place(definition) for definition in _MODEL]


def _place(definition: Callable[..., Any]) -> Place:
    return Place(definition.__module__, definition.__qualname__)


@cache
def _code(also: str) -> Code:
    """Return our code, and that of one more top-level package."""
    ours = {*_OURS, also}
    return Code(lambda name: source_of(name) if name.partition(".")[0] in ours else None, _NO_JUDGES)
