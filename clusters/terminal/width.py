"""Width: fits text into the columns of a terminal; what is no terminal gets its lines whole."""

import os
import textwrap
import unicodedata
from typing import TextIO

__all__ = ["columns_of", "cut", "cut_left", "terminal_columns", "text_columns", "wrap"]

_USUAL = 80
_LEAST = 20
_ELLIPSIS = "…"


def columns_of(stream: TextIO) -> int | None:
    """Return how many columns the terminal behind `stream` has; None if it is no terminal."""
    return terminal_columns(stream) if stream.isatty() else None


def terminal_columns(stream: TextIO) -> int:
    """Return how many columns lines for `stream` may have: $COLUMNS, else the terminal's, else 80; at least 20."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        try:
            columns = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
    return max(columns or _USUAL, _LEAST)


def text_columns(text: str) -> int:
    """Return how many columns a line of printable text takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_character_columns(character) for character in text)


def cut(text: str, columns: int) -> str:
    """Return `text`, or as much of its beginning as fits into `columns` with "…"; "" if there is no room for that."""
    if text_columns(text) <= columns:
        return text
    room, kept = columns - 1, ""
    for character in text:
        room -= _character_columns(character)
        if room < 0:
            break
        kept += character
    return f"{kept.rstrip()}{_ELLIPSIS}" if columns > 0 else ""


def cut_left(text: str, columns: int) -> str:
    """Return `text`, or as many whole words of its end as fit into `columns` behind "…": half a number is another."""
    if text_columns(text) <= columns:
        return text
    kept = ""
    for word in reversed(text.split(" ")):
        longer = f"{word} {kept}" if kept else word
        if text_columns(longer) >= columns:
            break
        kept = longer
    return f"{_ELLIPSIS}{kept}" if kept else ""


def wrap(text: str, columns: int | None, indent: str = "  ") -> str:
    """Break the lines of `text` at spaces so that they fit into `columns`; None leaves them as they are.

    What is broken off stands below the line, which is indented, by `indent` more. A word that is longer than a line,
    such as a path, stays whole: it can be copied.
    """
    if columns is None:
        return text
    return "\n".join(_wrap_line(line, columns, indent) for line in text.split("\n"))


def _wrap_line(line: str, columns: int, indent: str) -> str:
    if text_columns(line) <= columns:
        return line
    begin = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.strip(),
        columns,
        initial_indent=begin,
        subsequent_indent=f"{begin}{indent}",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _character_columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
