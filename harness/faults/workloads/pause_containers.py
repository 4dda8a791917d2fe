"""Paused containers: the fault that has all processes of pods stand still, like a program that hangs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from chaos_harness.clusters.api.label_selectors import Selector
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import RESTARTS
from chaos_harness.harness.faults.targets import Target, find_pods, require_chosen
from chaos_harness.harness.faults.workloads.cgroups import CGROUP
from chaos_harness.harness.faults.workloads.kill_containers import find_processes
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import run_in_container

__all__ = ["PAUSED", "go_on", "pause_containers"]

PAUSED = "paused"
"""How, in a history, pods were harmed."""

_SECONDS = 30.0
_PROOF_SECONDS = 0.2
_STOPPED = "T"
_FOLDER_OF = CGROUP + 'cgroup "$1"'
# Twice: who was not stopped yet may have started another process. One that ends meanwhile is no error.
_STOP = """
for _ in 1 2; do
    kill -STOP $(cat "$1/cgroup.procs")
done 2>/dev/null
exit 0
"""
_GO_ON = """
[ -f "$1/cgroup.procs" ] || exit 0
kill -CONT $(cat "$1/cgroup.procs") 2>/dev/null
! grep -hs '^State:.T' $(sed 's,.*,/proc/&/status,' "$1/cgroup.procs") /dev/null
"""
# Prints a letter for the state of each thread, and how often the kernel has scheduled all of them together.
_STATES = r"""
[ -f "$1/cgroup.procs" ] || exit 1
states= times=0
while read -r pid; do
    for task in "/proc/$pid/task/"*; do
        while read -r name value _; do
            case $name in
                State:) [ "$value" = Z ] || states+=$value ;;
                *voluntary_ctxt_switches:) times=$((times + value)) ;;
            esac
        done < "$task/status"
    done
done < "$1/cgroup.procs"
echo "$states" "$times"
"""


def pause_containers(
    *pods: str, selector: Annotated[Selector, Field(examples=["k8s-app=kube-proxy"])] = "", namespace: str = ""
) -> Fault:
    """Return the fault that has all processes of pods stand still (SIGSTOP), as if they hung.

    The pods are chosen by name or label selector, in `namespace`, by default Gatekeeper's. Connections to them stay
    open and get no answer; healing has them go on (SIGCONT). It is proved by their threads, of which the kernel
    schedules none for a while. A container with a liveness probe is killed and started again by its kubelet: then
    the fault has faded. Raises BadScenario.
    """
    require_chosen("pause_containers", pods, selector)
    return _PausedContainers(pods, selector, namespace)


@undo
def go_on(engine: Engine, *, node: str, folder: str) -> None:
    """Have the processes of a container go on, by the folder of its cgroup; one that is gone needs nothing."""
    done = run_in_container(engine, node, "bash", "-c", _GO_ON, "go on", folder, ended_by="stop")
    if done is not None and done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        raise CommandFailed(f"the processes in {folder} on {node} could not go on: {said}")


@dataclass(frozen=True)
class _Container:
    """A container by its pod, its node, and the folder of its cgroup."""

    pod: str
    node: str
    folder: str


@dataclass(frozen=True)
class _Threads:
    """The states of all threads of a container, a letter each, and how often they were scheduled so far."""

    states: str
    times: int


class _PausedContainers:
    name = "pause containers"
    leaves = RESTARTS
    harms_pods = PAUSED
    healed_within = 420.0  # the kubelet's longest back-off, if it has ended a container

    def __init__(self, pods: Sequence[str], selector: str, namespace: str) -> None:
        self._pods = pods
        self._selector = selector
        self._namespace = namespace
        self._paused: dict[_Container, int] = {}

    def inject(self, injection: Injection) -> None:
        cluster, deadline = injection.cluster, Deadline.after(_SECONDS, "the containers to stand still")
        with cluster.client() as api:
            targets = find_pods(api, self._namespace or cluster.shape.namespace, self._pods, self._selector)
        found = [(target, _containers_of(cluster, target, deadline)) for target in targets]
        for target, containers in found:
            injection.note_harm(self.harms_pods, target)
            for one in containers:
                injection.undo(go_on, harm={}, node=one.node, folder=one.folder)
                self._paused[one] = 0
                cluster.exec(one.node, ["bash", "-c", _STOP, "stop", one.folder], deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        proofs = []
        for one in self._paused:
            threads = _stand_still(cluster, one, deadline)
            self._paused[one] = threads.times
            count = len(threads.states)
            proofs.append(
                f"all {count} threads of {one.pod} on {one.node} stand still, none ran for {_PROOF_SECONDS} s"
            )
        return "; ".join(proofs)

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        proofs = []
        for one, times in self._paused.items():
            threads = _read(cluster, one, deadline)
            where = f"{one.pod} on {one.node}"
            if threads is None:
                proofs.append(f"the container of {where} that stood still has ended")
                continue
            if still := threads.states.count(_STOPPED):
                raise FaultNotApplied(
                    f"expected {where} to go on, {still} of {len(threads.states)} threads stand still"
                )
            if threads.times <= times:
                raise FaultNotApplied(f"expected {where} to go on, none of its threads has run since it stood still")
            proofs.append(f"{where} goes on")
        return "; ".join(proofs)


def _containers_of(cluster: Cluster, target: Target, deadline: Deadline) -> list[_Container]:
    """Return the containers of a pod. Raises FaultNotApplied if one stands still already."""
    containers = []
    for pid in find_processes(cluster, target, deadline):
        folder = cluster.exec(target.node, ["bash", "-c", _FOLDER_OF, "folder", pid], deadline).stdout.strip()
        one = _Container(target.pod, target.node, folder)
        if _STOPPED in _require_threads(cluster, one, deadline).states:
            raise FaultNotApplied(
                f"expected {one.pod} on {one.node} to run, it stands still already: is another fault at it?"
            )
        containers.append(one)
    return containers


def _stand_still(cluster: Cluster, one: _Container, deadline: Deadline) -> _Threads:
    """Return the threads of a container once none of them was scheduled for a while. Raises FaultNotApplied."""
    before = None
    for _ in deadline.attempts(first=_PROOF_SECONDS):
        threads = _require_threads(cluster, one, deadline)
        if threads == before and set(threads.states) == {_STOPPED}:
            return threads
        before = threads
    running = len(threads.states) - threads.states.count(_STOPPED)
    raise FaultNotApplied(f"expected all threads of {one.pod} on {one.node} to stand still, {running} run")


def _require_threads(cluster: Cluster, one: _Container, deadline: Deadline) -> _Threads:
    threads = _read(cluster, one, deadline)
    if threads is None:
        raise FaultNotApplied(f"faded: a container of {one.pod} on {one.node} has ended")
    return threads


def _read(cluster: Cluster, one: _Container, deadline: Deadline) -> _Threads | None:
    """Return the threads of a container, None if it has ended."""
    done = cluster.exec(one.node, ["bash", "-c", _STATES, "states", one.folder], deadline, check=False)
    states, _, times = done.stdout.strip().rpartition(" ")
    return None if done.returncode or not states else _Threads(states, int(times))
