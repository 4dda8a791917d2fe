"""Dialogue: a command that runs on, is told lines and tells lines, and whom nobody has to wait for."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine import process

__all__ = ["Dialogue", "start_dialogue"]

_BYTES = 65536
_LEAVE_SECONDS = 1.0


@contextlib.contextmanager
def start_dialogue(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Iterator["Dialogue"]:
    """Begin `argv` for the block; after it the command has a second to end, for it can read no more, and is ended.

    `env` is added to the environment. Raises HarnessError (no such program).
    """
    pipe = subprocess.PIPE
    with process.start_command(argv, pipe, pipe, subprocess.STDOUT, env=env) as running:
        yield (spoken := Dialogue(running))
        spoken.close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(_LEAVE_SECONDS)


class Dialogue:
    """A command that runs; `ended` is whether it has told all that it ever will. What it says of errors it tells, too.

    It has a `fileno`, so that `select` waits for several.
    """

    def __init__(self, running: "subprocess.Popen[bytes]") -> None:
        if running.stdin is None or running.stdout is None:
            raise HarnessError("a dialogue needs a command with pipes")
        self.ended = False
        self._in, self._out = running.stdin, running.stdout
        self._begun = b""
        os.set_blocking(self._out.fileno(), False)

    def fileno(self) -> int:
        """Return the file that can be read when the command tells something, or ends."""
        return self._out.fileno()

    def say(self, line: str) -> None:
        """Tell the command a line; whether it is still there to listen, `hear` tells."""
        with contextlib.suppress(OSError):
            os.write(self._in.fileno(), f"{line}\n".encode())

    def hear(self) -> list[str]:
        """Return the lines that it told since, without waiting; its last one, at its end, may lack its line feed."""
        output = self._begun
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self._out.fileno(), _BYTES):
                output += more
            self.ended = True
        whole, self._begun = (output, b"") if self.ended else _split_lines(output)
        return whole.decode(errors="replace").splitlines()

    def close_input(self) -> None:
        """Let the command read no more."""
        self._in.close()


def _split_lines(output: bytes) -> tuple[bytes, bytes]:
    """Return the whole lines, and what has begun of another one."""
    end = output.rfind(b"\n") + 1
    return output[:end], output[end:]
