"""Progress: one line for each step, live on a terminal and plain in a log; quiet unless it has a stream."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.lossy_stream import LossyStream

__all__ = ["Progress", "ProgressStep"]

_TICK_SECONDS = 0.5
_PLAIN_TICK_SECONDS = 60.0


class ProgressStep:
    """A running step; `detail` (how far it is) may be set at any time and is shown behind its name.

    `meanwhile` returns what goes on meanwhile; it is called for each line.
    """

    def __init__(self, name: str, meanwhile: Callable[[], str] = str) -> None:
        self.name = name
        self.detail = ""
        self.meanwhile = meanwhile
        self.started = time.monotonic()

    def line(self, mark: str) -> str:
        """Return the step as one line of text behind `mark`."""
        detail = f" ({escape_controls(self.detail)})" if self.detail else ""
        line = f" {mark} {escape_controls(self.name)}{detail} {time.monotonic() - self.started:.1f} s"
        meanwhile = escape_controls(self.meanwhile())
        return f"{line} | {meanwhile}" if meanwhile else line


class Progress:
    """Shows steps on a text stream; `Progress.quiet()` shows nothing.

    Work comes before output: if the stream cannot be written any more, the steps go on without it.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = None if stream is None else LossyStream(stream)
        live = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._live = live
        self._colour = (live or bool(os.environ.get("FORCE_COLOR"))) and not os.environ.get("NO_COLOR")
        self._lock = threading.Lock()
        self._running: list[ProgressStep] = []
        self._said: set[str] = set()

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
        self._write(escape_controls(text, lines=True))

    def say_once(self, text: str) -> None:
        """Write text as `say` does, unless this was done before."""
        with self._lock:
            before = text in self._said
            self._said.add(text)
        if not before:
            self.say(text)

    @contextmanager
    def step(self, name: str, meanwhile: Callable[[], str] = str) -> Iterator[ProgressStep]:
        """Show `name` while the block runs, then ✓ or ✗ with the seconds it took, and what `meanwhile` returns then."""
        step = ProgressStep(name, meanwhile)
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
            self._write(step.line(f"\033[{colour}m{mark}\033[0m" if self._colour else mark))

    def _tick(self, step: ProgressStep, done: threading.Event) -> None:
        if self._stream is None:
            return
        while not done.wait(_TICK_SECONDS if self._live else _PLAIN_TICK_SECONDS):
            with self._lock:
                if self._live and self._running and self._running[-1] is step:
                    self._stream.write(f"\r\033[K{step.line('•')}")
                    self._stream.flush()
            if not self._live:
                self._write(step.line("•"))

    def _write(self, line: str) -> None:
        if self._stream is None:
            return
        with self._lock:
            self._stream.write(f"\r\033[K{line}\n" if self._live else f"{line}\n")
            self._stream.flush()
