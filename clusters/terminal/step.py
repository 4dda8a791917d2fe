"""Step: something that takes a while, and the line that shows how far it is."""

import time
from collections.abc import Callable

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.width import cut, cut_left, text_columns

__all__ = ["ProgressStep"]

_BAR = 10
_DONE, _OPEN = "█", "░"
_LEAST_BESIDE = 16
_BESIDE = " | "


class ProgressStep:
    """A running step; `detail` (how far it is) may be set at any time and is shown behind its name.

    `fraction` is the part that is done (0 to 1), or None if nobody knows: then there is no bar. A step that takes
    `seconds` knows it by the clock. `meanwhile` returns what goes on meanwhile; it is called for each line.
    """

    def __init__(self, name: str, meanwhile: Callable[[], str] = str, seconds: float | None = None) -> None:
        self.name = name
        self.detail = ""
        self.fraction: float | None = None
        self.meanwhile = meanwhile
        self.seconds = seconds
        self.started = time.monotonic()

    def count(self, done: float, total: float, words: str) -> None:
        """Say how far the step is: `done` of `total`, and in `words`."""
        self.detail, self.fraction = words, done / total if total > 0 else None

    def line(self, mark: str) -> str:
        """Return the step as one line of text behind `mark`."""
        detail = f" ({escape_controls(self.detail)})" if self.detail else ""
        line = f" {mark} {escape_controls(self.name)}{detail}{self._elapsed}"
        meanwhile = escape_controls(self.meanwhile())
        return f"{line}{_BESIDE}{meanwhile}" if meanwhile else line

    def short_line(self, mark: str, columns: int, *, bar: bool = False) -> str:
        """Return the line cut to `columns`: time and bar stay, then the end of what goes on meanwhile, then the name.

        `bar` shows the part that is done.
        """
        detail = f" ({escape_controls(self.detail)})" if self.detail else ""
        tail = f"{self._bar if bar else ''}{self._elapsed}"
        meanwhile = escape_controls(self.meanwhile())
        beside = f"{_BESIDE}{meanwhile}" if meanwhile else ""
        head = f"{escape_controls(self.name)}{detail}"
        room = columns - len(f" {mark} ") - text_columns(tail)
        if text_columns(head) + text_columns(beside) > room and beside:
            left = max(room - text_columns(head), min(room // 2, text_columns(beside)))
            kept = cut_left(meanwhile, left - len(_BESIDE)) if left >= _LEAST_BESIDE else ""
            beside = f"{_BESIDE}{kept}" if kept else ""
        return f" {mark} {cut(head, room - text_columns(beside))}{tail}{beside}"

    @property
    def _elapsed(self) -> str:
        return f" {time.monotonic() - self.started:.1f} s"

    @property
    def _bar(self) -> str:
        """The part that is done, as a bar with a number; "" if nobody knows it."""
        part = self.fraction
        if part is None and self.seconds:
            part = (time.monotonic() - self.started) / self.seconds
        if part is None:
            return ""
        part = min(max(part, 0.0), 1.0)
        full = round(part * _BAR)
        return f" {_DONE * full}{_OPEN * (_BAR - full)} {part:4.0%}"
