"""Interrupts: Ctrl-C, SIGTERM and a closed terminal stop a run once, and never interrupt clean-up."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FrameType
from typing import Any, TypeVar

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline

__all__ = ["announce_cleanup", "defer_interrupts", "end_uninterrupted", "exit_uninterrupted", "install_handlers"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STDERR = 2
_Entered = TypeVar("_Entered")


class _Run:
    """State of interrupts in this process; signals reach the main thread only."""

    def __init__(self) -> None:
        self.installed = False
        self.stopped = False
        self.noted = False
        self.depth = 0
        self.pending: list[tuple[str, float | Deadline]] = []
        self.descriptor = _STDERR


_run = _Run()


def install_handlers(descriptor: int = _STDERR) -> Callable[[], None]:
    """Raise KeyboardInterrupt in the main thread at the first SIGINT, SIGTERM or SIGHUP; return what undoes that.

    A later signal raises nothing: a line on the file `descriptor` says what still runs, for how long at most, and how
    to stop it. Ignored SIGHUP and SIGINT stay ignored (`nohup`, a shell's background job). Outside the main thread
    nothing changes.
    """
    if not _in_main_thread():
        return lambda: None
    before = _set_handlers(_stop)
    descriptor_before, _run.descriptor = _run.descriptor, descriptor
    _run.installed, _run.stopped = True, False

    def restore() -> None:
        _run.descriptor, _run.installed, _run.stopped = descriptor_before, False, False
        _restore_handlers(before)

    return restore


@contextmanager
def announce_cleanup(what: str, seconds: float) -> Iterator[None]:
    """Register that the block is followed by `what`, which takes up to `seconds`; an interrupt prints that."""
    entry = (what, seconds)
    if _in_main_thread():
        _run.pending.append(entry)
    try:
        yield
    finally:
        if _in_main_thread() and entry in _run.pending:
            _run.pending.remove(entry)


@contextmanager
def defer_interrupts(what: str, seconds: float) -> Iterator[None]:
    """Run the block to its end whatever signal comes, and raise KeyboardInterrupt afterwards if one came.

    A signal prints `what` the block does and how many `seconds` it takes at most. An interrupt that is already being
    handled is not raised again. In other threads, which signals do not reach, the block just runs.
    """
    if not _in_main_thread():
        yield
        return
    before = {} if _run.depth else _set_handlers(_note_interrupt)
    entry = (what, Deadline.after(seconds, what))
    _run.depth += 1
    _run.pending.append(entry)
    try:
        yield
    finally:
        _run.pending.remove(entry)
        _run.depth -= 1
        if not _run.depth:
            _restore_handlers(before)
            noted, _run.noted = _run.noted, False
            _run.stopped = _run.stopped and _run.installed
            if noted:
                raise KeyboardInterrupt


@contextmanager
def exit_uninterrupted(context: AbstractContextManager[_Entered], what: str, seconds: float) -> Iterator[_Entered]:
    """Enter `context` for the block; its exit, which does `what` within `seconds`, runs with deferred interrupts."""
    shield = ExitStack()
    with announce_cleanup(what, seconds), ExitStack() as stack:
        stack.push(shield)
        value = stack.enter_context(context)
        stack.callback(
            lambda: shield.enter_context(defer_interrupts(what, seconds))
        )  # first of what is done at the end
        yield value


def end_uninterrupted(end: Callable[[], None], what: str, seconds: float) -> AbstractContextManager[Any]:
    """Return a block after which `end` runs in any case, and does `what` within `seconds` with deferred interrupts."""
    stack = ExitStack()
    stack.callback(end)
    return exit_uninterrupted(stack, what, seconds)


def _stop(_number: int, _frame: FrameType | None) -> None:
    if _run.stopped:
        _write_status()
        return
    _run.stopped = True
    raise KeyboardInterrupt


def _note_interrupt(_number: int, _frame: FrameType | None) -> None:
    if not _run.stopped:
        _run.stopped = _run.noted = True
    _write_status()


def _write_status() -> None:
    """Write without any lock or buffer: the interrupted code may hold them."""
    doing = ", then ".join(what for what, _ in reversed(_run.pending)) or "clean-up"
    seconds = sum(left.remaining if isinstance(left, Deadline) else left for _, left in _run.pending)
    limit = f", for {seconds:.0f} s at most" if seconds else ""
    text = (
        f"\ninterrupted: still running{limit}: {doing}\nto stop it at once type: kill -9 {os.getpid()}; "
        f"{command_line('gc')}\n"
    )
    with contextlib.suppress(OSError):
        os.write(_run.descriptor, text.encode("ascii", "replace"))


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _set_handlers(handler: Callable[[int, FrameType | None], Any]) -> dict[signal.Signals, Any]:
    """Set `handler` for the signals and return the previous handlers. Signals that the shell ignores stay ignored."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    kept = {number for number in (signal.SIGINT, signal.SIGHUP) if before[number] is signal.SIG_IGN}
    for number in before.keys() - kept:
        signal.signal(number, handler)
    return before


def _restore_handlers(before: dict[signal.Signals, Any]) -> None:
    for number, handler in before.items():
        if handler is not None:  # None: not set by Python, so it cannot be set again
            signal.signal(number, handler)
