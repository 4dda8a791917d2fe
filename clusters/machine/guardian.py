"""Guardian: kills the commands of this process if it is killed, and holds its locks until they have ended.

Linux does not kill the children of a killed process. So a small program (`clusters.machine.orphans`) runs beside it,
knows the session of each command, and kills what is left of them. It also keeps files open whose locks nobody else may
take before that.
"""

import atexit
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chaos_harness.clusters.machine.orphans import read_all

__all__ = ["announce", "find_guardian", "guard", "keep_open", "release"]

_PROGRAM = Path(__file__).with_name("orphans.py")


class _Guardian:
    """The guardian of this process, started with the first command; it is no error if none can be started."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None
        self._pid = 0
        self._sessions: set[int] = set()
        self._starting: set[bytes] = set()
        self._held: set[int] = set()

    def expect(self, mark: bytes) -> None:
        with self._lock:
            self._starting.add(mark)
            if self._channel is None:
                self._begin()
            else:
                self._say(b"b" + mark)

    def add(self, session: int) -> None:
        with self._lock:
            self._sessions.add(session)
            self._say(b"+%d" % session)

    def expect_no_more(self, mark: bytes) -> None:
        with self._lock:
            self._starting.discard(mark)
            self._say(b"e" + mark)

    def discard(self, session: int) -> None:
        with self._lock:
            self._sessions.discard(session)
            self._say(b"-%d" % session)

    def hold(self, file: int) -> None:
        with self._lock:
            self._held.add(file)
            self._say(b"h%d" % file, [file])

    def free(self, file: int) -> None:
        with self._lock:
            self._held.discard(file)
            self._say(b"f%d" % file)

    def end(self) -> None:
        """Let it kill what still runs, and wait for it."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(self._pid, 0)

    def forked(self) -> None:
        """Forget, in a forked child, the state of the parent."""
        if self._channel is not None:
            self._channel.close()
        self._reset()

    def _begin(self) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._reap()
        words = [sys.executable, "-I", "-S", str(_PROGRAM), str(os.getpid())]
        nowhere = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
        try:
            actions = [(os.POSIX_SPAWN_DUP2, its.fileno(), 0), *nowhere]
            self._pid = os.posix_spawn(words[0], words, os.environ, file_actions=actions, setsid=True)
        except OSError:
            ours.close()
            return
        finally:
            its.close()
        self._channel = ours
        for mark in self._starting:
            self._sent(b"b" + mark)
        for session in self._sessions:
            self._sent(b"+%d" % session)
        for file in self._held:
            self._sent(b"h%d" % file, [file])

    def _reap(self) -> None:
        """Reap the process of an earlier guardian that has ended."""
        if self._pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, os.WNOHANG)

    def _say(self, message: bytes, files: Sequence[int] = ()) -> None:
        """Send a message to the guardian; if it has ended and a command runs, start another and send it everything."""
        if self._channel is not None and not self._sent(message, files) and (self._sessions or self._starting):
            self._begin()

    def _sent(self, message: bytes, files: Sequence[int] = ()) -> bool:
        """Send a message; return whether the guardian could get it."""
        if self._channel is None:
            return False
        try:
            socket.send_fds(self._channel, [message], list(files), socket.MSG_DONTWAIT)
        except BlockingIOError:  # it does not listen, and that must not block the caller
            return True
        except OSError:
            self._channel.close()
            self._channel = None
            return False
        return True


def find_guardian(pid: int) -> int | None:
    """Return the process id of the guardian of the process `pid`, or None if it has none: it runs no command yet."""
    words = os.fsencode(f"{_PROGRAM}\0{pid}\0")
    return next((process for process, said in read_all("cmdline") if said.endswith(words)), None)


_guardian = _Guardian()
atexit.register(_guardian.end)
os.register_at_fork(after_in_child=_guardian.forked)


@contextmanager
def announce() -> Iterator[str]:
    """Give the mark of a command that is started in the block, for its environment (`orphans.MARK`).

    If this process is killed before it has said `guard`, the guardian finds by it what was started.
    """
    mark = os.urandom(8).hex()
    _guardian.expect(mark.encode())
    try:
        yield mark
    finally:
        _guardian.expect_no_more(mark.encode())


def guard(session: int) -> None:
    """Kill the processes of a session when this process is killed."""
    _guardian.add(session)


def release(session: int) -> None:
    """Stop guarding a session that has ended."""
    _guardian.discard(session)


@contextmanager
def keep_open(file: int) -> Iterator[None]:
    """Keep an open file's lock during the block; after a kill, until all commands of this process have ended.

    The caller releases the lock (LOCK_UN) before the block ends: closing the file alone does not release it.
    """
    _guardian.hold(file)
    try:
        yield
    finally:
        _guardian.free(file)
