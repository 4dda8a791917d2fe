"""The verb images: prepares the images of clusters in advance, or carries them to another machine."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters import garbage, images, known_versions
from chaos_harness.clusters.engine import claims
from chaos_harness.clusters.images import export, ready_set
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.cli_options import add_lock_options, add_yes_option, pull_rules

__all__ = ["add_options"]

_INSTALLS = ("manifest", "chart")


def add_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of the verb to its parser."""
    for product_, known, default in (
        ("kubernetes", known_versions.KUBERNETES, known_versions.DEFAULT_KUBERNETES),
        ("gatekeeper", known_versions.GATEKEEPER, known_versions.DEFAULT_GATEKEEPER),
    ):
        more = f", or any from {known_versions.LEAST_GATEKEEPER} on" if product_ == "gatekeeper" else ""
        choice = f"of {', '.join(known)}, or a minor: its newest{more}"
        verb.add_argument(f"--{product_}", nargs="+", default=[default], metavar="V", help=choice)
    files = verb.add_mutually_exclusive_group()
    files.add_argument(
        "--save", type=Path, metavar="FILE", help="write them to a file, for a machine without a network"
    )
    files.add_argument("--load", type=Path, metavar="FILE", help="read them from such a file, whichever they are")
    add_lock_options(verb)
    add_yes_option(verb)
    verb.set_defaults(verb=_images)


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
