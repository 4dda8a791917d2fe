"""Orphans: the program that waits for the end of a process and then kills everything that this one started.

`clusters.machine.guardian` starts it. It imports nothing of ours, so that it starts fast and needs little memory.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

__all__ = ["MARK", "kill", "members", "read_all"]

MARK = "CHAOS_HARNESS_COMMAND"
"""Environment variable of a command: by it a command is found that was started, but whose session is not known yet."""

_PROC = Path("/proc")
_SECONDS = 10.0
_STARTING_SECONDS = 0.5
"""A command that was being started when its parent was killed shows up within this time."""

_PAUSE_SECONDS = 0.02
_MOST_BYTES = 64
_SESSION_FIELD = 3  # of /proc/<pid>/stat behind the command's name, see proc_pid_stat(5)


def members(session: int, proc: Path = _PROC) -> list[int]:
    """Return the running processes of a session, as far as they are visible."""
    pids = []
    for pid, stat in read_all("stat", proc):
        fields = stat.rpartition(b")")[2].split()
        if fields[0] not in (b"Z", b"X") and int(fields[_SESSION_FIELD]) == session:
            pids.append(pid)
    return pids


def kill(session: int) -> bool:
    """Kill the processes of a session; return whether any still runs."""
    with contextlib.suppress(OSError):
        os.killpg(session, signal.SIGKILL)  # all that is possible without /proc
    pids = members(session)
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return bool(pids)


def end(sessions: Iterable[int], marks: Collection[bytes] = ()) -> None:
    """Kill all processes of the sessions, including those they start meanwhile, and wait until they are gone.

    So for the sessions of processes that have one of the marks.
    """
    begin = time.monotonic()
    settled = begin + _STARTING_SECONDS if marks else begin
    left = set(sessions)
    while (left or time.monotonic() < settled) and time.monotonic() < begin + _SECONDS:
        left = {session for session in left | _marked(marks) if kill(session)}
        if left or marks:
            select.select([], [], [], _PAUSE_SECONDS)


def _marked(marks: Collection[bytes]) -> set[int]:
    """Return the sessions of the processes that have one of the marks in their environment."""
    sessions: set[int] = set()
    for pid, environment in read_all("environ") if marks else ():
        variables = environment.split(b"\0")
        if any(b"%s=%s" % (MARK.encode(), mark) in variables for mark in marks):
            with contextlib.suppress(OSError):
                sessions.add(os.getsid(pid))
    return sessions


def read_all(name: str, proc: Path = _PROC) -> Iterator[tuple[int, bytes]]:
    """Yield each process with the content of its file `name`; one that ends meanwhile, or is hidden, is left out.

    `Path.glob` would raise for it: the file of a process that is just ending is found, and gives ESRCH.
    """
    for entry in proc.iterdir() if proc.is_dir() else ():
        if entry.name.isdigit():
            try:
                content = (entry / name).read_bytes()
            except OSError:
                continue
            yield int(entry.name), content


def _wait(channel: socket.socket, parent: int) -> tuple[set[int], set[bytes]]:
    """Read messages until the process `parent` has ended or closed its end.

    Returns the sessions that are left, and the marks of commands that were being started.
    """
    sessions: set[int] = set()
    marks: set[bytes] = set()
    held: dict[bytes, int] = {}
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    death = _pidfd(parent)
    if death is not None:
        poll.register(death, select.POLLIN)
    while True:
        dead = os.getppid() != parent or any(number == death for number, _ in poll.poll())
        while message := _message(channel, held):
            if message.startswith(b"+"):
                sessions.add(int(message[1:]))
            elif message.startswith(b"-"):
                sessions.discard(int(message[1:]))
            elif message.startswith(b"b"):
                marks.add(message[1:])
            elif message.startswith(b"e"):
                marks.discard(message[1:])
        if dead or message == b"":
            return sessions, marks


def _message(channel: socket.socket, held: dict[bytes, int]) -> bytes | None:
    """Return the next message; b"" if there will be no more, None if there is none now.

    Files to hold arrive with "h" and are closed by "f".
    """
    try:
        message, files, _, _ = socket.recv_fds(channel, _MOST_BYTES, 1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    if message.startswith(b"h"):
        held.update({message[1:]: descriptor for descriptor in files})
    elif message.startswith(b"f") and message[1:] in held:
        os.close(held.pop(message[1:]))
    return message


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:  # it is dead, or the kernel is too old
        return None


def _main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    end(*_wait(socket.socket(fileno=0), int(sys.argv[1])))


if __name__ == "__main__":
    _main()
