"""Lossy: a world whose nodes have kubelets, leases and pods, so that they can be lost and come back."""

import json
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from clusters.process import Completed
from tests.fakes.world import Api, World

__all__ = ["LossyWorld"]

_DONE = Completed("", "", 0)
_LEASE_SECONDS = 0.4
"""A kubelet's lease is due at every fourth of it; here it renews it whenever somebody looks."""


class LossyWorld(World):
    """Nodes that run, stand still or are down; `missing` Node objects are unknown to the API server.

    `deaf` nodes are such whose kubelet does not come back, `budget` is how many evictions are refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.handler = _Api
        self.states: dict[str, str] = {}
        self.addresses: dict[str, str] = {}
        self.missing: set[str] = set()
        self.deaf: set[str] = set()
        self.created: list[dict[str, Any]] = []
        self.taints: list[str] = []
        self.ready = "True"
        self.budget = 0
        self.packets = 3
        self._ticks = count(1)
        self._heard: dict[str, int] = {}
        self._reported: dict[str, int] = {}
        self._started: dict[str, int] = {}

    def state(self, node: str) -> str:
        """Return the state of a node's container."""
        return self.states.get(node, "running")

    def node(self, name: str) -> dict[str, Any] | None:
        """Return the Node object."""
        if name in self.missing:
            return None
        self._beat(name)
        conditions = [{"type": "Ready", "status": self.ready, "lastHeartbeatTime": str(self._reported.get(name, 0))}]
        return {
            "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"a": "b"}},
            "spec": {
                "unschedulable": name in self.cordoned,
                "podCIDR": "10.244.1.0/24",
                "taints": [{"key": key} for key in self.taints],
            },
            "status": {"conditions": conditions},
        }

    def lease(self, name: str) -> dict[str, Any] | None:
        """Return the node's lease, renewed just now if its kubelet is alive and reaches the API server."""
        if name in self.missing:
            return None
        self._beat(name)
        return {"spec": {"renewTime": str(self._heard.get(name, 0)), "leaseDurationSeconds": _LEASE_SECONDS}}

    def answer(self, words: list[str]) -> Completed:
        """Do what a docker command asks of a node's container."""
        node = words[-1]
        if words[0] == "exec" and "create" in words:
            self.missing.clear()
            return _DONE
        if "restart" in words and "systemctl" in words:
            self._reported[words[1]] = next(self._ticks)
        if words[0] == "exec" or not node.startswith("w-worker"):
            return super().answer(words)
        self.asked.append(" ".join(words))
        return _DONE if self.ignored & set(words) else self._do(words, node)

    def _do(self, words: list[str], node: str) -> Completed:
        if node in self.gone:
            return Completed("", f"Error: No such container: {node}", 1)
        states = {"kill": "exited", "stop": "exited", "pause": "paused", "unpause": "running", "start": "running"}
        if words[0] == "inspect":
            return Completed(json.dumps([self._inspected(node)]), "", 0)
        if words[:2] == ["network", "connect"]:
            self.addresses[node] = words[words.index("--ip") + 1]
        if words[0] == "unpause" and self.state(node) != "paused":
            return Completed("", f"Error response from daemon: Container {node} is not paused", 1)
        if words[0] in ("start", "restart"):
            self._started[node] = next(self._ticks)
            self._reported[node] = next(self._ticks)
        self.states[node] = states.get(words[0], self.state(node))
        return _DONE

    def _beat(self, name: str) -> None:
        alive = self.state(name) == "running" and not self.rules.get(name) and name not in self.deaf
        if alive:
            self._heard[name] = next(self._ticks)
        self.rules[name] = [(rule, packets + self.packets) for rule, packets in self.rules.get(name, [])]

    def _inspected(self, node: str) -> dict[str, Any]:
        address = self.addresses.get(node, "10.0.0.3")
        network: dict[str, Any] = {"IPAddress": address if self.state(node) != "exited" else "", "IPAMConfig": None}
        if node in self.addresses:
            network["IPAMConfig"] = {"IPv4Address": address}
        state = {"Status": self.state(node), "ExitCode": 137, "StartedAt": str(self._started.get(node, 0))}
        return {"State": state, "NetworkSettings": {"Networks": {self.name: network}}}


class _Api(Api):
    """The API of nodes, leases and evictions; the rest is the world's."""

    def do_GET(self) -> None:  # noqa: N802 - the name in the base class
        url, world = urlsplit(self.path), self.lossy
        name = url.path.rpartition("/")[2]
        if url.path == "/api/v1/pods":
            node = self.path.rpartition("%3D")[2]
            self.answer(200, {"items": [each for each in world.pods.values() if each["spec"]["nodeName"] == node]})
        elif "/leases/" in url.path or url.path.startswith("/api/v1/nodes/"):
            found = world.lease(name) if "/leases/" in url.path else world.node(name)
            self.answer(200 if found else 404, found or {"message": "not found"})
        else:
            super().do_GET()

    def do_DELETE(self) -> None:  # noqa: N802 - the name in the base class
        name = urlsplit(self.path).path.rpartition("/")[2]
        if "DELETE" not in self.lossy.ignored:
            self.lossy.missing.add(name)
        self.answer(200, {})

    def do_POST(self) -> None:  # noqa: N802 - the name in the base class
        self.rfile.read(int(self.headers["Content-Length"]))
        world, name = self.lossy, self.path.split("/")[-2]
        if world.budget:
            world.budget -= 1
            self.answer(429, {"message": "Cannot evict pod as it would violate the pod's disruption budget."})
            return
        if "evict" not in world.ignored:
            world.pods.pop(name)
        self.answer(201, {})

    @property
    def lossy(self) -> LossyWorld:
        world = self.server.world
        assert isinstance(world, LossyWorld)
        return world
