"""Progress: a block of running steps, live on a terminal, and plain lines in a log; quiet unless it has a stream."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from chaos_harness.clusters.terminal.ci_log import CiLog
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.lossy_stream import LossyStream
from chaos_harness.clusters.terminal.step import ProgressStep
from chaos_harness.clusters.terminal.width import terminal_columns, wrap

__all__ = ["Progress", "ProgressStep"]

_TICK_SECONDS = 0.5
_PLAIN_TICK_SECONDS = 60.0
_MOST_ROWS = 4
"""How many running steps are shown at once."""
_INDENT = "   "
_ERASE_LINE, _UP = "\r\033[K", "\033[A"


class Progress:
    """Shows steps on a text stream; `Progress.quiet()` shows nothing.

    On a terminal the running steps are one block at its end, which is drawn anew, and no line is longer than the
    terminal is wide. Elsewhere each line is written once, whole; `CiLog` says what a CI service adds.

    Work comes before output: if the stream cannot be written any more, the steps go on without it.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = None if stream is None else LossyStream(stream)
        live = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._live = live
        self._colour = (live or bool(os.environ.get("FORCE_COLOR"))) and not os.environ.get("NO_COLOR")
        self._log = CiLog() if live else CiLog.of()
        self._lock = threading.Lock()
        self._running: list[ProgressStep] = []
        self._rows = 0
        self._said: set[str] = set()
        self._grouped = False

    @classmethod
    def quiet(cls) -> "Progress":
        """Return a progress that shows nothing."""
        return cls(None)

    @classmethod
    def terminal(cls) -> "Progress":
        """Return a progress that writes to standard error."""
        return cls(sys.stderr)

    def say(self, text: str) -> None:
        """Write text, usually one line."""
        safe = escape_controls(text, lines=True)
        self._write(wrap(safe, self._columns) if self._live else safe)

    def say_once(self, text: str) -> None:
        """Write text as `say` does, unless this was done before."""
        with self._lock:
            before = text in self._said
            self._said.add(text)
        if not before:
            self.say(text)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Let the log of a CI service fold what is written during the block; a group within a group is none."""
        safe = escape_controls(title)
        with self._lock:
            opens, self._grouped = not self._grouped, True
        begin, end = (self._log.begin_group(safe), self._log.end_group(safe)) if opens else ("", "")
        if begin:
            self._write(begin, plain=True)
        try:
            yield
        finally:
            if end:
                self._write(end, plain=True)
            if opens:
                self._grouped = False

    @contextmanager
    def step(
        self, name: str, meanwhile: Callable[[], str] = str, seconds: float | None = None
    ) -> Iterator[ProgressStep]:
        """Show `name` while the block runs, then ✓ or ✗ with the seconds it took, and what `meanwhile` returns then.

        `seconds` is how long it will take, if that is known: a terminal shows a bar.
        """
        step = ProgressStep(name, meanwhile, seconds)
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(step, done), daemon=True)
        with self._lock:
            self._running.append(step)
        if not self._live:
            self._write(f" • {escape_controls(name)} …")
        with contextlib.suppress(RuntimeError):  # no thread can be started: then nothing is shown meanwhile
            ticker.start()
        mark, colour = "✗", "31"
        try:
            yield step
            mark, colour = "✓", "32"
        finally:
            done.set()
            if ticker.ident is not None:
                ticker.join()
            with self._lock:
                self._running.remove(step)
            self._write(self._last_line(step, mark).replace(mark, self._coloured(mark, colour), 1))

    def _last_line(self, step: ProgressStep, mark: str) -> str:
        """Return how a step that has ended is shown: of one that failed nothing is cut off."""
        if not self._live:
            return step.line(mark)
        if mark == "✓":
            return step.short_line(mark, self._columns)
        return wrap(step.line(mark), self._columns, _INDENT)

    def _coloured(self, mark: str, colour: str) -> str:
        return f"\033[{colour}m{mark}\033[0m" if self._colour else mark

    @property
    def _columns(self) -> int:
        """How many columns a line may have; the last one stays free, where some terminals begin a new line."""
        return terminal_columns(self._stream.as_text()) - 1 if self._stream else 0

    def _tick(self, step: ProgressStep, done: threading.Event) -> None:
        if self._stream is None:
            return
        while not done.wait(_TICK_SECONDS if self._live else _PLAIN_TICK_SECONDS):
            if not self._live:
                self._write(step.line("•"))
                continue
            with self._lock:
                if self._running and self._running[-1] is step:
                    self._stream.write(f"{self._erased()}{self._drawn()}")
                    self._stream.flush()

    def _write(self, text: str, *, plain: bool = False) -> None:
        """Write lines above the block, which the next tick draws again; `plain`: they have a form of their own."""
        if self._stream is None:
            return
        with self._lock:
            if self._live:
                self._stream.write(f"{self._erased()}{text}\n")
            else:
                shown = text if plain else "\n".join(map(self._log.line, text.split("\n")))
                self._stream.write(f"{shown}\n")
            self._stream.flush()

    def _erased(self) -> str:
        """Return what erases the block, and leaves the cursor where it began."""
        rows, self._rows = self._rows, 0
        return f"{_ERASE_LINE}{(_UP + _ERASE_LINE) * (rows - 1)}"

    def _drawn(self) -> str:
        """Return the block: the steps that began last, the last one below."""
        shown = self._running[-_MOST_ROWS:]
        self._rows = len(shown)
        return "\n".join(step.short_line("•", self._columns, bar=True) for step in shown)
