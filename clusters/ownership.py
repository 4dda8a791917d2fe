"""Ownership: labels that tell which run made a thing and whether that run still lives."""

import contextlib
import dataclasses
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from clusters.deadline import Deadline
from clusters.engine import Engine
from clusters.errors import BadScenario, HarnessError
from clusters.inventory import PREFIX, RUN, Thing, inventory, remove_found
from clusters.locking import locked
from clusters.paths import runtime_dir
from clusters.progress import Progress
from clusters.removal import try_remove

__all__ = ["JOURNAL", "PREFIX", "Owner", "collect_garbage", "run_directories", "start_time"]

JOURNAL = "journal.jsonl"
"""Name of the file below a run's directory that the undo callback of `collect_garbage` is given."""

_OWNER_FILE = "owner.json"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_RUN_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?")
_SECONDS = 300.0
_CLAIM_SECONDS = 60.0
_POOLED = "pool-"
_SHELF_SECONDS = 6 * 3600
_NOBODY = "frozen"
_START_FIELD = 19  # of /proc/<pid>/stat behind the command's name, see proc_pid_stat(5)

Undo = Callable[[Path], Iterable[str]]


def start_time(pid: int) -> str:
    """Return when the process `pid` started, in clock ticks since boot, or "" when there is none.

    Together with the boot id it tells a process from a later one that got the same number.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[_START_FIELD]


@dataclass(frozen=True)
class Owner:
    """The run that owns something: its name, its process, and the unix second at which its claim ends.

    A cluster of the pool outlives the process that made it, and labels cannot be changed: it is the one
    cluster of a run of its own (`pooled`), whose owner is told by the run's private directory alone. That is
    the process that makes or leases it, or nobody, for some hours, while it stands frozen on the shelf.
    """

    run: str
    pid: int
    start: str
    boot_id: str
    expires: int

    @classmethod
    def mine(cls, run: str | None = None, lifetime_seconds: float = 6 * 3600) -> Self:
        """Return the owner that this process is, for `lifetime_seconds`; a run without a name gets one.

        Raises BadScenario if the name cannot be part of a host name.
        """
        run = run or f"{time.strftime('%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        if not _RUN_NAME.fullmatch(run):
            raise BadScenario(f"run name {run!r}: expected at most 24 lower-case letters, digits and inner hyphens")
        return cls(run, os.getpid(), start_time(os.getpid()), _boot_id(), int(time.time() + lifetime_seconds))

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Self:
        """Return the owner that `labels` name; what is missing from them makes an owner that is not alive."""
        pid, expires = (labels.get(f"{PREFIX}.{name}", "") for name in ("owner-pid", "expires"))
        return cls(
            run=labels[RUN],
            pid=int(pid) if pid.isdigit() else 0,
            start=labels.get(f"{PREFIX}.owner-start", ""),
            boot_id=labels.get(f"{PREFIX}.boot-id", ""),
            expires=int(expires) if expires.isdigit() else 0,
        )

    @classmethod
    def of_pool(cls) -> Self:
        """Return the owner that this process is of a new run for one cluster of the pool."""
        return cls.mine(f"{_POOLED}{secrets.token_hex(4)}")

    @classmethod
    def nobody(cls, run: str) -> Self:
        """Return the owner of a frozen cluster, of the pooled `run`: it lives without a process until it is too old."""
        return cls(run, 0, _NOBODY, _boot_id(), int(time.time() + _SHELF_SECONDS))

    @property
    def pooled(self) -> bool:
        """Whether the run holds a cluster of the pool."""
        return self.run.startswith(_POOLED)

    @property
    def shelved(self) -> bool:
        """Whether its cluster waits to be leased."""
        return self.start == _NOBODY and self.alive()

    def labels(self, *, keep: bool = False) -> dict[str, str]:
        """Return the labels of what this owner makes; `keep` exempts it from garbage collection."""
        return {
            RUN: self.run,
            f"{PREFIX}.owner-pid": str(self.pid),
            f"{PREFIX}.owner-start": self.start,
            f"{PREFIX}.boot-id": self.boot_id,
            f"{PREFIX}.expires": str(self.expires),
            **({f"{PREFIX}.keep": "1"} if keep else {}),
        }

    def alive(self) -> bool:
        """Whether the owning process still runs, in this boot of the machine, and its time is not up.

        Nobody's time is up, too, when the clock was set back: nothing tells then how old it is.
        """
        left = self.expires - time.time()
        if left <= 0 or not self.start or self.boot_id != _boot_id():
            return False
        return left <= _SHELF_SECONDS if self.start == _NOBODY else start_time(self.pid) == self.start

    def claim(self) -> Path:
        """Make the run's private directory (mode 0700) with a file that names this owner; return it.

        It holds kubeconfigs and the journal. `collect_garbage` removes it when the owner is dead.
        """
        directory = runtime_dir("runs") / self.run
        text = json.dumps(dataclasses.asdict(self))
        if not directory.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=".", dir=directory.parent))
            (unfinished / _OWNER_FILE).write_text(text, encoding="utf-8")
            with contextlib.suppress(OSError):  # made by another thread meanwhile
                unfinished.rename(directory)
        unfinished = directory / f".{_OWNER_FILE}"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.rename(directory / _OWNER_FILE)
        return directory


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()


def run_directories() -> Iterator[tuple[Path, Owner]]:
    """Yield the private directory of every run of this user, with its owner; nobody owns what was cut off."""
    for path in sorted(runtime_dir("runs").iterdir()):
        try:
            yield path, Owner(**json.loads((path / _OWNER_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _CLAIM_SECONDS:
                    yield path, Owner(path.name, 0, "", "", 0)


def collect_garbage(
    engine: Engine,
    *,
    everything: bool = False,
    progress: Progress | None = None,
    undo: Undo | None = None,
) -> list[str]:
    """Remove what dead runs left behind and return what was removed, in words.

    Journals of dead runs are given to `undo` first: what they broke on nodes and containers is healed
    before anything disappears. Then containers, networks, volumes and images with their labels go, then
    their private directories. Things labelled keep stay, unless `everything`, which also takes what live
    runs own. Nothing without our label is touched. Collections take turns, across processes.

    Raises HarnessError when something cannot be removed, after everything else was.
    """
    progress = progress or Progress.quiet()
    deadline = Deadline.after(_SECONDS, "the removal of what dead runs left behind")
    with locked("garbage", deadline), progress.step("remove what dead runs left behind") as step:
        kept = set() if everything else _kept(inventory(engine, deadline))
        directories = [path for path, owner in run_directories() if everything or _dead(owner, kept)]
        removed: list[str] = []
        problems: list[str] = []
        unhealed = set()
        for directory in directories:
            for journal in sorted(directory.rglob(JOURNAL)) if undo else ():
                with _noting(problems) as noted:
                    removed += [f"undone: {each}" for each in undo(journal)] if undo else []
                unhealed |= {directory} if noted else set()

        def doomed() -> list[Thing]:
            things = inventory(engine, deadline)
            found = [each for each in things if everything or _dead(_owner(each), kept)]
            step.detail = ", ".join(each.name for each in found[:1])
            removed.extend(tag for each in found for tag in _pushed_tags(engine, each, deadline))
            return found

        gone, refused = remove_found(engine, doomed, deadline)
        removed += gone
        problems += refused
        for directory in set(directories) - unhealed:
            try_remove(directory)
            removed.append(f"directory {directory}")
        step.detail = f"{len(removed)} removed"
        if problems:
            raise HarnessError("\n".join(["garbage is left:", *problems, "`nox -s gc` tries again"]))
    return removed


def _kept(things: Iterable[Thing]) -> set[str]:
    return {each.labels[RUN] for each in things if f"{PREFIX}.keep" in each.labels}


def _owner(thing: Thing) -> Owner:
    """Return who owns `thing`: for a pooled one, who the directory that its labels name says, wherever that is.

    Nobody owns one whose directory is gone; one that we may not read is its user's, as the labels say.
    """
    owner = Owner.from_labels(thing.labels)
    if owner.pooled:
        with contextlib.suppress(PermissionError):
            return _told(Path(thing.labels.get(f"{PREFIX}.directory", "/nowhere")).parent)
    return owner


def _told(directory: Path) -> Owner:
    """Return the owner whom the private directory of a run names; nobody if it names none."""
    try:
        return Owner(**json.loads((directory / _OWNER_FILE).read_text(encoding="utf-8")))
    except PermissionError:
        raise
    except (OSError, ValueError, TypeError):
        return Owner(directory.name, 0, "", "", 0)


def _dead(owner: Owner, kept: set[str]) -> bool:
    return owner.run not in kept and not owner.alive()


@contextlib.contextmanager
def _noting(problems: list[str]) -> Iterator[list[str]]:
    """Note a HarnessError of the block in `problems`, and in the list that it is given."""
    noted: list[str] = []
    try:
        yield noted
    except HarnessError as error:
        noted.append(str(error))
        problems += noted


def _pushed_tags(engine: Engine, thing: Thing, deadline: Deadline) -> list[str]:
    """Remove image names that were made for a push to the registry that `thing` is; nothing else can carry its port."""
    removed = []
    for port in thing.host_ports:
        listing = ["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=127.0.0.1:{port}/*/*"]
        for name in engine.run(listing, deadline).stdout.split():
            engine.run(["rmi", "--no-prune", name], deadline, check=False)
            removed.append(f"image name {name}")
    return removed
