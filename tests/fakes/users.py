"""Users: a kind cluster of the user's in a fake engine, and the record of its adoption."""

import time
from typing import Any

from chaos_harness.clusters.adoption.nodes import KindNode
from chaos_harness.clusters.adoption.record import Adoption
from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.clusters.shape import Shape
from tests.fakes.engine import FakeEngine

__all__ = ["adopted", "kind_cluster"]

_ROLES = {"dev-control-plane": "control-plane", "dev-worker": "worker"}


def kind_cluster(engine: FakeEngine, *, status: str = "running", **more: str) -> None:
    """Put the cluster "dev", as kind makes it, into an engine; `more` are labels besides kind's."""
    for name, role in _ROLES.items():
        labels = {"io.x-k8s.kind.cluster": "dev", "io.x-k8s.kind.role": role, **more}
        attributes: dict[str, Any] = {
            "Config": {"Labels": labels, "Image": "kindest/node:v1.36.4"},
            "State": {"Status": status},
            "NetworkSettings": {"Networks": {"kind": {}}, "Ports": {}},
        }
        if role == "control-plane":
            attributes["NetworkSettings"]["Ports"] = {"6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "6001"}]}
        engine.add("container", name, labels, **attributes)


def adopted(*, left: float = 3600.0, engine: str = "engine-a", **shape: Any) -> Adoption:
    """Return the record of that cluster, of which so many seconds are left."""
    now = time.time()
    nodes = tuple(KindNode(f"id-{name}", name, "kindest/node:v1.36.4", role) for name, role in _ROLES.items())
    fields = {"workers": 1, "registry": False, "install": "chart", "certificate": "native", **shape}
    before = {Trait("nodes", "dev-worker"): "as it was"}
    return Adoption("dev", engine, nodes, "kind", "ada", now - 60, now + left, Shape.parse(fields), before)
