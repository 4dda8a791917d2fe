"""Ownership: which runs live, as far as anybody can know, and the collection of what dead ones left behind."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.checkout import typed
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, claims
from chaos_harness.clusters.engine.inventory import PREFIX, RUN, Thing, inventory, remove_found
from chaos_harness.clusters.engine.ports import LOOPBACK
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.gatekeeper.install import CRDS_REPOSITORY, REPOSITORY
from chaos_harness.clusters.images.catalogue import NAME
from chaos_harness.clusters.machine.locking import locked
from chaos_harness.clusters.machine.owner import Owner, engines_of, owner_of, run_directories
from chaos_harness.clusters.machine.paths import runtime_dir
from chaos_harness.clusters.machine.removal import remove
from chaos_harness.clusters.terminal.progress import Progress

__all__ = [
    "JOURNAL",
    "PREFIX",
    "Owner",
    "claimed",
    "collect_garbage",
    "elsewhere",
    "garbage",
    "run_directories",
]

JOURNAL = "journal.jsonl"
"""Name of the file below a run's directory that the undo callback of `collect_garbage` is given."""

_SECONDS = 300.0

Undo = Callable[[Path], Iterable[str]]


@dataclass(frozen=True)
class _Living:
    """Whose life is known, and how: the claims in the engine, and the runs whose clusters are kept."""

    register: claims.Register
    kept: frozenset[str]

    @classmethod
    def of(cls, engine: Engine, things: Iterable[Thing], deadline: Deadline) -> "_Living":
        """Ask the engine, after `things` were listed: what was made by then was claimed before it was made."""
        register = claims.register(engine, deadline)
        kept = {thing.labels[RUN] for thing in things if f"{PREFIX}.keep" in thing.labels}
        return cls(register, frozenset(run for run in kept if not _forgotten(register.of(run))))

    def dead(self, owner: Owner, directory: Path | None = None) -> bool:
        """Whether nothing speaks for the life of a run.

        What is seen of its process decides; then its claims; then, of a run without any, as one of an earlier
        version, the time that its owner's labels or file name. For a pooled run its private directory names the
        owner, where it can be read: the labels name who made the cluster, who may be dead by rights.
        """
        if owner.run in self.kept or owner.run in claims.held():
            return False
        now = owner_of(directory) if owner.pooled and directory else None if owner.pooled else owner
        seen = now.seen() if now else None
        if seen is not None:
            return not seen
        standing = self.register.of(owner.run)
        if standing:
            return not any(claim.alive() for claim in standing)
        return not (now or _by_time(owner)).alive()


def collect_garbage(
    engine: Engine,
    *,
    everything: bool = False,
    progress: Progress | None = None,
    undo: Undo | None = None,
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
    with _turn(deadline), progress.step("remove what dead runs left behind") as step:
        runs = [(path, owner) for path, owner in run_directories() if not _of_another(path, engine)]
        living = _Living.of(engine, inventory(engine, deadline), deadline)
        directories = [path for path, owner in runs if everything or living.dead(owner, path)]
        removed: list[str] = []
        problems: list[str] = []
        unhealed = {
            directory: noted for directory in directories if undo and (noted := _undo_in(directory, undo, removed))
        }

        def doomed() -> list[Thing]:
            things = _dead_things(engine, deadline, everything=everything)
            step.detail = ", ".join(thing.name for thing in things[:1])
            for thing in things:
                with _noting(problems):
                    removed.extend(_pushed_tags(engine, thing, deadline))
            return things

        gone, refused = remove_found(engine, doomed, deadline)
        removed += gone
        problems += refused
        for directory in sorted(unhealed):  # what a stopped container kept is gone with it now
            left = _undo_in(directory, undo, removed) if undo else []
            problems += left
            if not left:
                removed += [f"what was left of {directory.name}: {problem}" for problem in unhealed.pop(directory)]
        for directory in sorted(set(directories) - set(unhealed)):
            with _noting(problems):
                remove(directory)
                removed.append(f"directory {directory}")
        with _noting(problems):
            _remove_claims(engine, deadline, everything=everything)
        step.detail = f"{len(removed)} removed"
        if problems:
            told_once = dict.fromkeys(problems)
            raise HarnessError("\n".join(["garbage is left:", *told_once, f"`{typed('gc')}` tries again"]))
    return removed


def _undo_in(directory: Path, undo: Undo, removed: list[str]) -> list[str]:
    """Undo what the journals of a run hold, each of them whatever becomes of the others; return what went wrong."""
    noted: list[str] = []
    with _noting(noted):
        for journal in sorted(directory.rglob(JOURNAL)):
            with _noting(noted):
                removed += [f"undone: {change}" for change in undo(journal)]
    return noted


def garbage(engine: Engine, deadline: Deadline) -> list[Thing]:
    """Return what a collection would remove from the engine; raise CommandFailed when it does not answer."""
    return _dead_things(engine, deadline)


def claimed(engine: Engine, deadline: Deadline) -> list[str]:
    """Return the runs whose claims stand in the engine, this user's and all others'."""
    register = claims.register(engine, deadline)
    return sorted({claim.owner.run for claim in register.claims if claim.alive()})


def elsewhere(engine: Engine) -> list[Path]:
    """Return the private directories of runs that no collector of this engine settles: they were on another one."""
    return [path for path, _ in run_directories() if _of_another(path, engine)]


def _dead_things(engine: Engine, deadline: Deadline, *, everything: bool = False) -> list[Thing]:
    things = inventory(engine, deadline)
    if everything or not things:
        return things
    living = _Living.of(engine, things, deadline)
    return [thing for thing in things if living.dead(Owner.from_labels(thing.labels), _directory(thing))]


def _directory(thing: Thing) -> Path | None:
    """Return the private directory of the run that a thing's labels name, wherever that is."""
    named = thing.labels.get(f"{PREFIX}.directory")
    return Path(named).parent if named else None


def _by_time(owner: Owner) -> Owner:
    """Return an owner of whom nothing counts but the time that he names."""
    return Owner(owner.run, 0, "", "", owner.expires)


def _forgotten(standing: list[claims.RunClaim]) -> bool:
    """Whether clusters were kept for their user, for a time that is up."""
    kept = [claim for claim in standing if claim.keep]
    return bool(kept) and all(claim.expired for claim in kept)


def _of_another(directory: Path, engine: Engine) -> bool:
    return bool(engines_of(directory) - {engine.id})


def _remove_claims(engine: Engine, deadline: Deadline, *, everything: bool) -> None:
    """Take away the claims of dead runs, and those for clusters that stand without a process, if nothing is there."""
    standing = claims.register(engine, deadline).claims
    left = {thing.labels[RUN] for thing in inventory(engine, deadline)}
    for claim in standing:
        over = claim.owner.run not in left and (claim.owner.pid == 0 or not claim.alive())
        if (everything or over) and claim.owner.run not in claims.held():
            engine.run(["volume", "rm", claim.name], deadline, check=False)


@contextlib.contextmanager
def _turn(deadline: Deadline) -> Iterator[None]:
    """Collect alone; raise HarnessError where another user's files keep this one from looking."""
    try:
        with locked("garbage", deadline):
            yield
    except PermissionError as error:
        raise HarnessError(
            f"{error}: expected this user's own files below {runtime_dir()}; what root left there goes by "
            f"`sudo chown -R {os.geteuid()} {runtime_dir()}`"
        ) from error


@contextlib.contextmanager
def _noting(problems: list[str]) -> Iterator[None]:
    """Note what the block raises: whatever one journal or directory holds, it keeps no other from being collected."""
    try:
        yield
    except HarnessError as error:
        problems.append(str(error))
    except Exception as error:  # noqa: BLE001 - foreign bytes; told with all other problems
        problems.append(f"{type(error).__name__}: {error}")


def _pushed_tags(engine: Engine, thing: Thing, deadline: Deadline) -> list[str]:
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
