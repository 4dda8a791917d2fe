"""Terminals: a program runs on a pseudo-terminal, and a small emulator shows what a reader has on the screen."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline

__all__ = ["Screen", "run_on_terminal"]

_CONTROL = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[\?\d+[hl]|[\r\n\b]")
_SECONDS = 60.0


class Screen:
    """The lines that a terminal of some columns shows; a character behind the last column begins a new line."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines = [""]
        self._row = self._column = 0

    def feed(self, text: str) -> "Screen":
        """Obey what a program wrote; of colours nothing is kept."""
        place = 0
        for control in _CONTROL.finditer(text):
            self._print(text[place : control.start()])
            self._obey(control[0], int(control[1] or 1), control[2] or "")
            place = control.end()
        self._print(text[place:])
        return self

    def text(self) -> str:
        """Return all lines, those that were scrolled away, too."""
        return "\n".join(line.rstrip() for line in self.lines).rstrip() + "\n"

    def _print(self, text: str) -> None:
        for character in text:
            if self._column == self.columns:
                self._obey("\r", 1, "")
                self._obey("\n", 1, "")
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1

    def _obey(self, control: str, number: int, letter: str) -> None:
        if control == "\r":
            self._column = 0
        elif control == "\n":
            self._row += 1
            self._column = 0
            if self._row == len(self.lines):
                self.lines.append("")
        elif letter == "A":
            self._row = max(0, self._row - number)
        elif letter == "K":
            self.lines[self._row] = self.lines[self._row][: self._column]


def run_on_terminal(
    argv: Sequence[str | Path],
    *,
    columns: int,
    env: Mapping[str, str],
    typed: Iterable[tuple[str, str]] = (),
    cwd: Path | None = None,
    seconds: float = _SECONDS,
) -> tuple[int, str]:
    """Run a program whose terminal is its own, with 24 lines; return its status and all that it wrote.

    `typed` are pairs: what the program must have written, and what is typed then. Fails if the program does not end in
    time, or waits for what nobody types.
    """
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    argv = ["setsid", "--ctty", "--wait", *argv]
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(env), cwd=cwd)
    os.close(theirs)
    written, waiting = b"", list(typed)
    try:
        for _ in Deadline.after(seconds, f"{argv[3]} to end").attempts(most=0.05):
            while select.select([ours], [], [], 0.05)[0]:
                try:
                    written += os.read(ours, 1 << 16)
                except OSError:  # nobody has the terminal any more
                    break
                if waiting and waiting[0][0] in written.decode(errors="replace"):
                    os.write(ours, waiting.pop(0)[1].encode())
            if process.poll() is not None:
                return process.returncode, written.decode().replace("\r\n", "\n")
        raise AssertionError(f"it did not end; on the screen: {written.decode(errors='replace')}")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
