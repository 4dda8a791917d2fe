"""Traces: a journal of changes to this machine; the old value is on disk before a change is made.

The journal is at one place for the whole machine, whatever HOME and XDG_* are, since the changed settings exist only
once, too. One line records a change, a later one that it was undone; a line that was cut off is ignored. A `volatile`
change is undone by a reboot.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.boot import boot_id
from chaos_harness.clusters.machine.try_all import raise_first

__all__ = ["CHAIN", "HOME", "SYSCTL", "Trace", "pending", "put_back", "record"]

HOME = Path("/var/lib/chaos-harness")
"""Root's folder for the journal, and for locks that exist once on the machine (mode 0700)."""

SYSCTL, CHAIN = "sysctl", "iptables chain"
"""Kinds of which there are many: a value below /proc/sys, a chain of the firewall."""

_SECONDS = 120.0


@dataclass(frozen=True)
class Trace:
    """One change of `what`, from `before` to `after`, as long as `holder` needs it."""

    id: str
    what: str
    before: str
    after: str
    holder: str
    boot: str
    """The boot of the machine that the change does not outlive; "" if it outlives all."""

    @property
    def kind(self) -> str:
        """What sort of thing is changed: SYSCTL, CHAIN, or all of `what` if there is only one of its kind."""
        return next((kind for kind in (SYSCTL, CHAIN) if self.what.startswith(f"{kind} ")), self.what)

    @property
    def name(self) -> str:
        """Which one of its kind is changed; "" if there is only one."""
        return self.what.removeprefix(self.kind).removeprefix(" ")


def record(kind: str, name: str = "", *, before: str, after: str, holder: str, volatile: bool = True) -> None:
    """Record, with fsync, that the thing of this kind and name is about to be changed; once for each holder.

    If another holder has changed it already, the value from before that is restored in the end. Raises HarnessError if
    it cannot be written: then nothing may be changed.
    """
    what, boot = f"{kind} {name}".strip(), boot_id() if volatile else ""
    try:
        with _journal() as handle:
            others = [trace for trace in _open(handle) if trace.what == what]
            if any(other.holder == holder for other in others):
                return
            first = others[0].before if others else before
            trace = Trace(secrets.token_hex(8), what, first, after, holder, boot)
            _append(handle, dataclasses.asdict(trace))
    except OSError as error:
        raise HarnessError(
            f"{_file()}: expected to record the value of {what} before it is changed: {error}; "
            f"`ls -ld {HOME}; df {HOME}` shows why"
        ) from error


def pending() -> list[Trace]:
    """Return the changes that were not undone yet, oldest first. Raises HarnessError if the journal cannot be read."""
    if not _file().exists():
        return []
    try:
        with _journal() as handle:
            return _open(handle)
    except OSError as error:
        raise HarnessError(f"{_file()}: expected the journal of this machine: {error}; `ls -l` it") from error


def put_back(holder: str, undo: Callable[[Trace], bool]) -> list[str]:
    """Pass each change of `holder` to `undo`, latest first; return what was restored, as text.

    A change that another holder made, too, stays until that holder puts it back. `undo` returns whether the change is
    undone; if it is not, or `undo` raises, it stays in the journal. All are tried, then the first error is raised.
    """
    if not _file().exists():
        return []
    done, errors = [], []
    with _journal() as handle:
        for trace in reversed([change for change in _open(handle) if change.holder == holder]):
            shared = any(other.what == trace.what for other in _open(handle) if other.holder != holder)
            try:
                gone = shared or undo(trace)
            except (HarnessError, OSError) as error:
                errors.append(error)
                continue
            if gone:
                _append(handle, {"done": trace.id})
                done += [] if shared else [trace.what]
        if not _open(handle):
            os.ftruncate(handle, 0)
    raise_first(errors)
    return done


def _file() -> Path:
    return HOME / "changes.jsonl"


@contextlib.contextmanager
def _journal() -> Iterator[int]:
    """Hold the journal's lock during the block."""
    HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    HOME.chmod(0o700)
    handle = os.open(_file(), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        for _ in (deadline := Deadline.after(_SECONDS, f"the journal {_file()}")).attempts():
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        else:
            raise deadline.error("another process holds it")
        yield handle
    finally:
        os.close(handle)


def _open(handle: int) -> list[Trace]:
    """Return the changes that are still in effect; those that a reboot undid are left out."""
    traces: dict[str, Trace] = {}
    boot = boot_id()
    for line in os.pread(handle, os.fstat(handle).st_size, 0).decode(errors="replace").splitlines():
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            fields = json.loads(line)
            if not isinstance(fields, dict) or not all(isinstance(field, str) for field in fields.values()):
                continue
            if "done" in fields:
                traces.pop(fields["done"], None)
            else:
                trace = Trace(**fields)
                traces[trace.id] = trace
    return [trace for trace in traces.values() if trace.boot in ("", boot)]


def _append(handle: int, entry: dict[str, str]) -> None:
    size = os.fstat(handle).st_size
    torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
    data = ("\n" if torn else "").encode() + json.dumps(entry).encode() + b"\n"
    if os.write(handle, data) != len(data):
        raise OSError("the disk is full")
    os.fsync(handle)
    if not size:
        parent = os.open(HOME, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
