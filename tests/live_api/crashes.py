"""Crashes: where the crash test makes its trials on the live API: objects alone, and kubectl in place of an engine."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.clusters.pool.fingerprint import object_traits
from chaos_harness.harness.crashtest.moments import Moment
from chaos_harness.harness.crashtest.stage import set_up
from chaos_harness.harness.crashtest.trial import Place
from tests.live_api.cluster import KubectlEngine
from tests.live_api.lives import replay_afresh

__all__ = ["live_place"]

_REPOSITORY = Path(__file__).parents[2]
_CHILD = """
import json, sys
from pathlib import Path
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.crashtest.life import live
from tests.live_api.cluster import KubectlEngine
folder, kubectl, asked = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
engine = KubectlEngine(kubectl=kubectl, kubeconfig=folder / "kubeconfig", planes=("live-control-plane",))
cluster = Cluster("live", Shape(workers=1), engine, folder / "kubeconfig", "live", None, "run", folder)
sys.exit(live(cluster, asked["fault"], asked["values"], asked["moment"], folder / "journal.jsonl"))
"""


def live_place(cluster: Cluster, api: ApiClient) -> Place:
    """Return the place; garbage is collected by a replay of the journal in a process of its own."""
    engine = cluster.engine
    assert isinstance(engine, KubectlEngine)

    def ready(values: Mapping[str, Any]) -> Mapping[str, Any]:
        set_up(cluster, Deadline.after(30, "the objects of samples"))
        return values

    def look() -> dict[Trait, str]:
        return object_traits(api, Deadline.after(30, "a fingerprint"), whole=True)

    def child(fault: str, values: Mapping[str, Any], moment: Moment) -> list[str]:
        asked = json.dumps({"fault": fault, "values": values, "moment": moment})
        places = os.pathsep.join([str(_REPOSITORY / "src"), str(_REPOSITORY)])
        python = ["env", f"PYTHONPATH={places}", sys.executable, "-c", _CHILD]
        return [*python, str(cluster.directory), str(engine.kubectl), asked]

    def collect() -> None:
        replay_afresh(cluster)
        (cluster.directory / "journal.jsonl").unlink()

    return Place("live", engine, ready, look, child, collect, cluster.directory, 20.0, 1.0)
