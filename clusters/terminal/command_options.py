"""Command options: parsers whose errors are two lines, with the word that was meant, and checked values."""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.clusters.terminal.width import columns_of, wrap

__all__ = ["CommandParser", "one_of", "shard", "whole_number"]

_REFUSED = 2
_LONGEST = 80
_SHARD = re.compile(r"([1-9]\d{0,3})/([1-9]\d{0,3})", re.ASCII)


class CommandParser(argparse.ArgumentParser):
    """A parser whose options are not abbreviated, and whose errors say what was probably meant.

    Parsers of verbs that `add_subparsers` makes are of the same kind.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})
        self._verbs: Any = None

    def add_subparsers(self, **kwargs: Any) -> Any:
        """Add the parsers of verbs, as the superclass does."""
        self._verbs = super().add_subparsers(**kwargs)
        return self._verbs

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; refuse a verb that there is not, and, of a verb, what it does not know."""
        given: Sequence[str] = sys.argv[1:] if args is None else list(args)
        if self._verbs and given and not given[0].startswith("-") and given[0] not in self._verbs.choices:
            self.error(_refusal("verb", given[0], self._verbs.choices))
        chosen, unknown = super().parse_known_args(given, namespace)
        if unknown and not self._verbs:
            options = [name for action in self._actions for name in action.option_strings]
            word = next((word for word in unknown if word.startswith("-")), "").partition("=")[0]
            meant = did_you_mean(word, options).strip()
            self.error(f"unrecognized arguments: {' '.join(unknown)}{f'; {meant}' if meant else ''}")
        return chosen, unknown

    def error(self, message: str) -> NoReturn:
        """Write what is wrong and where the options are explained; end with status 2."""
        said = f"error: {message}\nusage: {self.prog} --help"
        sys.stderr.write(f"{wrap(said, columns_of(sys.stderr))}\n")
        sys.exit(_REFUSED)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return the function that reads an option's number from `least` to `most`."""

    def read(text: str) -> int:
        number = int(text) if re.fullmatch(r"[+-]?\d{1,20}", text.strip(), re.ASCII) else None
        if number is None or not least <= number <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, found {_short(text)}")
        return number

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Return the function that reads an option that is one of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise argparse.ArgumentTypeError(_refusal("value", text, words))
        return text

    return read


def shard(text: str) -> tuple[int, int]:
    """Read an option's shard: which of how many, from 1 on, such as 1/4."""
    form = _SHARD.fullmatch(text)
    if form is None or int(form[1]) > int(form[2]):
        raise argparse.ArgumentTypeError(f"expected which of how many, such as 1/4, found {text[:20]!r}")
    return int(form[1]), int(form[2])


def _refusal(what: str, given: str, known: Iterable[str]) -> str:
    there = list(known)
    return f"there is no {what} {_short(given)}; {did_you_mean(given, there)}there are {', '.join(there)}"


def _short(given: str) -> str:
    return repr(given[:_LONGEST])
