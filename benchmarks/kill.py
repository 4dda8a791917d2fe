"""Kill: what a harness leaves on a cluster if `kill -9` ends it during its fault."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.samples import Samples
from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import connect
from chaos_harness.clusters.garbage import JOURNAL
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.nodes.drain import drain_node
from chaos_harness.harness.undo import journal

__all__ = ["kill_ours", "kill_while_cordoned", "list_cordoned", "main", "uncordon"]

_SECONDS = 300.0
_HOLD_SECONDS = 120.0
_NODES = "/api/v1/nodes"


def kill_while_cordoned(
    cluster: Cluster, argv: Sequence[str | Path], node: str, *, cwd: Path, env: Mapping[str, str]
) -> None:
    """Run a harness until it has cordoned `node`, and kill it."""
    with subprocess.Popen(
        [str(word) for word in argv], cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        for _ in Deadline.after(_SECONDS, f"{node} to be cordoned").attempts():
            if process.poll() is not None or node in list_cordoned(cluster):
                break
        process.send_signal(signal.SIGKILL)


def list_cordoned(cluster: Cluster) -> list[str]:
    """Return the unschedulable nodes."""
    with cluster.client() as api:
        nodes = request(api, "GET", _NODES)["items"]
    return [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")]


def uncordon(cluster: Cluster, nodes: Sequence[str]) -> None:
    """Make nodes schedulable again."""
    with cluster.client() as api:
        for node in nodes:
            body = {"spec": {"unschedulable": None}}
            merge_patch(api, f"{_NODES}/{node}", body)


def kill_ours(cluster: Cluster, directory: Path, samples: Samples) -> None:
    """Kill an experiment of ours; count the nodes that are cordoned after the next run replayed its journal."""
    node = cluster.workers[0]
    argv: list[str | Path] = [sys.executable, "-m", __name__, cluster.name, node, directory]
    kill_while_cordoned(cluster, argv, node, cwd=Path.cwd(), env=os.environ)
    before = len(list_cordoned(cluster))
    undone = journal.replay(cluster.directory / JOURNAL, cluster.engine)
    left = list_cordoned(cluster)
    samples.figures.append(len(left))
    samples.note = f"{before} until the next run undid {'; '.join(undone) or 'nothing'}"
    uncordon(cluster, left)


def main(name: str, node: str, directory: Path) -> None:
    """Drain a node of the cluster `name`, and wait to be killed."""
    with (
        Experiment(Cluster.open(connect(), name), directory, name="killed", seed=0) as experiment,
        experiment.fault(drain_node(node)),
    ):
        experiment.hold(_HOLD_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
