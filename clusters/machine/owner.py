"""Owner: the process of a run, the directory that names it, and what can be known of its life from here."""

import contextlib
import json
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.machine.boot import boot_id
from chaos_harness.clusters.machine.paths import runtime_dir
from chaos_harness.clusters.machine.process_starts import start_time, stat_fields

__all__ = ["FROZEN_SECONDS", "PREFIX", "RUN", "Owner", "engines_of", "owner_of", "process_view", "run_directories"]

PREFIX = "chaos-harness"
RUN = f"{PREFIX}.run"
"""The label without which nothing is ours."""

FROZEN_SECONDS = 6 * 3600
"""How long a frozen cluster waits to be leased."""

_OWNER_FILE = "owner.json"
_WHERE_FILE = "where.json"
_UNFINISHED = ".unfinished-"
_FIELDS = {"run": str, "pid": int, "start": str, "boot_id": str, "expires": int}
_RUNS = "runs"
_RUN_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?")
_RUN_SECONDS = 6 * 3600
_CLAIM_SECONDS = 60.0
_POOLED = "pool-"
_NOBODY = "frozen"
_LARGEST = 2**53
_MOST_BYTES = 1 << 16


def process_view() -> str:
    """Return what identifies this process's PID namespace and clock; "" if nothing does.

    Two processes with the same view in the same boot mean the same process by the same PID and start time.
    """
    try:
        return " ".join(str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("pid", "time"))
    except OSError:
        return ""


@dataclass(frozen=True)
class Owner:
    """The run that owns something: its name, its process, and when it expires (unix seconds) if nothing else is known.

    A cluster of the pool outlives the process that created it, and labels cannot be changed. So it is the only cluster
    of a run of its own (`pooled`), whose owner is named by the run's private directory and its claim in the engine: the
    process that creates or leases it, or, for some hours, nobody while it stands frozen.
    """

    run: str
    pid: int
    start: str
    boot_id: str
    expires: int
    view: str = ""

    @classmethod
    def mine(cls, run: str | None = None, lifetime_seconds: float = _RUN_SECONDS) -> Self:
        """Return this process as an owner; a run without a name gets one.

        `lifetime_seconds` counts if nothing else is known: the process is not visible and the engine holds no claim.
        Raises BadScenario if the name cannot be part of a host name.
        """
        run = run or f"{time.strftime('%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        if not _RUN_NAME.fullmatch(run):
            raise BadScenario(f"run name {run!r}: expected at most 24 lower-case letters, digits and inner hyphens")
        return cls(
            run, os.getpid(), start_time("self"), _boot_id(), int(time.time() + lifetime_seconds), process_view()
        )

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Self:
        """Return the owner in `labels`; if some are missing, an owner that is not alive."""
        pid, expires = (labels.get(f"{PREFIX}.{name}", "") for name in ("owner-pid", "expires"))
        return cls(
            run=labels[RUN],
            pid=_number(pid),
            start=labels.get(f"{PREFIX}.owner-start", ""),
            boot_id=labels.get(f"{PREFIX}.boot-id", ""),
            expires=_number(expires),
            view=labels.get(f"{PREFIX}.owner-view", ""),
        )

    @classmethod
    def of_pool(cls) -> Self:
        """Return this process as the owner of a new run for one cluster of the pool."""
        return cls.mine(f"{_POOLED}{secrets.token_hex(4)}")

    @classmethod
    def nobody(cls, run: str) -> Self:
        """Return the owner of a frozen cluster, of the pooled `run`: alive without a process until it expires."""
        return cls(run, 0, _NOBODY, _boot_id(), int(time.time() + FROZEN_SECONDS))

    @property
    def is_pooled(self) -> bool:
        """Whether the run holds a cluster of the pool."""
        return self.run.startswith(_POOLED)

    @property
    def is_frozen(self) -> bool:
        """Whether its cluster is frozen and waits to be leased; a frozen cluster does not survive a reboot."""
        return self.start == _NOBODY and self.boot_id == _boot_id() and self.alive()

    def labels(self, *, keep: bool = False) -> dict[str, str]:
        """Return the labels for everything this owner creates; `keep` exempts it from garbage collection."""
        return {
            RUN: self.run,
            f"{PREFIX}.owner-pid": str(self.pid),
            f"{PREFIX}.owner-start": self.start,
            f"{PREFIX}.owner-view": self.view,
            f"{PREFIX}.boot-id": self.boot_id,
            f"{PREFIX}.expires": str(self.expires),
            **({f"{PREFIX}.keep": "1"} if keep else {}),
        }

    def is_running(self) -> bool | None:
        """Whether the owning process runs; None if this process cannot know.

        Another boot ID may be another machine that shares the engine, another view another namespace: the process may
        run there. A process that is hidden (`hidepid`) still answers to a signal 0.
        """
        if self.pid <= 0 or self.start in ("", _NOBODY) or not self.boot_id or self.boot_id != _boot_id():
            return None
        start = start_time(self.pid)
        if start == self.start:
            return True
        if not self.view or self.view != process_view() or not _is_own_proc():
            return None
        return False if start or _is_zombie(self.pid) or not _exists(self.pid) else None

    def alive(self) -> bool:
        """Whether the owning process runs; if that cannot be known, whether the owner has not expired.

        A frozen cluster's owner (`nobody`) counts as expired, too, if the clock was set back: then its age is unknown.
        """
        running = self.is_running()
        left = self.expires - time.time()
        return 0 < left <= (FROZEN_SECONDS if self.start == _NOBODY else left) if running is None else running

    def claim(self, engine: str = "") -> Path:
        """Create the run's private directory (mode 0700), which names this owner and its engine; return it.

        It holds kubeconfigs and the journal; `engine` is the ID of the engine whose garbage collector may remove it,
        when the owner is dead.
        """
        directory = runtime_dir(_RUNS) / self.run
        if not directory.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=directory.parent))
            self._write(unfinished, engine)
            with contextlib.suppress(OSError):  # made by another thread meanwhile
                unfinished.rename(directory)
        self._write(directory, engine)
        return directory

    def _write(self, directory: Path, engine: str) -> None:
        """Write the owner in the format of earlier versions, and beside it the fields that those do not know."""
        engines = sorted({*engines_of(directory), *([engine] if engine else [])})
        where = {"pid": self.pid, "start": self.start, "view": self.view, "engines": engines}
        fields = {name: getattr(self, name) for name in _FIELDS}
        for name, text in ((_WHERE_FILE, json.dumps(where)), (_OWNER_FILE, json.dumps(fields))):
            handle, unfinished = tempfile.mkstemp(prefix=f".{name}-", dir=directory)
            with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is open already
                file.write(text)
            Path(unfinished).rename(directory / name)


def run_directories() -> Iterator[tuple[Path, Owner]]:
    """Yield the private directory of every run of this user, with its owner.

    A directory without an owner file of ours is not ours, and neither is anything behind a link. An owner that cannot
    be read counts as alive as long as a run that wrote its file last.
    """
    runs = runtime_dir(_RUNS)
    for path in [] if runs.is_symlink() else sorted(runs.iterdir()):
        if path.is_symlink() or not path.is_dir():
            continue
        with contextlib.suppress(OSError):  # another user's, or gone meanwhile
            written = (path / _OWNER_FILE).stat().st_mtime
            if path.name.startswith(_UNFINISHED):
                if time.time() - written > _CLAIM_SECONDS:
                    yield path, Owner(path.name, 0, "", "", 0)
            else:
                yield path, owner_of(path) or Owner(path.name, 0, "", "", int(written + _RUN_SECONDS))


def owner_of(directory: Path) -> Owner | None:
    """Return the owner named by a run's private directory; None if it cannot be read from here."""
    fields = _read(directory / _OWNER_FILE)
    if any(type(fields.get(name)) is not kind for name, kind in _FIELDS.items()):
        return None
    if any(isinstance(field, int) and abs(field) > _LARGEST for field in fields.values()):
        return None
    where = _read(directory / _WHERE_FILE)
    same = (where.get("pid"), where.get("start")) == (fields["pid"], fields["start"])  # written one after the other
    seen_from = where.get("view") if same else ""
    known = {name: fields[name] for name in _FIELDS}
    return Owner(**{**known, "run": directory.name}, view=seen_from if isinstance(seen_from, str) else "")


def engines_of(directory: Path) -> frozenset[str]:
    """Return the IDs of the engines on which the directory's run made anything; earlier versions name none."""
    named = _read(directory / _WHERE_FILE).get("engines")
    return frozenset(engine for engine in named if isinstance(engine, str)) if isinstance(named, list) else frozenset()


def _read(path: Path) -> dict[str, Any]:
    """Return the fields of a small file of ours; empty if it cannot be read or has another format.

    A label may name any file: one that is not a regular file, or has no end, is not waited for.
    """
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            fields = json.loads(file.read(_MOST_BYTES)) if plain else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _number(text: str) -> int:
    """Return the number in a label; 0 if no process or moment can have it."""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else 0


def _boot_id() -> str:
    try:
        return boot_id()
    except OSError:
        return ""


def _is_own_proc() -> bool:
    """Whether /proc shows the processes of this process's own namespace, not those of its parent."""
    try:
        return str(Path("/proc/self").readlink()) == str(os.getpid())
    except OSError:
        return False


def _is_zombie(pid: int) -> bool:
    try:
        return stat_fields(Path(f"/proc/{pid}/stat").read_text(errors="replace"))[0] in "ZX"
    except OSError:
        return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True
