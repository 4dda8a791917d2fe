"""The verb gc: removes what dead runs left behind, heals what they did, and tells what stays."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters import garbage
from chaos_harness.clusters.adoption.record import records
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, host_changes
from chaos_harness.clusters.engine.inventory import RUN, EngineObject, inventory
from chaos_harness.clusters.machine.owner import engines_of
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import EngineUnavailable, HarnessError
from chaos_harness.harness.nightly.clusters import remove_left
from chaos_harness.harness.run.adopted import heal_adopted
from chaos_harness.harness.undo import journal

__all__ = ["add_options"]

_SECONDS = 60.0


def add_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of the verb to its parser."""
    verb.add_argument("--all", action="store_true", help="also what was kept, and what live runs own")
    verb.set_defaults(verb=_gc)


def _gc(chosen: argparse.Namespace, progress: Progress) -> int:
    engine = _engine(chosen)
    problem: HarnessError | None = None
    left: list[EngineObject] = []
    if engine:
        try:
            removed = _collect(engine, chosen, progress)
        except HarnessError as error:
            problem, removed = error, []
        sys.stdout.writelines(f"removed {thing}\n" for thing in removed)
        try:
            sys.stdout.writelines(f"undone: {words}\n" for words in heal_adopted(engine))
        except HarnessError as error:
            problem = _both(problem, error)
        sys.stdout.writelines(
            f"left {adoption}; `{command_line('release --')} {adoption.name}` gives it back\n"
            for adoption in records()
            if adoption.engine == engine.id
        )
        left = inventory(engine, Deadline.after(_SECONDS, "the engine to list what is left"))
        sys.stdout.writelines(
            f"left {words}: kept, in the pool, or its run lives; --all takes it too\n" for words in _runs(left)
        )
        sys.stdout.writelines(
            f"left directory {directory}: its run was on another engine, whose collector settles it\n"
            for directory in garbage.list_foreign_directories(engine)
        )
    ours = engine.private if engine else os.environ.get("CHAOS_ENGINE") != "system"
    if ours and not left and engines.stop_private(progress, used=None if chosen.all and not engine else _is_used):
        sys.stdout.write("stopped the private engine\n")
    try:
        sys.stdout.writelines(f"put back {change}\n" for change in host_changes.heal())
    except HarnessError as error:
        problem = _both(problem, error)
    if problem:
        raise problem
    return 0


def _both(first: HarnessError | None, second: HarnessError) -> HarnessError:
    return HarnessError(f"{first}\n{second}") if first else second


def _engine(chosen: argparse.Namespace) -> Engine | None:
    """Return the engine that answers; None if our own engine does not answer and everything is to be removed."""
    try:
        return engines.find()
    except EngineUnavailable:
        if not chosen.all or os.environ.get("CHAOS_ENGINE") == "system":
            raise
        try:
            engines.find("private")
        except EngineUnavailable:
            return None
        raise


def _collect(engine: Engine, chosen: argparse.Namespace, progress: Progress) -> list[str]:
    undo = partial(journal.replay, engine=engine)
    left = [f"cluster {name} of a night that was killed" for name in remove_left(engine, progress)]
    return [*left, *garbage.collect_garbage(engine, everything=chosen.all, progress=progress, undo=undo)]


def _is_used(engine: Engine) -> bool:
    """Whether anything needs the private engine: things of ours in it, a claim, or a run that is about to connect.

    So does a cluster in it that is adopted. Prints the run of each claim, and these clusters.
    """
    claimed = garbage.list_claimed_runs(engine, Deadline.after(_SECONDS, "the engine to list its claims"))
    coming = [owner.run for path, owner in garbage.run_directories() if owner.alive() and not engines_of(path)]
    adopted = [f"kind cluster {adoption.name}" for adoption in records() if adoption.engine == engine.id]
    using = sorted({*claimed, *coming, *adopted})
    if using:
        sys.stdout.write(f"left the private engine: {', '.join(using)} {'uses' if len(using) == 1 else 'use'} it\n")
    return bool(using or inventory(engine, Deadline.after(_SECONDS, "the engine to list what is left")))


def _runs(things: Iterable[EngineObject]) -> Iterator[str]:
    """Yield a text for each run: what it has."""
    runs: dict[str, Counter[str]] = {}
    for thing in things:
        runs.setdefault(thing.labels[RUN], Counter())[thing.kind] += 1
    for run, kinds in sorted(runs.items()):
        counted = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(kinds.items()))
        yield f"{counted} of {run}"
