"""Locks between processes of this machine; a lock is free when its holder and the holder's commands have ended."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.guardian import keep_open
from chaos_harness.clusters.machine.paths import runtime_dir

__all__ = ["give_up_locks", "hold_lock", "try_lock"]

_NEVER = threading.Event()


class _Waiting(threading.local):
    ending: threading.Event = _NEVER


_waiting = _Waiting()


@contextmanager
def try_lock(name: str) -> Iterator[bool]:
    """Take the lock `name` if it is free, hold it during the block, and yield whether it was free."""
    handle = os.open(runtime_dir("locks") / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            with keep_open(handle):
                try:
                    yield True
                finally:
                    fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


@contextmanager
def give_up_locks(ending: threading.Event) -> Iterator[None]:
    """In the block this thread waits for no lock once `ending` is set: an interrupt reaches the main thread only."""
    before, _waiting.ending = _waiting.ending, ending
    try:
        yield
    finally:
        _waiting.ending = before


@contextmanager
def hold_lock(name: str, deadline: Deadline) -> Iterator[None]:
    """Hold the lock `name` during the block.

    Raises DeadlineExceeded if another process holds it until the deadline, HarnessError if this thread is to wait no
    more (see `give_up_locks`).
    """
    for _ in deadline.attempts():
        with try_lock(name) as taken:
            if taken:
                yield
                return
        if _waiting.ending.is_set():
            raise HarnessError(f"interrupted while another process held the lock {name}")
    raise deadline.error(f"another process holds the lock {name}")
