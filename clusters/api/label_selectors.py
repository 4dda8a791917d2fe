"""Label selectors: the grammar of Kubernetes, so that a selector that it would refuse is refused before it is asked."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.problem_words import shorten

__all__ = ["Selector", "is_label_name", "is_label_value", "require_selector", "selector_problem"]

_TOKEN = re.compile(r"==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+")
_SIGNS = ("==", "!=", "=", "!", "(", ")", ",", "<", ">")
_EQUALITY, _SETS, _ORDER = ("=", "==", "!="), ("in", "notin"), ("<", ">")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_NUMBER = re.compile(r"[0-9]{1,18}")
_LONGEST_NAME, _LONGEST_PREFIX, _LONGEST = 63, 253, 1000


def selector_problem(text: str) -> str | None:
    """Return what is wrong with a label selector, and what may have been meant; None if Kubernetes takes it."""
    if (why := _why_not(text)) is None:
        return None
    likely = _likely(text)
    sound = all("=" in part for part in likely.split(",")) and _why_not(likely) is None
    meant = f"; did you mean {likely}?" if sound else ""
    return f"expected a label selector such as app=web, found {shorten(text)}: {why}{meant}"


def require_selector(text: str) -> None:
    """Raise BadScenario unless a text is a label selector of Kubernetes that selects by a label."""
    if problem := selector_problem(text):
        raise BadScenario(f"selector: {problem}")


def is_label_name(key: str) -> bool:
    """Whether a text is the name of a label, with its prefix if it has one."""
    prefix, slash, name = key.rpartition("/")
    fits = len(name) <= _LONGEST_NAME and len(prefix) <= _LONGEST_PREFIX
    return bool(fits and _NAME.fullmatch(name) and (not slash or _DOMAIN.fullmatch(prefix)))


def is_label_value(text: str) -> bool:
    """Whether a text can be the value of a label; it may be empty."""
    return not text or (len(text) <= _LONGEST_NAME and bool(_NAME.fullmatch(text)))


def _given(value: object) -> object:
    """Refuse a parameter that is no selector; an empty one is the matter of what it is a parameter of."""
    if isinstance(value, Mapping) and value:
        labels = value.get("matchLabels")
        value = ",".join(f"{key}: {one}" for key, one in (labels if isinstance(labels, Mapping) else value).items())
    if isinstance(value, str) and value and (problem := selector_problem(value)):
        raise ValueError(problem)
    return value


Selector = Annotated[str, BeforeValidator(_given)]
"""A parameter that is a label selector, or ""."""


def _why_not(text: str) -> str | None:
    if len(text) > _LONGEST:
        return f"it has {len(text)} characters, {_LONGEST} are enough"
    try:
        _Reader(text).read()
    except ValueError as error:
        return str(error)
    return None


def _likely(text: str) -> str:
    """Return the selector that somebody may have meant who wrote it as fields of YAML, in quotes, or without commas."""
    plain = re.sub(r"[\"'{}]", "", text[:_LONGEST]).strip()
    equal = re.sub(r"\s*(?::|===?)\s*", "=", plain)
    return re.sub(r"\s*(?:&&|;|,|\band\b|\s)\s*", ",", equal).strip(",")


class _Reader:
    """Reads a selector token by token; what is none raises ValueError."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)

    def read(self) -> None:
        while True:
            self._requirement()
            if not self._tokens:
                return
            if not self._take(","):
                raise ValueError(f"expected a comma in front of {shorten(self._tokens[0])}")

    def _requirement(self) -> None:
        absent = self._take("!")
        key = self._word("the name of a label")
        _require_key(key)
        if absent or not self._tokens or self._tokens[0] == ",":
            return
        operator = self._tokens.pop(0)
        if operator in _EQUALITY:
            _require_value(self._value())
        elif operator in _SETS:
            self._values(operator)
        elif operator in _ORDER:
            number = self._word("a whole number")
            if not _NUMBER.fullmatch(number):
                raise ValueError(f"expected a whole number behind {operator}, found {shorten(number)}")
        else:
            raise ValueError(f"expected =, !=, in or notin behind {shorten(key)}, found {shorten(operator)}")

    def _values(self, operator: str) -> None:
        if not self._take("("):
            raise ValueError(f"expected values in brackets behind {operator}, as in `app {operator} (web, api)`")
        if self._take(")"):
            raise ValueError(f"expected at least one value in the brackets behind {operator}")
        while True:
            _require_value(self._value())
            if self._take(")"):
                return
            if not self._take(","):
                found = shorten(self._tokens[0]) if self._tokens else "the end"
                raise ValueError(f"expected a comma or ) in the brackets behind {operator}, found {found}")

    def _take(self, sign: str) -> bool:
        """Take the next token if it is this sign; return whether it was."""
        if self._tokens[:1] != [sign]:
            return False
        del self._tokens[0]
        return True

    def _value(self) -> str:
        """Return the next word, or "": a value may be empty."""
        return self._tokens.pop(0) if self._tokens and self._tokens[0] not in _SIGNS else ""

    def _word(self, what: str) -> str:
        word = self._value()
        if not word:
            raise ValueError(f"expected {what}, found {shorten(self._tokens[0]) if self._tokens else 'the end'}")
        return word


def _require_key(key: str) -> None:
    prefix, _, name = key.rpartition("/")
    if len(name) > _LONGEST_NAME or len(prefix) > _LONGEST_PREFIX:
        longest = f"{_LONGEST_NAME} characters, and its prefix {_LONGEST_PREFIX}"
        raise ValueError(f"the name of a label has at most {longest}, found {shorten(key)}")
    if not is_label_name(key):
        raise ValueError(f"expected the name of a label, such as app or example.com/app, found {shorten(key)}")


def _require_value(value: str) -> None:
    if len(value) > _LONGEST_NAME:
        raise ValueError(f"a label's value has at most {_LONGEST_NAME} characters, found {len(value)}")
    if not is_label_value(value):
        words = "a label's value, of letters, digits, -, _ and ., with a letter or digit at both ends"
        raise ValueError(f"expected {words}, found {shorten(value)}")
