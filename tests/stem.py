"""Stem: a process that stays as it was when it was forked, and forks the workers of xdist that a session asks for.

A worker of `python -c` imports all that the session has imported once more, for half a second of processor.
"""

import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from execnet import gateway_io
from execnet.gateway_base import Popen2IO

__all__ = ["fork_workers"]

_MOST_BYTES = 2**20  # of an environment and the name of a directory


class Worker:
    """What execnet and the plugin ask of the Popen of a worker."""

    def __init__(self, pid: int, stdin: int, stdout: int) -> None:
        self.pid = pid
        self.stdin, self.stdout = os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb")
        self._end = os.pidfd_open(pid)  # the stem reaps nobody meanwhile: the number is still this worker's

    def poll(self) -> int | None:
        """Return None while it runs; how it ended only its parent is told."""
        return 0 if select.select([self._end], [], [], 0)[0] else None

    def wait(self) -> int:
        select.select([self._end], [], [])
        return 0

    def kill(self) -> None:
        signal.pidfd_send_signal(self._end, signal.SIGKILL)


def fork_workers() -> None:
    """Have execnet fork the workers of this process' session from what it is now, and not start them."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        _serve(theirs)
    theirs.close()

    def begin(io: Any, _command: list[str], execmodel: Any) -> None:
        io.popen = _ask(ours)
        Popen2IO.__init__(io, io.popen.stdin, io.popen.stdout, execmodel=execmodel)

    gateway_io.Popen2IOMaster.__init__ = begin  # type: ignore[assignment, method-assign]


def _ask(stem: socket.socket) -> Worker:
    (stdin, orders), (answers, stdout) = os.pipe(), os.pipe()
    wanted = json.dumps({"environment": dict(os.environ), "place": str(Path.cwd())})
    socket.send_fds(stem, [wanted.encode()], [stdin, stdout, 2])
    os.close(stdin)
    os.close(stdout)
    return Worker(int(stem.recv(20)), orders, answers)


def _serve(asked: socket.socket) -> NoReturn:
    while True:
        wanted, streams, _, _ = socket.recv_fds(asked, _MOST_BYTES, 3)
        if not wanted:  # the session is over
            with suppress(ChildProcessError):
                while True:
                    os.wait()
            os._exit(0)
        if (pid := os.fork()) == 0:
            asked.close()
            _work(json.loads(wanted), streams)
        for stream in streams:
            os.close(stream)
        asked.sendall(str(pid).encode())


def _work(wanted: Any, streams: list[int]) -> NoReturn:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    os.chdir(wanted["place"])
    sys.stdin, sys.stdout = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rw"))
    try:
        exec(gateway_io.popen_bootstrapline, {"__name__": "__main__"})  # noqa: S102  # what the Popen would run
    finally:
        os._exit(0)
