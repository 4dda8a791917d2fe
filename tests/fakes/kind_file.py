"""Kind file: samples of a kind configuration of a stranger's."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from chaos_harness.clusters.kind_file import KindFile
from chaos_harness.clusters.own_gatekeeper import flatten
from chaos_harness.clusters.shape import Shape
from tests.fakes.strangers import rewritten

__all__ = ["kind_file"]

_GOOD = {
    "kind": "Cluster",
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "featureGates": {"A": True},
    "runtimeConfig": {"api/alpha": "true"},
    "networking": {"dnsSearch": ["example.com"]},
    "containerdConfigPatches": ['[plugins.a]\n  b = "c"'],
    "nodes": [
        {
            "role": "control-plane",
            "kubeadmConfigPatches": ["kind: ClusterConfiguration\nscheduler: {extraArgs: {v: 2}}"],
        },
        {
            "role": "worker",
            "labels": {"a": "b"},
            "extraMounts": [{"hostPath": "a", "containerPath": "/a", "readOnly": True, "propagation": "None"}],
        },
    ],
}


def kind_file(chance: Random, folder: Path) -> Callable[[], object]:
    """Write a kind configuration; return who reads it, and merges it with the harness's."""
    (folder / "a").mkdir(exist_ok=True)
    (folder / "kind.yaml").write_bytes(rewritten(chance, json.dumps(_GOOD).encode()))

    def read() -> object:
        shape = Shape.parse(flatten({"kind": "kind.yaml"}, folder))
        return KindFile(shape.kind).merged({"networking": {}}) if shape.kind else None

    return read
