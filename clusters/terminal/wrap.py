"""Wrap: fits messages into a terminal's width; what a script reads keeps its lines."""

import shutil
import textwrap
from typing import TextIO

__all__ = ["wrap", "wrap_for"]

_LEAST = 40
_INDENT = "  "


def wrap_for(stream: TextIO, words: str) -> str:
    """Return the words, in lines as long as the terminal is wide if `stream` is one."""
    return wrap(words, shutil.get_terminal_size().columns) if stream.isatty() else words


def wrap(words: str, width: int) -> str:
    """Return the words in lines of at most `width` characters; what follows a first line is indented.

    A word that is longer, such as a path or a command to copy, stays whole.
    """
    lines = [
        textwrap.wrap(
            line,
            max(width - 1, _LEAST),
            subsequent_indent=line[: len(line) - len(line.lstrip())] + _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        )
        for line in words.split("\n")
    ]
    return "\n".join("\n".join(wrapped) for wrapped in lines)
