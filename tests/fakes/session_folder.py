"""Session folder: real pytest sessions in processes of their own; only making and removing clusters is pretended."""

import os
import subprocess
import sys
from pathlib import Path

from tests.forked import session

__all__ = ["SessionFolder"]


_CONFTEST = """
from pathlib import Path

import pytest

from chaos_harness.clusters import images
from chaos_harness.clusters.creation import create
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.registry.container import Registry
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.harness.run import cluster_provider
from chaos_harness.harness.run.context import RunContext
from tests.fakes.world import World, WorldEngine

pytest_plugins = ["chaos_harness.harness.pytest_plugin.plugin"]
DID = Path(__file__).with_name("did.txt")

def did(what):
    with DID.open("a") as file:
        file.write(what + "\\n")

def pretend_create(engine, images, shape, owner, directory, progress, *, keep=False, logs=None):
    did(f"create {shape.slug} keep={keep}")
    folder = directory / shape.slug
    folder.mkdir()
    login = Login.make(folder)
    registry = Registry.at(engine, "w-registry", port=1, address="10.0.0.9", gateway="10.0.0.1", login=login)
    return Cluster(shape.slug, shape, engine, folder / "kubeconfig", "w", registry, owner.run, folder)

def pretend_delete(cluster):
    did(f"delete {cluster.name}")
    cluster.registry.login.path.unlink()
    cluster.directory.rmdir()

class PretendPool:
    def __init__(self, engine, progress, name):
        self._engine = engine

    def make(self, shape, images, logs):
        owner = Owner.of_pool()
        return pretend_create(self._engine, images, shape, owner, owner.claim(), None)

    def restore(self, cluster, *, broken):
        did(f"restore {cluster.name}")
        return []

    def remove(self, cluster):
        pretend_delete(cluster)
        try_remove_folder(cluster.directory.parent)

cluster_provider.Pool = PretendPool
create.create, create.delete = pretend_create, pretend_delete
images.ensure = lambda engine, shapes, progress, rules: None
RunContext.connect = lambda session: WorldEngine(world=World())

def pytest_runtest_logreport(report):
    for name, value in report.user_properties:
        if report.when == "teardown":
            did(f"{name} {value}")
"""


class SessionFolder:
    """A folder of tests, and what became of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
        (folder / "pytest.ini").write_text(
            "[pytest]\nmarkers = shape: what it runs on\n  extended: not by default\n"
            "addopts = --strict-markers\nfilterwarnings = error\n",
            encoding="utf-8",
        )

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / f"test_{name}.py").write_text(text, encoding="utf-8")

    def start(self, *arguments: str, script: str = 'exec "$@"') -> subprocess.Popen[str]:
        """Start a session as the words "$@" of a shell's command."""
        pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return subprocess.Popen(
            ["sh", "-c", script, "sh", *pytest],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        return session(arguments, self.folder, self._environment(), 300)

    def did(self) -> list[str]:
        path = self.folder / "did.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "XDG_STATE_HOME": str(self.folder / "state"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
