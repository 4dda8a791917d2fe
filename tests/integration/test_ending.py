"""Endings on a real cluster: a run that nobody listens to, or whose results' disk is full, heals and removes it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import inventory

pytestmark = [pytest.mark.cluster, pytest.mark.beside]


_SCENARIO = '''
"""A scenario with a real fault, and what it was when its cluster was removed."""

from pathlib import Path

import pytest

from chaos_harness.clusters.creation import create
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.faults.registry.cut import cut_registry

pytestmark = pytest.mark.shape(workers=1, gatekeeper=None)
PLACE = Path(__file__).parent
delete = create.delete


def rules(cluster):
    deadline = Deadline.after(60, "the rules of all nodes")
    return "".join(cluster.exec(node, ["iptables", "-S", "OUTPUT"], deadline).stdout for node in cluster.nodes())


def look_and_delete(cluster):
    (PLACE / "at the end").write_text(rules(cluster))
    delete(cluster)


create.delete = look_and_delete


def test_cut(experiment):
    with experiment.fault(cut_registry("drop")):
        (PLACE / "name").write_text(experiment.cluster.name)
        (PLACE / "in place").write_text(rules(experiment.cluster))
        if (PLACE / "fill").exists():
            with (experiment.directory / "filler").open("wb", buffering=0) as filler:
                for _ in range(100_000):
                    try:
                        filler.write(bytes(1000))
                    except OSError:
                        break
        experiment.hold(10)
'''
_HEAD = '"$@" 2>&1 | head -1'
_FULL = 'mkdir results && mount -t tmpfs -o size=16m none results && "$@" --histories results 2>&1'


@pytest.mark.parametrize("way", ["head", "full disk"])
def test_nobody_listens_and_no_disk_takes_it(engine: Engine, tmp_path: Path, way: str) -> None:
    """The rules that drop packets are gone from all nodes before the cluster is removed, and nothing of it is left."""
    (tmp_path / "conftest.py").write_text(
        'pytest_plugins = ["chaos_harness.harness.pytest_plugin.plugin"]\n', encoding="utf-8"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = shape: s\n  extended: e\n", encoding="utf-8")
    (tmp_path / "test_cut.py").write_text(_SCENARIO, encoding="utf-8")
    session = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    words = ["sh", "-c", _HEAD, "sh", *session]
    if way == "full disk":
        (tmp_path / "fill").touch()
        words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _FULL, "sh", *session]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False
    )

    said = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir() if path.is_file()}
    assert "chaos-harness" in said["in place"], done.stdout
    assert "chaos-harness" not in said["at the end"]
    assert inventory(engine, Deadline.after(60, "what is left"), cluster=said["name"]) == []
    if way == "head":
        assert len(done.stdout.splitlines()) == 1
    else:
        assert "the history ends here and is not judged" in done.stdout
