"""Child: a process that brings up a cluster, for tests that end it in the middle."""

import subprocess
import sys

__all__ = ["child"]

_CHILD = """
import signal, sys
from chaos_harness.clusters.creation.create import create
from chaos_harness.clusters.engine import connect
from chaos_harness.clusters.images import ensure
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.clusters.shape import Shape

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
shape, owner = Shape(workers=0, gatekeeper=None), Owner.mine(sys.argv[1])
engine = connect(owner=owner)
images = ensure(engine, shape, Progress.quiet())
create(engine, images, shape, owner, owner.claim(), Progress(sys.stdout))
print("created", flush=True)
signal.pause()
"""


def child(run: str, until: str) -> subprocess.Popen[str]:
    """Start a process that brings up a cluster as the run `run`; return it when it says `until`."""
    process = subprocess.Popen([sys.executable, "-c", _CHILD, run], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if until in line:
            return process
    raise AssertionError(f"the child ended with {process.wait()} before it said {until!r}")
