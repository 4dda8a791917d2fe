"""Dialogue: a running command that reads lines and writes lines, without anybody waiting for it."""

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
    """Start `argv` for the block; afterwards its input is closed, it has a second to exit, and is then ended.

    `env` is added to the environment. Raises HarnessError (no such program).
    """
    pipe = subprocess.PIPE
    with process.start_command(argv, pipe, pipe, subprocess.STDOUT, env=env) as running:
        yield (spoken := Dialogue(running))
        spoken.close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(_LEAVE_SECONDS)


class Dialogue:
    """A running command; `ended` is true when all of its output was received. Its standard error is part of the output.

    It has a `fileno`, so that `select` can wait for several.
    """

    def __init__(self, running: "subprocess.Popen[bytes]") -> None:
        if running.stdin is None or running.stdout is None:
            raise HarnessError("a dialogue needs a command with pipes")
        self.ended = False
        self._in, self._out = running.stdin, running.stdout
        self._begun = b""
        os.set_blocking(self._out.fileno(), False)

    def fileno(self) -> int:
        """Return the file that becomes readable when the command writes something or ends."""
        return self._out.fileno()

    def say(self, line: str) -> None:
        """Send a line to the command; `hear` shows whether it still runs."""
        with contextlib.suppress(OSError):
            os.write(self._in.fileno(), f"{line}\n".encode())

    def hear(self) -> list[str]:
        """Return the lines written since the last call, without waiting; the very last line may have no line feed."""
        output = self._begun + self.hear_bytes()
        whole, self._begun = (output, b"") if self.ended else _split_lines(output)
        return whole.decode(errors="replace").splitlines()

    def hear_bytes(self) -> bytes:
        """Return what was written since the last call, without waiting, as it is; of one command use this or `hear`."""
        output = bytearray()
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self._out.fileno(), _BYTES):
                output += more
            self.ended = True
        return bytes(output)

    def close_input(self) -> None:
        """Close the command's input."""
        self._in.close()


def _split_lines(output: bytes) -> tuple[bytes, bytes]:
    """Return the complete lines, and the beginning of an incomplete one."""
    end = output.rfind(b"\n") + 1
    return output[:end], output[end:]
