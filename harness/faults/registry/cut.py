"""Registry cut: the fault that makes image pulls fail: registry stopped, packets dropped, or 503."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.registry.container import DOWN_FILE, Registry
from chaos_harness.harness.errors import BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.targets import require_nodes
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import Ending, run_in_container
from chaos_harness.harness.undo.iptables import Rule, new_comment

if TYPE_CHECKING:
    from chaos_harness.harness.undo.promises import RegisteredUndo

__all__ = ["cut_registry", "delete_down_file", "restore", "start"]

CUT = "cut registry"
"""The fault's name in a history, for every way to do it."""

CutMethod = Literal["stop", "drop", "503"]

_SECONDS = 60.0
_STOP_SECONDS = 2
_ANSWER_SECONDS = 4
_WHOLE = {"running": True, "down": False}


def cut_registry(how: CutMethod = "stop", nodes: Sequence[str] = ()) -> Fault:
    """Return the fault that makes pulls impossible.

    "stop" ends the registry's container; "drop" drops the packets that `nodes` (container names; none:
    all of them) send to it, which looks like a dead link; "503" makes it answer that to everything.
    Raises BadScenario.
    """
    if how not in ("stop", "drop", "503"):
        raise BadScenario(f"cut_registry(how={how!r}): expected 'stop', 'drop' or '503'")
    if nodes and how != "drop":
        raise BadScenario(f"cut_registry(how={how!r}, nodes=…): only 'drop' can choose nodes")
    if how == "drop":
        return _PacketDrop(tuple(nodes))
    return _RegistryStop() if how == "stop" else _Unavailable()


@undo
def restore(engine: Engine, *, container: str, running: bool, down: bool) -> None:
    """Start the registry's container and delete the file that makes it answer 503, unless the container is gone.

    While another fault keeps the container stopped (`running` is false) or answering 503 (`down` is true), that stays.
    The file in a stopped container is left to the undo that starts it.
    """
    if running:
        start(engine, container=container)
    if not down:
        _delete_down_file(engine, container, ended_by="removal" if running else "stop")


@undo
def start(engine: Engine, *, container: str) -> None:
    """Start the registry's container, unless it runs or is gone."""
    deadline = Deadline.after(_SECONDS, f"{container} to start")
    done = engine.run(["start", container], deadline, check=False)
    if done.returncode and "no such container" not in done.stderr.lower():
        raise CommandFailed(f"{container} could not be started: {done.stderr.strip()}")


@undo
def delete_down_file(engine: Engine, *, container: str) -> None:
    """Delete the file that makes the registry answer 503; the file survives a stop of the container."""
    _delete_down_file(engine, container, ended_by="removal")


def _delete_down_file(engine: Engine, container: str, ended_by: Ending) -> None:
    done = run_in_container(engine, container, "rm", "-f", DOWN_FILE, ended_by=ended_by)
    if done is not None and done.returncode:
        raise CommandFailed(f"`rm -f {DOWN_FILE}` in {container}: {done.stderr.strip()}")


class _RegistryHarm:
    """Harm to the registry's container, by one fault or by several at a time."""

    name = CUT

    def __init__(self) -> None:
        self._undo: RegisteredUndo | None = None

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Prove that the registry answers, or that it does what another fault still makes it do."""
        given = self._undo.given if self._undo else _WHOLE
        wanted = "no answer" if not given["running"] else "503" if given["down"] else "200"
        said = _wait_for_answer(cluster, cluster.nodes(), wanted, deadline)
        return said if wanted == "200" else f"another fault cuts it off: {said}"

    def _register(self, injection: Injection, container: str, harm: Mapping[str, bool]) -> None:
        self._undo = injection.undo(restore, harm=harm, container=container, **_WHOLE)


class _RegistryStop(_RegistryHarm):
    """The registry's container is stopped."""

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        registry = _registry(cluster)
        self._register(injection, registry.container, {"running": False})
        deadline = Deadline.after(_SECONDS, f"{registry.container} to stop")
        cluster.engine.run(["stop", "-t", str(_STOP_SECONDS), registry.container], deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        registry = _registry(cluster)
        state = _state(cluster.engine, registry.container, deadline)
        if state != "exited":
            raise FaultNotApplied(
                f"expected {registry.container} to be exited, it is {state}; "
                f"see `docker --host {cluster.engine.host} ps --all`"
            )
        return f"{registry.container} is exited; {_wait_for_answer(cluster, cluster.nodes(), 'no answer', deadline)}"


class _Unavailable(_RegistryHarm):
    """The registry answers 503 to everything."""

    def __init__(self) -> None:
        super().__init__()
        self._began = datetime.now(UTC)

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        registry = _registry(cluster)
        self._began = datetime.now(UTC)
        self._register(injection, registry.container, {"down": True})
        deadline = Deadline.after(_SECONDS, f"{registry.container} to answer 503")
        cluster.engine.run(["exec", registry.container, "touch", DOWN_FILE], deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        registry = _registry(cluster)
        said = _wait_for_answer(cluster, cluster.nodes(), "503", deadline)
        refused = [line for line in registry.log(self._began) if line.status == 503]  # noqa: PLR2004
        if not refused:
            raise FaultNotApplied(f"{said}, but {registry.container} logged no request with status 503")
        return f"{said}; {registry.container} logged {len(refused)} requests with status 503"


class _PacketDrop:
    """Packets from nodes to the registry are dropped in the network namespaces of the nodes, where containerd pulls."""

    name = CUT

    def __init__(self, nodes: tuple[str, ...]) -> None:
        self._nodes = nodes
        self._comment = new_comment()

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        require_nodes(self._nodes, cluster.name, cluster.nodes())
        for rule in self._rules(cluster):
            rule.register(injection.undos)
            rule.insert(cluster, Deadline.after(_SECONDS, f"a rule on {rule.node}"))

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        nodes = self._affected_nodes(cluster)
        rules = self._rules(cluster)
        before = [_count_dropped(rule, cluster, deadline) for rule in rules]
        proofs = [_wait_for_answer(cluster, nodes, "no answer", deadline)]
        for rule, packets in zip(rules, before, strict=True):
            dropped = _count_dropped(rule, cluster, deadline) - packets
            if dropped <= 0:
                raise FaultNotApplied(
                    f"expected the rule {self._comment} on {rule.node} to drop packets, it dropped none"
                )
            proofs.append(f"{rule.node} dropped {dropped} packets")
        others = [node for node in cluster.nodes() if node not in nodes]
        return "; ".join([*proofs, *([_wait_for_answer(cluster, others, "200", deadline)] if others else [])])

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        nodes = self._affected_nodes(cluster)
        for rule in self._rules(cluster):
            if rule.packets(cluster, deadline) is not None:
                raise FaultNotApplied(f"expected no rule {self._comment} on {rule.node}, it is still there")
        return f"the rule is gone; {_wait_for_answer(cluster, nodes, '200', deadline)}"

    def _affected_nodes(self, cluster: Cluster) -> Sequence[str]:
        return self._nodes or cluster.nodes()

    def _rules(self, cluster: Cluster) -> list[Rule]:
        address, _, port = _registry(cluster).address_node.rpartition(":")
        match = ["-d", address, "-p", "tcp", "--dport", port]
        return [Rule(node, "OUTPUT", match, self._comment) for node in self._affected_nodes(cluster)]


def _count_dropped(rule: Rule, cluster: Cluster, deadline: Deadline) -> int:
    packets = rule.packets(cluster, deadline)
    if packets is None:
        raise FaultNotApplied(f"expected a rule {rule.comment} in {rule.chain} on {rule.node}, there is none")
    return packets


def _registry(cluster: Cluster) -> Registry:
    if cluster.registry is None:
        raise BadScenario(f"cluster {cluster.name} has no registry to cut: its shape says registry=False")
    return cluster.registry


def _state(engine: Engine, container: str, deadline: Deadline) -> str:
    return engine.run(["inspect", "--format", "{{.State.Status}}", container], deadline).stdout.strip()


def _wait_for_answer(cluster: Cluster, nodes: Sequence[str], wanted: str, deadline: Deadline) -> str:
    """Wait until each node gets `wanted` from the registry; return the answers as text or raise FaultNotApplied."""
    said: Mapping[str, str] = {}
    for _ in deadline.attempts(first=0.2):
        said = _ask(cluster, nodes, deadline)
        if all(answer.startswith(wanted) for answer in said.values()):
            return f"the registry, asked from {_words(said)}"
    raise FaultNotApplied(
        f"expected the registry to give {wanted!r} to {', '.join(nodes)} within {deadline.seconds:.0f} s, "
        f"last seen: {_words(said)}"
    )


def _ask(cluster: Cluster, nodes: Sequence[str], deadline: Deadline) -> dict[str, str]:
    with ThreadPoolExecutor(max_workers=max(1, len(nodes))) as pool:
        return dict(zip(nodes, pool.map(partial(_answer, cluster, deadline), nodes), strict=True))


def _answer(cluster: Cluster, deadline: Deadline, node: str) -> str:
    registry = _registry(cluster)
    limit = ["--max-time", str(_ANSWER_SECONDS), "--noproxy", "*"]
    said = ["--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}"]
    argv = ["curl", "--config", "-", *said, *limit, f"http://{registry.address_node}/v2/"]
    header = f'header = "Authorization: {registry.login.authorization}"\n'  # every user sees a command's arguments
    patience = Deadline.after(2 * _ANSWER_SECONDS, deadline.what)
    done = cluster.exec(node, argv, patience, check=False, stdin=header)
    return done.stdout if done.returncode == 0 else f"no answer ({done.stderr.strip()})"


def _words(said: Mapping[str, str]) -> str:
    nodes: dict[str, list[str]] = {}
    for node, answer in said.items():
        nodes.setdefault(answer, []).append(node)
    return "; from ".join(f"{', '.join(names)}: {answer}" for answer, names in nodes.items()) or "no node was asked"
