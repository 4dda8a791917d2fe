"""Publish: puts the founding incident's images into a registry that stands for docker.io, and writes their lock."""

import dataclasses
import shutil
import sys
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import connect
from chaos_harness.clusters.images import entries
from chaos_harness.clusters.images.catalogue import NODE
from chaos_harness.clusters.images.lock import pull_digests, write
from chaos_harness.clusters.images.lock_file import LOCK, read_lock
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["SHAPE"]

SHAPE = Shape(install="manifest", workers=2)
"""The shape of scenarios/registry_cut/test_registry.py."""

_SECONDS = 900.0


def _publish(mirror: str, lock: Path) -> None:
    """Push what the engine built or loaded, as `mirror` has images of docker.io; `lock` is the shipped one with them.

    What is built here cannot have the digests of the nodes that kind publishes.
    """
    progress, deadline = Progress.terminal(), Deadline.after(_SECONDS, "images to be pushed")
    engine, rules = connect(progress=progress), PullRules(mirror=mirror)
    mirrored = []
    for entry in entries(SHAPE).values():
        name = rules.asked(entry.published)
        engine.run(["tag", entry.name, name], deadline)
        with progress.step(f"push {name}"):
            engine.run(["push", "--quiet", name], deadline)
        mirrored.append(dataclasses.replace(entry, published=name))
    digests = pull_digests(engine, mirrored, progress)
    shutil.copy(LOCK, lock)
    shipped = {name: known for name, known in read_lock().items() if not name.startswith(NODE)}
    write(shipped | {name: known.replace(mirror, "docker.io") for name, known in digests.items()}, lock)


if __name__ == "__main__":
    _publish(sys.argv[1], Path(sys.argv[2]))
