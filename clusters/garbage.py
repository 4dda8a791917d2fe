"""Ownership: which runs live, as far as anybody can know, and the collection of what dead ones left behind."""

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
    "collect_garbage",
    "list_claimed_runs",
    "list_foreign_directories",
    "list_garbage",
    "run_directories",
]

JOURNAL = "journal.jsonl"
"""Name of the file below a run's directory that the undo callback of `collect_garbage` is given."""

_SECONDS = 300.0

UndoJournal = Callable[[Path], Iterable[str]]


@dataclass(frozen=True)
class _Liveness:
    """Whose life is known, and how: the claims in the engine, and the runs whose clusters are kept."""

    register: claims.Register
    kept: frozenset[str]

    @classmethod
    def of(cls, engine: Engine, things: Iterable[EngineObject], deadline: Deadline) -> "_Liveness":
        """Ask the engine, after `things` were listed: what was made by then was claimed before it was made."""
        register = claims.read_register(engine, deadline)
        kept = {thing.labels[RUN] for thing in things if f"{PREFIX}.keep" in thing.labels}
        return cls(register, frozenset(run for run in kept if not _is_kept_too_long(register.of(run))))

    def dead(self, owner: Owner, directory: Path | None = None) -> bool:
        """Whether nothing speaks for the life of a run.

        What is seen of its process decides; then its claims; then, of a run without any, as one of an earlier
        version, the time that its owner's labels or file name. For a pooled run its private directory names the
        owner, where it can be read: the labels name who made the cluster, who may be dead by rights.
        """
        if owner.run in self.kept or owner.run in claims.held_runs():
            return False
        now = owner_of(directory) if owner.pooled and directory else None if owner.pooled else owner
        seen = now.seen() if now else None
        if seen is not None:
            return not seen
        standing = self.register.of(owner.run)
        if standing:
            return not any(claim.alive() for claim in standing)
        return not (now or _judged_by_time(owner)).alive()


def collect_garbage(
    engine: Engine,
    *,
    everything: bool = False,
    progress: Progress | None = None,
    undo: UndoJournal | None = None,
) -> list[str]:
    """Remove what dead runs left behind and return what was removed, in words.

    Journals of dead runs are given to `undo` first: what they broke on nodes and containers is healed
    before anything disappears. Then containers, networks and volumes with their labels go, then their private
    directories, as far as they name no other engine, then their claims. Things labelled keep stay while their claim
    stands, unless `everything`, which also takes what live runs own. Nothing without our label is touched.
    Collections take turns, across processes.

    Raises HarnessError when something cannot be removed, after everything else was.
    """
    progress = progress or Progress.quiet()
    deadline = Deadline.after(_SECONDS, "the removal of what dead runs left behind")
    with _exclusive_lock(deadline), progress.step("remove what dead runs left behind") as step:
        runs = [(path, owner) for path, owner in run_directories() if not _belongs_to_other_engine(path, engine)]
        living = _Liveness.of(engine, inventory(engine, deadline), deadline)
        directories = [path for path, owner in runs if everything or living.dead(owner, path)]
        removed: list[str] = []
        problems: list[str] = []
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
    """Undo what the journals of a run hold, each of them whatever becomes of the others; return what went wrong."""
    noted: list[str] = []
    with _collect_errors(noted):
        for journal in sorted(directory.rglob(JOURNAL)):
            with _collect_errors(noted):
                removed += [f"undone: {change}" for change in undo(journal)]
    return noted


def list_garbage(engine: Engine, deadline: Deadline) -> list[EngineObject]:
    """Return what a collection would remove from the engine; raise CommandFailed when it does not answer."""
    return _dead_things(engine, deadline)


def list_claimed_runs(engine: Engine, deadline: Deadline) -> list[str]:
    """Return the runs whose claims stand in the engine, this user's and all others'."""
    register = claims.read_register(engine, deadline)
    return sorted({claim.owner.run for claim in register.claims if claim.alive()})


def list_foreign_directories(engine: Engine) -> list[Path]:
    """Return the private directories of runs that no collector of this engine settles: they were on another one."""
    return [path for path, _ in run_directories() if _belongs_to_other_engine(path, engine)]


def _dead_things(engine: Engine, deadline: Deadline, *, everything: bool = False) -> list[EngineObject]:
    things = inventory(engine, deadline)
    if everything or not things:
        return things
    living = _Liveness.of(engine, things, deadline)
    return [thing for thing in things if living.dead(Owner.from_labels(thing.labels), _directory(thing))]


def _directory(thing: EngineObject) -> Path | None:
    """Return the private directory of the run that a thing's labels name, wherever that is."""
    named = thing.labels.get(f"{PREFIX}.directory")
    return Path(named).parent if named else None


def _judged_by_time(owner: Owner) -> Owner:
    """Return an owner of whom nothing counts but the time that he names."""
    return Owner(owner.run, 0, "", "", owner.expires)


def _is_kept_too_long(standing: list[claims.RunClaim]) -> bool:
    """Whether clusters were kept for their user, for a time that is up."""
    kept = [claim for claim in standing if claim.keep]
    return bool(kept) and all(claim.expired for claim in kept)


def _belongs_to_other_engine(directory: Path, engine: Engine) -> bool:
    return bool(engines_of(directory) - {engine.id})


def _remove_claims(engine: Engine, deadline: Deadline, *, everything: bool) -> None:
    """Take away the claims of dead runs, and those for clusters that stand without a process, if nothing is there."""
    standing = claims.read_register(engine, deadline).claims
    left = {thing.labels[RUN] for thing in inventory(engine, deadline)}
    for claim in standing:
        over = claim.owner.run not in left and (claim.owner.pid == 0 or not claim.alive())
        if (everything or over) and claim.owner.run not in claims.held_runs():
            engine.run(["volume", "rm", claim.name], deadline, check=False)


@contextlib.contextmanager
def _exclusive_lock(deadline: Deadline) -> Iterator[None]:
    """Collect alone; raise HarnessError where another user's files keep this one from looking."""
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
    """Note what the block raises: whatever one journal or directory holds, it keeps no other from being collected."""
    try:
        yield
    except HarnessError as error:
        problems.append(str(error))
    except Exception as error:  # noqa: BLE001 - foreign bytes; told with all other problems
        problems.append(f"{type(error).__name__}: {error}")


def _remove_pushed_tags(engine: Engine, thing: EngineObject, deadline: Deadline) -> list[str]:
    """Remove the names that images of ours were given for a push to the registry that `thing` is.

    Ports are used again: a name is ours if it is what a push makes, and its image is one of ours by another name.
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
