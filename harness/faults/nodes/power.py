"""Power: the faults that kill, stop, pause or reboot a node's container, like a power cut or a hypervisor."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.retry import retry_while_busy
from chaos_harness.harness.errors import CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import Leave, shut_down, started_again
from chaos_harness.harness.faults.nodes.victims import Nodes, Victims
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
_TOGETHER_SECONDS = 300.0
"""How long several nodes, a control plane among them, may take to be back."""

_GONE = "no such"
_NOT_PAUSED = "is not paused"


def kill_node(node: Nodes) -> Fault:
    """Return the fault that kills (SIGKILL) all processes of `node` at once; healing starts it again.

    Several nodes (a list) go down together, the only control plane among them if it is named; they start in the reverse
    order. Then it is proved by the API server, which does not answer any more. Raises BadScenario.
    """
    return _Down(_KILL, node)


def stop_node(node: Nodes) -> Fault:
    """Return the fault that shuts `node` down through systemd (the kubelet before the pods); healing starts it.

    Several nodes (a list) go down and start as with `kill_node`. Raises BadScenario.
    """
    return _Down(_STOP, node)


def pause_node(node: Nodes) -> Fault:
    """Return the fault that freezes all processes of `node`; connections to it stay open and get no answer.

    Several nodes (a list) are frozen and go on as with `kill_node`. Raises BadScenario.
    """
    return _Down(_PAUSE, node)


def reboot_node(node: Nodes) -> Fault:
    """Return the fault that shuts `node` down and starts it again at once; there is nothing to heal.

    Several nodes (a list) are rebooted one after the other, whether or not the one before is back. Raises BadScenario.
    """
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
    """Nodes that are down until they are healed."""

    def __init__(self, kind: _Kind, node: Nodes) -> None:
        self.name = kind.name
        self.harms_nodes = kind.how
        self._kind = kind
        self._victims = Victims(node)
        self._addresses: dict[str, str] = {}
        self.leaves = _started_again(self._victims, in_order=kind is _STOP) if kind.restarts else ()
        if len(self._victims.nodes) > 1:
            self.healed_within = _TOGETHER_SECONDS

    def inject(self, injection: Injection) -> None:
        cluster, victims = injection.cluster, self._victims
        victims.require(cluster)
        self._addresses = _addresses(cluster, victims, injection.undos)
        for node in victims.nodes:
            self._require_possible(cluster.engine, node)
        if victims.unheard:
            victims.hear(cluster)
        for node in victims.nodes:
            if self._kind.restarts:
                injection.undo(start, node=node, network=cluster.network, address=self._addresses[node])
            else:
                injection.undo(resume, node=node)
        for node in victims.nodes:
            injection.note_node_harm(self.harms_nodes, node)
        down = Deadline.after(_SECONDS, f"{victims} to go down")
        retry_while_busy(cluster.engine, self._kind.command, victims.nodes, down)
        if not victims.unheard:
            victims.hear(cluster)

    def _require_possible(self, engine: Engine, node: str) -> None:
        """Raise FaultNotApplied, before anything is promised, if the engine would refuse."""
        container = _inspect(engine, node)
        if container and (state := container["State"]["Status"]) in self._kind.refused_when:
            raise FaultNotApplied(f"expected {node} to be running, it is {state}: is another fault at it?")

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        states = [_require_state(cluster.engine, node, self._kind.leaves) for node in self._victims.nodes]
        return "; ".join([*states, self._victims.wait_silent(cluster, deadline)])

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        for node in self._victims.nodes:
            _require_state(cluster.engine, node, "running")
        _require_addresses(cluster, self._addresses)
        return self._victims.wait_back(cluster, deadline, restarted=self._kind.restarts)


class _Reboot:
    """Nodes that go down and come up again without healing."""

    name = "reboot node"
    harms_nodes = REBOOTED_NODE

    def __init__(self, node: Nodes) -> None:
        self._victims = Victims(node)
        self._addresses: dict[str, str] = {}
        self._started: dict[str, str] = {}
        self.leaves = _started_again(self._victims, in_order=True)
        if len(self._victims.nodes) > 1:
            self.healed_within = self.proved_within = _TOGETHER_SECONDS

    def inject(self, injection: Injection) -> None:
        cluster, victims = injection.cluster, self._victims
        victims.require(cluster)
        self._addresses = _addresses(cluster, victims, injection.undos)
        victims.hear(cluster)
        self._started = {node: _read_start(cluster.engine, node) for node in victims.nodes}
        for node in victims.nodes:
            injection.undo(start, node=node, network=cluster.network, address=self._addresses[node])
            injection.note_node_harm(self.harms_nodes, node)
        for node in victims.nodes:
            deadline = Deadline.after(_SECONDS, f"{node} to go down and start")
            retry_while_busy(cluster.engine, ("restart", "-t", str(_STOP_SECONDS)), [node], deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        proofs = []
        for node in self._victims.nodes:
            before, started = self._started.get(node, ""), _read_start(cluster.engine, node)
            if started == before or not before:
                raise FaultNotApplied(f"expected {node} to restart, it has run since {started}")
            proofs.append(f"{node} ran since {before}, now since {started}")
        return "; ".join([*proofs, self._victims.wait_back(cluster, deadline, restarted=True)])

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        _require_addresses(cluster, self._addresses)
        return self._victims.wait_back(cluster, deadline, restarted=True)


def _started_again(victims: Victims, *, in_order: bool) -> tuple[Leave, ...]:
    """Return what is left of nodes that started again; `in_order`: after they had shut down, not been killed."""
    ended = [leave for node in victims.nodes for leave in shut_down(node)] if in_order else []
    return tuple(dict.fromkeys([*(leave for node in victims.nodes for leave in started_again(node)), *ended]))


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


def _addresses(cluster: Cluster, victims: Victims, undos: Undos) -> dict[str, str]:
    return {node: _address(cluster, node, undos) for node in victims.nodes}


def _require_addresses(cluster: Cluster, wanted: Mapping[str, str]) -> None:
    for node, address in wanted.items():
        if address and (has := _address(cluster, node)) != address:
            raise FaultNotApplied(f"expected {node} to have its address {address} again, it has {has or 'none'}")


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
