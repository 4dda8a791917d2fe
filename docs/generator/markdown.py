"""Markdown: tables, and the blocks of pages that are generated."""

import re
from collections.abc import Iterable, Sequence

__all__ = ["replace_block", "safe", "table"]

_MARKUP = str.maketrans({"|": "\\|", "<": "&lt;", "\n": " "})


def safe(words: str) -> str:
    """Return text that is a table's cell, whatever is in it."""
    return words.translate(_MARKUP)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def replace_block(page: str, name: str, text: str) -> str:
    """Return a page whose block `name` has this text. Raises ValueError if the page has no such block, or several."""
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- end: {name} -->"
    block = re.compile(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", re.DOTALL)
    if len(block.findall(page)) != 1:
        raise ValueError(f"expected one block from {begin.strip()} to {end}")
    return block.sub(lambda _: f"\n{text}\n\n", page)
