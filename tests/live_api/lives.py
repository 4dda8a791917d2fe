"""Lives: processes of the harness on the live API: one injects a fault and is killed, one comes afterwards."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from tests.forked import program
from tests.live_api.cluster import KubectlEngine

__all__ = ["inject_and_die", "replay_afresh"]

_SECONDS = 180.0
_REPOSITORY = Path(__file__).parents[2]
_OPEN = """
import json, os, signal, sys
from pathlib import Path
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.undo.journal import Journal
from tests.live_api.cluster import KubectlEngine, iptables
folder, kubectl, given = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
programs = {"systemctl": lambda *_: CommandResult("", "", 0), "iptables": iptables()}
engine = KubectlEngine(
    kubectl=kubectl, kubeconfig=folder / "kubeconfig", planes=("live-control-plane",), programs=programs
)
"""
_INJECT = f"""{_OPEN}
from chaos_harness.harness.catalogue import entries
shape = Shape(**given["shape"])
cluster = Cluster("live", shape, engine, folder / "kubeconfig", "live", None, "run", folder)
injection = Injection(cluster, Journal(folder / "journal.jsonl"), HistoryWriter(folder / "killed.jsonl"))
entries("fault")[given["fault"]].make(given["values"]).inject(injection)
os.kill(os.getpid(), signal.SIGKILL)
"""
_REPLAY = f"""{_OPEN}
from chaos_harness.harness.undo import journal
print(*journal.replay(folder / "journal.jsonl", engine), sep="\\n")
"""


def inject_and_die(cluster: Cluster, fault: str, values: Mapping[str, Any]) -> None:
    """Inject a fault of the catalogue in a process that is killed (SIGKILL) as soon as the harm is done."""
    shape = {"workers": cluster.shape.workers, "gatekeeper": cluster.shape.gatekeeper}
    status, said = _program(cluster, _INJECT, {"fault": fault, "values": values, "shape": shape})
    assert status == -9, said


def replay_afresh(cluster: Cluster) -> str:
    """Do what the journal says in a process of its own; return what it did."""
    status, said = _program(cluster, _REPLAY, {})
    assert status == 0, said
    return said


def _program(cluster: Cluster, source: str, given: Mapping[str, Any]) -> tuple[int, str]:
    assert isinstance(cluster.engine, KubectlEngine)
    places = os.pathsep.join([str(_REPOSITORY / "src"), str(_REPOSITORY)])
    environment = {"PATH": os.environ["PATH"], "HOME": str(cluster.directory), "PYTHONPATH": places}
    arguments = [str(cluster.directory), str(cluster.engine.kubectl), json.dumps(given)]
    return program(source, arguments, cluster.directory, environment, _SECONDS)
