"""Power: the faults that kill, stop, pause or reboot a node's container, like a power cut or a hypervisor."""

import json
from dataclasses import dataclass
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.retry import retry_while_busy
from chaos_harness.harness.errors import CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import started_again
from chaos_harness.harness.faults.nodes.heartbeats import (
    Heartbeat,
    read_heartbeat,
    require_victim,
    wait_back,
    wait_silent,
)
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.promises import Undos

__all__ = [
    "KILLED_NODE",
    "PAUSED_NODE",
    "REBOOTED_NODE",
    "STOPPED_NODE",
    "kill_node",
    "pause_node",
    "reboot_node",
    "resume",
    "start",
    "stop_node",
]

KILLED_NODE, STOPPED_NODE, PAUSED_NODE, REBOOTED_NODE = "killed node", "stopped node", "paused node", "rebooted node"
"""How, in a history, a node was harmed."""

_SECONDS = 60.0
_STOP_SECONDS = 20
_GONE = "no such"
_NOT_PAUSED = "is not paused"


def kill_node(node: str) -> Fault:
    """Return the fault that kills (SIGKILL) all processes of `node` at once; healing starts it again."""
    return _Down(_KILL, node)


def stop_node(node: str) -> Fault:
    """Return the fault that shuts `node` down through systemd (the kubelet before the pods); healing starts it."""
    return _Down(_STOP, node)


def pause_node(node: str) -> Fault:
    """Return the fault that freezes all processes of `node`; connections to it stay open and get no answer."""
    return _Down(_PAUSE, node)


def reboot_node(node: str) -> Fault:
    """Return the fault that shuts `node` down and starts it again at once; there is nothing to heal."""
    return _Reboot(node)


@undo
def start(engine: Engine, *, node: str, network: str, address: str) -> None:
    """Start a node's container with its old address, unless it runs or is gone.

    By itself the engine would assign the lowest free address, which may belong to another node that is down.
    """
    state = _inspect(engine, node)
    if state is None or state["State"]["Status"] in ("running", "paused"):
        return
    deadline = Deadline.after(_SECONDS, f"{node} to start")
    config = state["NetworkSettings"]["Networks"].get(network, {}).get("IPAMConfig") or {}
    if config.get("IPv4Address") != address:
        engine.run(["network", "disconnect", "--force", network, node], deadline, check=False)
        engine.run(["network", "connect", "--ip", address, network, node], deadline)
    done = engine.run(["start", node], deadline, check=False)
    if done.returncode and _GONE not in done.stderr.lower():
        raise CommandFailed(f"{node} could not be started: {done.stderr.strip()}")


@undo
def resume(engine: Engine, *, node: str) -> None:
    """Resume a node's processes; a node that runs, or is gone, stays as it is."""
    done = engine.run(["unpause", node], Deadline.after(_SECONDS, f"{node} to run again"), check=False)
    said = done.stderr.lower()
    if done.returncode and _NOT_PAUSED not in said and _GONE not in said and "is not running" not in said:
        raise CommandFailed(f"{node} could not be resumed: {done.stderr.strip()}")


@dataclass(frozen=True)
class _Kind:
    """One way to lose a node: how the engine does it, what state that leaves, and what takes it back.

    The engine refuses it to a node in one of the states `refused_when`.
    """

    name: str
    how: str
    command: tuple[str, ...]
    leaves: str
    restarts: bool
    refused_when: tuple[str, ...] = ()


_KILL = _Kind("kill node", KILLED_NODE, ("kill", "--signal", "KILL"), "exited", restarts=True, refused_when=("exited",))
_STOP = _Kind("stop node", STOPPED_NODE, ("stop", "-t", str(_STOP_SECONDS)), "exited", restarts=True)
_PAUSE = _Kind("pause node", PAUSED_NODE, ("pause",), "paused", restarts=False, refused_when=("exited", "paused"))


class _Down:
    """A node that is down until it is healed."""

    def __init__(self, kind: _Kind, node: str) -> None:
        self.name = kind.name
        self.harms_nodes = kind.how
        self.leaves = started_again(node) if kind.restarts else ()
        self._kind = kind
        self._node = node
        self._last = Heartbeat()
        self._address = ""

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        require_victim(cluster, self._node)
        self._require_possible(cluster.engine)
        self._address = _address(cluster, self._node, injection.undos)
        if self._kind.restarts:
            injection.undo(start, node=self._node, network=cluster.network, address=self._address)
        else:
            injection.undo(resume, node=self._node)
        injection.note_node_harm(self.harms_nodes, self._node)
        down = Deadline.after(_SECONDS, f"{self._node} to go down")
        retry_while_busy(cluster.engine, self._kind.command, [self._node], down)
        self._last = _read_heartbeat(cluster, self._node)

    def _require_possible(self, engine: Engine) -> None:
        """Raise FaultNotApplied, before anything is promised, if the engine would refuse."""
        container = _inspect(engine, self._node)
        if container and (state := container["State"]["Status"]) in self._kind.refused_when:
            raise FaultNotApplied(f"expected {self._node} to be running, it is {state}: is another fault at it?")

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        state = _require_state(cluster.engine, self._node, self._kind.leaves)
        return f"{state}; {wait_silent(cluster, self._node, self._last, deadline)}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        _require_state(cluster.engine, self._node, "running")
        _require_address(cluster, self._node, self._address)
        return wait_back(cluster, self._node, self._last, deadline, restarted=self._kind.restarts)


class _Reboot:
    """A node that goes down and comes up again without healing."""

    name = "reboot node"
    harms_nodes = REBOOTED_NODE

    def __init__(self, node: str) -> None:
        self._node = node
        self._last = Heartbeat()
        self._address = self._started = ""
        self.leaves = started_again(node)

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        require_victim(cluster, self._node)
        self._address = _address(cluster, self._node, injection.undos)
        self._started = _read_start(cluster.engine, self._node)
        self._last = _read_heartbeat(cluster, self._node)
        injection.undo(start, node=self._node, network=cluster.network, address=self._address)
        injection.note_node_harm(self.harms_nodes, self._node)
        deadline = Deadline.after(_SECONDS, f"{self._node} to go down and start")
        retry_while_busy(cluster.engine, ("restart", "-t", str(_STOP_SECONDS)), [self._node], deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        started = _read_start(cluster.engine, self._node)
        if started == self._started or not self._started:
            raise FaultNotApplied(f"expected {self._node} to restart, it has run since {started}")
        back = wait_back(cluster, self._node, self._last, deadline, restarted=True)
        return f"{self._node} ran since {self._started}, now since {started}; {back}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        _require_address(cluster, self._node, self._address)
        return wait_back(cluster, self._node, self._last, deadline, restarted=True)


def _read_heartbeat(cluster: Cluster, node: str) -> Heartbeat:
    with cluster.client() as api:
        return read_heartbeat(api, node)


def _require_state(engine: Engine, node: str, wanted: str) -> str:
    state = (_inspect(engine, node) or {"State": {"Status": "gone"}})["State"]
    if state["Status"] != wanted:
        raise FaultNotApplied(
            f"expected {node} to be {wanted}, it is {state['Status']}; see `docker --host {engine.host} ps --all`"
        )
    code = f" (exit code {state['ExitCode']})" if wanted == "exited" else ""
    return f"{node} is {wanted}{code}"


def _read_start(engine: Engine, node: str) -> str:
    return str((_inspect(engine, node) or {"State": {"StartedAt": "never"}})["State"]["StartedAt"])


def _address(cluster: Cluster, node: str, undos: Undos | None = None) -> str:
    """Return the address of a node; for a node that is down already, the one with which its undo starts it."""
    for other in undos.standing(start, node=node) if undos else ():
        return str(other.arguments["address"])
    container = _inspect(cluster.engine, node) or {"NetworkSettings": {"Networks": {}}}
    return str(container["NetworkSettings"]["Networks"].get(cluster.network, {}).get("IPAddress", ""))


def _require_address(cluster: Cluster, node: str, wanted: str) -> None:
    address = _address(cluster, node)
    if wanted and address != wanted:
        raise FaultNotApplied(f"expected {node} to have its address {wanted} again, it has {address or 'none'}")


def _inspect(engine: Engine, node: str) -> dict[str, Any] | None:
    """Return the engine's description of a container, or None if it is gone."""
    deadline = Deadline.after(_SECONDS, f"the state of {node}")
    done = engine.run(["inspect", "--type", "container", node], deadline, check=False)
    if done.returncode and _GONE in done.stderr.lower():
        return None
    if done.returncode:
        raise CommandFailed(f"`docker inspect {node}`: {done.stderr.strip()}")
    container: dict[str, Any] = json.loads(done.stdout)[0]
    return container
