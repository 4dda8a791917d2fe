"""Lossy: a world whose nodes have kubelets, leases and pods, so that they can be lost and come back."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any, Self
from urllib.parse import urlsplit

from chaos_harness.clusters.machine.process import Completed
from chaos_harness.harness.policies import LEVEL
from tests.fakes.world import Api, World

__all__ = ["NODE", "LossyWorld"]

NODE = "w-worker"
"""The node that tests lose."""

_KINDS = {
    "/api/v1": ("Namespace",),
    "/apis/apps/v1": ("Deployment", "StatefulSet", "DaemonSet"),
}
_DONE = Completed("", "", 0)
_LEASE_SECONDS = 0.4
"""A kubelet's lease is due at every fourth of it; here it renews it whenever somebody looks."""


class LossyWorld(World):
    """Nodes that run, stand still or are down; `missing` Node objects are unknown to the API server.

    `deaf` nodes are such whose kubelet does not come back; `closed`: webhooks let nobody write leases; `leaky`: rules
    let a node's kubelet be reached; `budget` is how many evictions are refused, and `stubborn` how often a node cannot
    be frozen; `held` nodes do not die until something in them is thawed. The next `missed` controllers are admitted
    without a mutation of their template, and their pods keep what they were born with.
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
        self.closed = False
        self.budget = 0
        self.stubborn = 0
        self.held: set[str] = set()
        self.missed = 0
        self.begotten: dict[str, dict[str, Any]] = {}
        self.webhooks = {
            "mutation.gatekeeper.sh": {"failurePolicy": "Ignore", "timeoutSeconds": 1},
            "validation.gatekeeper.sh": {"failurePolicy": "Ignore", "timeoutSeconds": 3},
        }
        self.applied: dict[str, dict[str, Any]] = {}
        self.packets = 3
        self.leaky = False
        self._ticks = count(1)
        self._heard: dict[str, int] = {}
        self._reported: dict[str, int] = {}
        self._started: dict[str, int] = {}

    @classmethod
    def inhabited(cls) -> Self:
        """Return a world with a pod "a" on NODE."""
        world = cls()
        world.pod("a", NODE)
        return world

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
        if words[0] == "exec" and "patch" in words:
            self.set_webhooks(json.loads(words[-1]))
            return _DONE
        if words[0] == "exec" and "delete" in words:
            self.applied.clear()
            return _DONE
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
            return Completed(f"id-{node}" if "--format" in words else json.dumps([self._inspected(node)]), "", 0)
        if words[:2] == ["network", "connect"]:
            self.addresses[node] = words[words.index("--ip") + 1]
        if words[0] == "unpause" and self.state(node) != "paused":
            return Completed("", f"Error response from daemon: Container {node} is not paused", 1)
        if words[0] in ("start", "restart"):
            self._started[node] = next(self._ticks)
            self._reported[node] = next(self._ticks)
        if words[0] == "pause" and self.stubborn:
            self.stubborn -= 1
            return Completed("", "Error response from daemon: OCI runtime pause failed: unable to freeze", 1)
        if words[0] == "kill" and (why := self._immortal(node)):
            return Completed("", f"Error response from daemon: Cannot kill container: {node}: {why}", 1)
        self.states[node] = states.get(words[0], self.state(node))
        return _DONE

    def _immortal(self, node: str) -> str:
        if node in self.held:
            return "tried to kill container, but did not receive an exit event"
        return f"Container {node} is not running" if self.state(node) == "exited" else ""

    def set_webhooks(self, patch: dict[str, Any]) -> None:
        """Merge a patch of a webhook configuration."""
        for webhook in patch["webhooks"]:
            self.webhooks[webhook["name"]] |= {name: value for name, value in webhook.items() if name != "name"}

    def workload(self) -> Iterator[dict[str, Any]]:
        """Yield the pods of the controllers that were applied, all Ready, where pods may go."""
        free = [node for node in ("w-worker", "w-worker2") if node not in self.cordoned]
        for controller in self.applied.values():
            spec = controller.get("spec", {})
            nodes = (
                ["w-worker", "w-worker2"] if controller["kind"] == "DaemonSet" else free[-1:] * spec.get("replicas", 0)
            )
            for number, node in enumerate(nodes):
                name = f"{controller['metadata']['name']}-{number}"
                spec = {**controller["spec"]["template"]["spec"], "nodeName": node}
                born = self.begotten.setdefault(name, {"uid": f"uid-{next(self._ticks)}", "spec": spec})
                metadata = {
                    "name": name,
                    "uid": born["uid"],
                    "namespace": controller["metadata"]["namespace"],
                    "labels": controller["spec"]["template"]["metadata"]["labels"],
                    "resourceVersion": "1",
                }
                ready = {"conditions": [{"type": "Ready", "status": self.ready}]}
                yield {"metadata": metadata, "spec": born["spec"], "status": ready}

    def admit(self, item: dict[str, Any]) -> None:
        """Take an object that is applied, its pod template mutated unless that is missed."""
        if "template" in item.get("spec", {}):
            if not self.missed:
                item["spec"]["template"]["spec"]["securityContext"] = {"seLinuxOptions": {"level": LEVEL}}
            self.missed = max(0, self.missed - 1)
        self.applied[item["metadata"]["name"]] = item

    def _beat(self, name: str) -> None:
        alive = self.state(name) == "running" and not self.rules.get(name) and name not in self.deaf
        if alive:
            self._heard[name] = next(self._ticks)
        self._meet(name, "POSTROUTING")

    def _curl(self, node: str, argv: list[str]) -> Completed:
        """Answer for a kubelet; the packets that do not reach it are the only ones that are sent to its node."""
        name = urlsplit(argv[-1]).hostname or ""
        if not name.startswith("w-worker"):
            return super()._curl(node, argv)
        if self.rules.get(name) and not self.leaky:
            self._meet(name, "PREROUTING")
            return Completed("", "curl: (28) Connection timed out", 28)
        return Completed("Unauthorized", "", 0)

    def _meet(self, name: str, chain: str) -> None:
        rules = self.rules.get(name, [])
        self.rules[name] = [(rule, count + self.packets * rule.startswith(chain)) for rule, count in rules]

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
        if url.path in _KINDS:
            self.answer(200, {"resources": [{"kind": kind, "name": f"{kind.lower()}s"} for kind in _KINDS[url.path]]})
        elif url.path.endswith("webhook-configuration"):
            which = "mutation" if "mutating" in name else "validation"
            named = [webhook for webhook in world.webhooks if webhook.startswith(which)]
            self.answer(200, {"webhooks": [{"name": webhook, **world.webhooks[webhook]} for webhook in named]})
        elif url.path.startswith("/api/v1/namespaces/chaos-") and "watch" not in url.query:
            listed = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}}
            self.answer(200, {**listed, "items": list(world.workload())})
        elif url.path == "/api/v1/pods":
            node = self.path.rpartition("%3D")[2]
            self.answer(200, {"items": [pod for pod in world.pods.values() if pod["spec"]["nodeName"] == node]})
        elif "/leases/" in url.path or url.path.startswith("/api/v1/nodes/"):
            object_ = world.lease(name) if "/leases/" in url.path else world.node(name)
            self.answer(200 if object_ else 404, object_ or {"message": "not found"})
        else:
            super().do_GET()

    def do_PATCH(self) -> None:  # noqa: N802 - the name in the base class
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "/leases/" in self.path:
            said = "failed calling webhook: no endpoints" if self.lossy.closed else "ok"
            self.answer(500 if self.lossy.closed else 200, {"message": said})
            return
        if "webhooks" in body:
            self.lossy.set_webhooks(body)
        else:
            self.lossy.admit(body)
        self.answer(200, {})

    def do_DELETE(self) -> None:  # noqa: N802 - the name in the base class
        path = urlsplit(self.path).path
        if "/pods/" in path:
            if self.lossy.begotten.pop(path.rpartition("/")[2], None):
                self.answer(200, {})
            else:
                super().do_DELETE()
            return
        self.lossy.missing.add(path.rpartition("/")[2])
        self.answer(200, {})

    def do_POST(self) -> None:  # noqa: N802 - the name in the base class
        if not self.path.endswith("/eviction"):
            super().do_POST()
            return
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
