"""Command line: the verbs behind nox's sessions, and those of incidents."""

import argparse
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters import garbage, images, known_versions
from chaos_harness.clusters.adoption.record import records
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, claims, host_changes
from chaos_harness.clusters.engine.inventory import RUN, EngineObject, inventory
from chaos_harness.clusters.images import export, ready_set
from chaos_harness.clusters.machine import consent
from chaos_harness.clusters.machine.owner import engines_of
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.command_options import CommandParser
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness import add_kubernetes, adopt, doctor, uninstall
from chaos_harness.harness.errors import BadScenario, EngineUnavailable, HarnessError
from chaos_harness.harness.incident import cli
from chaos_harness.harness.incident.cli_options import add_lock_options, add_yes_option, pull_rules
from chaos_harness.harness.incident.replay.repro import CANNOT_TELL
from chaos_harness.harness.run.adopted import heal_adopted
from chaos_harness.harness.run.exit_status import ExitStatus, run_command
from chaos_harness.harness.suites import cli as suites_cli
from chaos_harness.harness.undo import journal

__all__ = ["main"]

_UNDECIDED = (ExitStatus.REFUSED, ExitStatus.INCONCLUSIVE, ExitStatus.BROKEN, ExitStatus.NOTHING)
_INSTALLS = ("manifest", "chart")
_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status, see `harness.run.exit_status.ExitStatus`."""
    chosen = _parser().parse_args(arguments)
    if getattr(chosen, "yes", False):
        consent.agree()
    status = run_command(lambda: int(chosen.verb(chosen, Progress.terminal())))
    bisecting = getattr(chosen, "bisect", False) and status in _UNDECIDED
    return CANNOT_TELL if bisecting else status


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="chaos-harness",
        description="Looks after engine and images, and replays incidents.",
        epilog="`run` runs scenarios, `report` shows what they left, `truth` counts verdicts, `plan` shows what an "
        "incident would do and cost.",
    )
    verbs = parser.add_subparsers(required=True, metavar="verb")
    doctor.add_verb(verbs)
    gc = verbs.add_parser("gc", help="heal and remove what dead runs left behind; stop our engine when nobody uses it")
    gc.add_argument("--all", action="store_true", help="also what was kept, and what live runs own")
    gc.set_defaults(verb=_gc)
    ready = verbs.add_parser("images", help="prepare the images of clusters in advance")
    for product_, known, default in (
        ("kubernetes", known_versions.KUBERNETES, known_versions.DEFAULT_KUBERNETES),
        ("gatekeeper", known_versions.GATEKEEPER, known_versions.DEFAULT_GATEKEEPER),
    ):
        more = f", or any from {known_versions.LEAST_GATEKEEPER} on" if product_ == "gatekeeper" else ""
        choice = f"of {', '.join(known)}, or a minor: its newest{more}"
        ready.add_argument(f"--{product_}", nargs="+", default=[default], metavar="V", help=choice)
    files = ready.add_mutually_exclusive_group()
    files.add_argument(
        "--save", type=Path, metavar="FILE", help="write them to a file, for a machine without a network"
    )
    files.add_argument("--load", type=Path, metavar="FILE", help="read them from such a file, whichever they are")
    add_lock_options(ready)
    add_yes_option(ready)
    ready.set_defaults(verb=_images)
    adopt.add_verbs(verbs)
    uninstall.add_verb(verbs)
    add_kubernetes.add_verb(verbs)
    cli.add_verbs(verbs)
    suites_cli.add_verb(verbs)
    return parser


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
    return garbage.collect_garbage(engine, everything=chosen.all, progress=progress, undo=undo)


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


def _images(chosen: argparse.Namespace, progress: Progress) -> int:
    shapes, rules = [] if chosen.load else _shapes(chosen.kubernetes, chosen.gatekeeper), pull_rules(chosen)
    if chosen.load:
        ready_set.read_index(chosen.load)  # a name with a typo starts no engine
    if chosen.save:
        _require_place(chosen.save)
    with _claim_run() as owner:
        engine = engines.connect(progress=progress, owner=owner)
        try:
            if chosen.load:
                names = export.load(engine, chosen.load, progress)
            elif chosen.save:
                names = export.save(engine, chosen.save, shapes, progress, rules)
            else:
                names = sorted(images.ensure(engine, shapes, progress, rules).origin)
        finally:
            claims.release(engine, owner.run)
    sys.stdout.writelines(f"ready: {name}\n" for name in names)
    return 0


def _require_place(file: Path) -> None:
    """Raise BadScenario unless a file can be written there: what is saved may take half an hour to build."""
    if file.is_dir() or not file.parent.is_dir():
        obstacle = "a folder" if file.is_dir() else f"no folder {file.parent}"
        raise BadScenario(f"--save {file}: expected a file in a folder that is there, found {obstacle}")
    if not os.access(file.parent, os.W_OK):
        raise BadScenario(f"--save {file}: you may not write to {file.parent}; see `ls -ld {file.parent}`")


@contextlib.contextmanager
def _claim_run() -> Iterator[garbage.Owner]:
    """Count as a live run during the block, so that `gc` in another terminal does not stop the engine."""
    owner = garbage.Owner.mine()
    directory = owner.claim()
    try:
        yield owner
    finally:
        try_remove_folder(directory)


def _shapes(kubernetes: Sequence[str], gatekeeper: Sequence[str]) -> list[Shape]:
    """Return every combination with both ways to install; raise BadScenario with the problems of all of them."""
    shapes: list[Shape] = []
    problems: dict[str, None] = {}
    for fields in product(kubernetes, gatekeeper, _INSTALLS):
        try:
            shapes.append(
                Shape.parse(dict(zip(("kubernetes", "gatekeeper", "install"), fields, strict=True)), "images")
            )
        except BadScenario as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise BadScenario(list(problems))
    return list(dict.fromkeys(shapes))


if __name__ == "__main__":
    sys.exit(main())
