"""Node world: a world whose nodes have kubelets, leases and pods, so that they can be lost and come back."""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.policies import LEVEL
from tests.fakes.docker import Container
from tests.fakes.grammar import refuse
from tests.fakes.world import Api, World

__all__ = ["NODE", "NodeWorld"]

NODE = "w-worker"
"""The node that tests lose."""

_KINDS = {
    "/api/v1": ("Namespace",),
    "/apis/apps/v1": ("Deployment", "StatefulSet", "DaemonSet"),
}
_LEASE_SECONDS = 0.4
"""A kubelet's lease is due at every fourth of it; here it renews it whenever somebody looks."""


class NodeWorld(World):
    """Nodes that run, stand still or are down; `missing` Node objects are unknown to the API server.

    `deaf` nodes are such whose kubelet does not come back; `closed`: webhooks let nobody write leases; `leaky`: rules
    let a node's kubelet be reached; `budget` is how many evictions are refused, and `stubborn` how often a node cannot
    be frozen; `held` nodes do not die until something in them is thawed. The next `missed` controllers are admitted
    without a mutation of their template, and their pods keep what they were born with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.handler = _Api
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

    def state(self, node: str) -> str:
        """Return the state of a node's container."""
        return self.containers[node].status

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

    def find(self, path: str) -> dict[str, Any] | None:
        """Return a Node object or a namespace that is there, a webhook configuration, or what else there is."""
        name = path.rpartition("/")[2]
        if path == f"/api/v1/nodes/{name}" and name in self.missing:
            return None
        if path == f"/api/v1/namespaces/{name}":
            return self.applied.get(name)
        if path.endswith("-webhook-configuration"):
            return {"metadata": {"name": name}}
        return super().find(path)

    def create(self, path: str, made: dict[str, Any]) -> None:
        self.missing.discard(made["metadata"]["name"])
        super().create(path, made)

    def merge(self, path: str, patch: Mapping[str, Any]) -> bool:
        if path.endswith("-webhook-configuration"):
            self.set_webhooks(patch)
            return bool(patch)
        return super().merge(path, patch)

    def delete(self, path: str) -> None:
        """Delete an object; with a namespace goes all that was applied in it."""
        if path.startswith("/api/v1/namespaces/") and path.rpartition("/")[2] in self.applied:
            self.applied.clear()
            return
        super().delete(path)

    def start(self, container: Container) -> None:
        super().start(container)
        self._reported[container.name] = next(self._ticks)

    def restart_kubelet(self, container: Container) -> None:
        self._reported[container.name] = next(self._ticks)

    def freeze(self, container: Container) -> None:
        """Pause a container, unless it is too busy."""
        if self.stubborn:
            self.stubborn -= 1
            refuse(1, "Error response from daemon: OCI runtime pause failed: unable to freeze")
        super().freeze(container)

    def kill(self, container: Container) -> None:
        """Kill a container, unless something in it is frozen."""
        if container.name in self.held:
            said = "tried to kill container, but did not receive an exit event"
            refuse(1, f"Error response from daemon: Cannot kill container: {container.name}: {said}")
        super().kill(container)

    def set_webhooks(self, patch: Mapping[str, Any]) -> None:
        """Merge a patch of a webhook configuration."""
        for webhook in patch.get("webhooks", ()):
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
        container = self.containers[name]
        heard = name not in self.deaf and "kubelet" not in container.halted
        if container.status == "running" and not container.rules and heard:
            self._heard[name] = next(self._ticks)
        self._meet(name, "POSTROUTING")

    def ask_kubelet(self, container: Container, name: str) -> CommandResult:
        """Let a kubelet answer; the packets that do not reach it are the only ones that are sent to its node."""
        if self.containers[name].rules and not self.leaky:
            self._meet(name, "PREROUTING")
            return CommandResult("", "curl: (28) Connection timed out", 28)
        return super().ask_kubelet(container, name)

    def _meet(self, name: str, chain: str) -> None:
        rules = self.containers[name].rules
        rules[:] = [(rule, met + self.packets * rule.startswith(chain)) for rule, met in rules]


class _Api(Api):
    """The API of nodes, leases and evictions; the rest is the world's."""

    def do_GET(self) -> None:  # noqa: N802 - the name in the base class
        url, world = urlsplit(self.path), self.node_world
        name = url.path.rpartition("/")[2]
        if url.path in _KINDS:
            self.answer(200, {"resources": [{"kind": kind, "name": f"{kind.lower()}s"} for kind in _KINDS[url.path]]})
        elif url.path.endswith("webhookconfigurations") and "watch" not in url.query:
            which = "mutating" if "mutating" in name else "validating"
            kinds = {"mutating": "mutation", "validating": "validation"}
            named = [webhook for webhook in world.webhooks if webhook.startswith(kinds[which])]
            webhooks = [{"name": webhook, **world.webhooks[webhook]} for webhook in named]
            metadata = {"name": f"gatekeeper-{which}-webhook-configuration"}
            self.answer(200, {"items": [{"metadata": metadata, "webhooks": webhooks}]})
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
            world = self.node_world
            said = "failed calling webhook: no endpoints" if world.closed else "ok"
            if any(map(world.etcd_stands_still, world.containers.values())):
                said = "etcdserver: request timed out"
            self.answer(200 if said == "ok" else 500, {"message": said})
            return
        if "webhooks" in body:
            self.node_world.set_webhooks(body)
        else:
            self.node_world.admit(body)
        self.answer(200, {})

    def do_DELETE(self) -> None:  # noqa: N802 - the name in the base class
        path = urlsplit(self.path).path
        if "/pods/" in path:
            if self.node_world.begotten.pop(path.rpartition("/")[2], None):
                self.answer(200, {})
            else:
                super().do_DELETE()
            return
        self.node_world.missing.add(path.rpartition("/")[2])
        self.answer(200, {})

    def do_POST(self) -> None:  # noqa: N802 - the name in the base class
        if not self.path.endswith("/eviction"):
            super().do_POST()
            return
        self.rfile.read(int(self.headers["Content-Length"]))
        world, name = self.node_world, self.path.split("/")[-2]
        if world.budget:
            world.budget -= 1
            self.answer(429, {"message": "Cannot evict pod as it would violate the pod's disruption budget."})
            return
        if "evict" not in world.ignored:
            world.pods.pop(name)
        self.answer(201, {})

    @property
    def node_world(self) -> NodeWorld:
        world = self.server.world
        assert isinstance(world, NodeWorld)
        return world
