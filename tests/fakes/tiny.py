"""Tiny: an image with one program in it that needs nothing, for engines that only tests know."""

import shutil
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, Layout, connect
from chaos_harness.clusters.machine.process import run
from tests.unguarded import docker

__all__ = ["TINY", "tiny_context", "tiny_engine"]

TINY = "chaos-harness-test/tiny"
"""The image's name; what it does is its first argument, and without one it waits like a node that never boots."""

_PROGRAM = Path(__file__).with_name("tiny.go")
_SECONDS = 120.0


def tiny_context(directory: Path) -> Path:
    """Build the program, and write the Dockerfile of an image with nothing else."""
    shutil.copy(_PROGRAM, directory / "main.go")
    environment = {"CGO_ENABLED": "0", "GOFLAGS": ""}
    compile_ = ["go", "build", "-o", "tiny", "main.go"]
    run(compile_, Deadline.after(_SECONDS, "go"), cwd=directory, env=environment)
    (directory / "Dockerfile").write_text('FROM scratch\nCOPY tiny /tiny\nENTRYPOINT ["/tiny"]\n')
    return directory


def tiny_engine(layout: Layout, context: Path) -> Engine:
    """Return the private engine at `layout`, started if need be, with the image."""
    engine = connect("private", layout=layout)
    docker(engine, ["build", "--tag", TINY, context], Deadline.after(_SECONDS, "the image"))
    return engine
