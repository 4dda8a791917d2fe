"""Garbage collection: decides which runs are alive, and removes what dead runs left behind."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, claims
from chaos_harness.clusters.engine.inventory import PREFIX, RUN, EngineObject, inventory, remove_until_none
from chaos_harness.clusters.engine.ports import LOOPBACK
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.gatekeeper.install import CRDS_REPOSITORY, REPOSITORY
from chaos_harness.clusters.images.catalogue import NAME
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.machine.owner import Owner, engines_of, owner_of, run_directories
from chaos_harness.clusters.machine.paths import runtime_dir
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.clusters.terminal.progress import Progress

__all__ = [
    "JOURNAL",
    "PREFIX",
    "Owner",
    "UndoJournal",
    "collect_garbage",
    "list_claimed_runs",
    "list_foreign_directories",
    "list_garbage",
    "run_directories",
]

JOURNAL = "journal.jsonl"
"""Name of the journal in a run's directory; `collect_garbage` passes its path to the undo callback."""

_SECONDS = 300.0

UndoJournal = Callable[[Path], Iterable[str]]


@dataclass(frozen=True)
class _Liveness:
    """What is known about which runs are alive: the claims in the engine, and the runs whose clusters are kept."""

    register: claims.Register
    kept: frozenset[str]

    @classmethod
    def of(cls, engine: Engine, things: Iterable[EngineObject], deadline: Deadline) -> "_Liveness":
        """Read the claims after `things` were listed: a run claims the engine before it creates anything."""
        register = claims.read_register(engine, deadline)
        kept = {thing.labels[RUN] for thing in things if f"{PREFIX}.keep" in thing.labels}
        return cls(register, frozenset(run for run in kept if not _is_kept_too_long(register.of(run))))

    def dead(self, owner: Owner, directory: Path | None = None) -> bool:
        """Whether nothing shows that a run is alive.

        The visible process decides first, then the run's claims. A run without claims (of an earlier version) is judged
        by the time in its owner's labels or file. For a pooled run, its private directory names the owner, if it can be
        read: the labels name the process that created the cluster, which may have ended.
        """
        if owner.run in self.kept or owner.run in claims.held_runs():
            return False
        now = owner_of(directory) if owner.is_pooled and directory else None if owner.is_pooled else owner
        seen = now.is_running() if now else None
        if seen is not None:
            return not seen
        standing = self.register.of(owner.run)
        if standing:
            return not any(claim.alive() for claim in standing)
        return not (now or _judged_by_time(owner)).alive()

    def abandoned(self, owner: Owner) -> bool:
        """Whether the clusters of a run are kept, and nothing shows that its process could still heal them."""
        if owner.run not in self.kept or owner.run in claims.held_runs():
            return False
        seen = owner.is_running()
        if seen is None:
            seen = any(claim.alive() for claim in self.register.of(owner.run) if not claim.keep)
        return not seen


def collect_garbage(
    engine: Engine,
    *,
    everything: bool = False,
    progress: Progress | None = None,
    undo: UndoJournal | None = None,
) -> list[str]:
    """Remove what dead runs left behind; return the removed things as text.

    First `undo` gets the journals of dead runs, so that faults on nodes and containers are undone before anything
    disappears, and of killed runs whose clusters are kept, so that those are not kept broken. Then containers, networks
    and volumes of dead runs are removed, then their private directories (unless they name another engine), then their
    claims. Kept things stay while their claim is valid. `everything` also removes kept things and those of live runs.
    Nothing without our label is touched. Only one process collects at a time.

    Raises HarnessError if something cannot be removed, after everything else was.
    """
    progress = progress or Progress.quiet()
    deadline = Deadline.after(_SECONDS, "the removal of what dead runs left behind")
    with _exclusive_lock(deadline), progress.step("remove what dead runs left behind") as step:
        runs = [(path, owner) for path, owner in run_directories() if not _belongs_to_other_engine(path, engine)]
        living = _Liveness.of(engine, inventory(engine, deadline), deadline)
        directories = [path for path, owner in runs if everything or living.dead(owner, path)]
        removed: list[str] = []
        problems: list[str] = []
        for path, owner in runs:
            if undo and path not in directories and living.abandoned(owner):
                problems += _undo_in(path, undo, removed)
        unhealed = {
            directory: noted for directory in directories if undo and (noted := _undo_in(directory, undo, removed))
        }

        def doomed() -> list[EngineObject]:
            things = _dead_things(engine, deadline, everything=everything)
            step.detail = ", ".join(thing.name for thing in things[:1])
            for thing in things:
                with _collect_errors(problems):
                    removed.extend(_remove_pushed_tags(engine, thing, deadline))
            return things

        gone, refused = remove_until_none(engine, doomed, deadline)
        removed += gone
        problems += refused
        for directory in sorted(unhealed):  # what a stopped container kept is gone with it now
            left = _undo_in(directory, undo, removed) if undo else []
            problems += left
            if not left:
                removed += [f"what was left of {directory.name}: {problem}" for problem in unhealed.pop(directory)]
        for directory in sorted(set(directories) - set(unhealed)):
            with _collect_errors(problems):
                remove_folder(directory)
                removed.append(f"directory {directory}")
        with _collect_errors(problems):
            _remove_claims(engine, deadline, everything=everything)
        step.detail = f"{len(removed)} removed"
        if problems:
            told_once = dict.fromkeys(problems)
            raise HarnessError("\n".join(["garbage is left:", *told_once, f"`{command_line('gc')}` tries again"]))
    return removed


def _undo_in(directory: Path, undo: UndoJournal, removed: list[str]) -> list[str]:
    """Undo all journals of a run, each independently of the others; return the errors."""
    noted: list[str] = []
    with _collect_errors(noted):
        for journal in sorted(directory.rglob(JOURNAL)):
            with _collect_errors(noted):
                removed += [f"undone: {change}" for change in undo(journal)]
    return noted


def list_garbage(engine: Engine, deadline: Deadline) -> list[EngineObject]:
    """Return what `collect_garbage` would remove from the engine. Raises CommandFailed if that does not answer."""
    return _dead_things(engine, deadline)


def list_claimed_runs(engine: Engine, deadline: Deadline) -> list[str]:
    """Return the runs that hold a claim in the engine, of all users."""
    register = claims.read_register(engine, deadline)
    return sorted({claim.owner.run for claim in register.claims if claim.alive()})


def list_foreign_directories(engine: Engine) -> list[Path]:
    """Return the private directories of runs that used another engine; a collection on this one keeps them."""
    return [path for path, _ in run_directories() if _belongs_to_other_engine(path, engine)]


def _dead_things(engine: Engine, deadline: Deadline, *, everything: bool = False) -> list[EngineObject]:
    things = inventory(engine, deadline)
    if everything or not things:
        return things
    living = _Liveness.of(engine, things, deadline)
    return [thing for thing in things if living.dead(Owner.from_labels(thing.labels), _directory(thing))]


def _directory(thing: EngineObject) -> Path | None:
    """Return the private directory of the run that a thing's labels name, wherever it is."""
    named = thing.labels.get(f"{PREFIX}.directory")
    return Path(named).parent if named else None


def _judged_by_time(owner: Owner) -> Owner:
    """Return the owner without its process, so that only its expiry time counts."""
    return Owner(owner.run, 0, "", "", owner.expires)


def _is_kept_too_long(standing: list[claims.RunClaim]) -> bool:
    """Whether the clusters were kept for their user and that time is over."""
    kept = [claim for claim in standing if claim.keep]
    return bool(kept) and all(claim.expired for claim in kept)


def _belongs_to_other_engine(directory: Path, engine: Engine) -> bool:
    return bool(engines_of(directory) - {engine.id})


def _remove_claims(engine: Engine, deadline: Deadline, *, everything: bool) -> None:
    """Remove the claims of dead runs, and claims for kept clusters that no longer exist."""
    standing = claims.read_register(engine, deadline).claims
    left = {thing.labels[RUN] for thing in inventory(engine, deadline)}
    for claim in standing:
        over = claim.owner.run not in left and (claim.owner.pid == 0 or not claim.alive())
        if (everything or over) and claim.owner.run not in claims.held_runs():
            engine.run(["volume", "rm", claim.name], deadline, check=False)


@contextlib.contextmanager
def _exclusive_lock(deadline: Deadline) -> Iterator[None]:
    """Collect alone. Raises HarnessError if files of another user cannot be read."""
    try:
        with hold_lock("garbage", deadline):
            yield
    except PermissionError as error:
        raise HarnessError(
            f"{error}: expected this user's own files below {runtime_dir()}; what root left there goes by "
            f"`sudo chown -R {os.geteuid()} {runtime_dir()}`"
        ) from error


@contextlib.contextmanager
def _collect_errors(problems: list[str]) -> Iterator[None]:
    """Append the errors of the block to `problems`, so that one journal or directory does not stop the others."""
    try:
        yield
    except HarnessError as error:
        problems.append(str(error))
    except Exception as error:  # noqa: BLE001 - bytes of others; reported with all other problems
        problems.append(f"{type(error).__name__}: {error}")


def _remove_pushed_tags(engine: Engine, thing: EngineObject, deadline: Deadline) -> list[str]:
    """Remove the tags that were put on our images to push them to the registry `thing`.

    Ports are used again, so the tag alone proves nothing: it is ours if it has the form of a push and its image has
    another name of ours.
    """
    removed = []
    for port in thing.host_ports:
        for repository in (REPOSITORY, CRDS_REPOSITORY):
            name = f"{LOOPBACK}:{port}/{repository}"
            listing = ["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={name}"]
            for tag in engine.run(listing, deadline).stdout.split():
                names = engine.run(
                    ["inspect", "--type", "image", "--format", "{{.RepoTags}}", tag], deadline, check=False
                )
                if any(alias.startswith(f"{NAME}/") for alias in names.stdout.strip().strip("[]").split()):
                    done = engine.run(["rmi", "--no-prune", tag], deadline, check=False)
                    removed += [] if done.returncode else [f"image name {tag}"]
    return removed
