"""Containers: the fault that kills the containers of pods from the node, like a crash."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chaos_harness.clusters.api.label_selectors import Selector
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import RESTARTS
from chaos_harness.harness.faults.targets import Target, find_pods, require_chosen

__all__ = ["find_processes", "kill_containers"]

KILLED = "killed"
"""`Entry.f` of harm entries for pods whose containers were killed."""

_SECONDS = 30.0
_RUNNING = "CONTAINER_RUNNING"


def kill_containers(*pods: str, selector: Selector = "", namespace: str = "") -> Fault:
    """Return the fault that kills (SIGKILL) all running containers of pods, chosen by name or label selector.

    They are in `namespace`, by default Gatekeeper's.
    There is nothing to heal: the kubelet restarts them, and checks measure how long it takes. Raises BadScenario.
    """
    require_chosen("kill_containers", pods, selector)
    return _ContainerKill(pods, selector, namespace)


class _ContainerKill:
    name = "kill containers"
    leaves = RESTARTS
    harms_pods = KILLED
    healed = ONE_SHOT

    def __init__(self, pods: Sequence[str], selector: str, namespace: str) -> None:
        self._pods = pods
        self._selector = selector
        self._namespace = namespace
        self._targets: list[Target] = []

    def inject(self, injection: Injection) -> None:
        """Kill the processes; nothing is journaled, because the kubelet restarts them."""
        cluster, deadline = injection.cluster, Deadline.after(_SECONDS, "the containers to be killed")
        self._namespace = self._namespace or cluster.shape.namespace
        with cluster.client() as api:
            self._targets = find_pods(api, self._namespace, self._pods, self._selector)
        running = [(target, find_processes(cluster, target, deadline)) for target in self._targets]
        for target, pids in running:
            injection.note_harm(self.harms_pods, target)
            self._kill(cluster, target.node, pids, deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        proofs = []
        for target in self._targets:
            for container in target.containers:
                state = self._wait_for_end(cluster, target.node, container, deadline)
                proofs.append(f"container {container[:12]} of {target.pod} on {target.node} is {state}")
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        try:
            with cluster.client() as api:
                seen = wait_until(api, path, self._describe_changes, deadline)
        except DeadlineExceeded as error:
            raise FaultNotApplied(f"expected the kubelet to notice the killed containers: {error}") from error
        return "; ".join([*proofs, *seen])

    def _kill(self, cluster: Cluster, node: str, pids: Sequence[str], deadline: Deadline) -> None:
        cluster.exec(node, ["kill", "-KILL", *pids], deadline)

    def _wait_for_end(self, cluster: Cluster, node: str, container: str, deadline: Deadline) -> str:
        state = ""
        for _ in deadline.attempts():
            done = cluster.exec(node, ["crictl", "inspect", container], deadline, check=False)
            status = json.loads(done.stdout)["status"] if done.returncode == 0 else {"state": "gone"}
            state = status["state"]
            if state != _RUNNING:
                return f"{state.removeprefix('CONTAINER_').lower()} (exit code {status.get('exitCode', 'unknown')})"
        raise FaultNotApplied(
            f"expected container {container} on {node} to be dead after {deadline.seconds:.0f} s, it is {state}"
        )

    def _describe_changes(self, state: Mapping[str, Mapping[str, Any]]) -> list[str] | None:
        pods = {pod["metadata"]["uid"]: pod for pod in state.values()}
        changes = [_describe_change(target, pods.get(target.uid)) for target in self._targets]
        return [change for change in changes if change] if all(changes) else None


def find_processes(cluster: Cluster, target: Target, deadline: Deadline) -> list[str]:
    """Return the process ids, in the node, of the pod's running containers, as crictl knows them."""
    label = ["--label", f"io.kubernetes.pod.uid={target.static or target.uid}"]
    listed = cluster.exec(target.node, ["crictl", "ps", "--state", "Running", "--output", "json", *label], deadline)
    ids = {container["id"] for container in json.loads(listed.stdout)["containers"]}
    if not ids or ids != set(target.containers):
        raise FaultNotApplied(
            f"expected {target.pod} to run {', '.join(target.containers) or 'a container'} on {target.node}, "
            f"found {', '.join(sorted(ids)) or 'none'}: it is restarting by itself"
        )
    pids = []
    for container_id in ids:
        inspected = cluster.exec(target.node, ["crictl", "inspect", container_id], deadline)
        pids.append(str(json.loads(inspected.stdout)["info"]["pid"]))
    return pids


def _describe_change(target: Target, pod: Mapping[str, Any] | None) -> str:
    """Return how the API shows that none of the target's containers runs any more, or ""."""
    if pod is None:
        return f"{target.pod} is gone"
    restarts = []
    for status in pod["status"].get("containerStatuses") or ():
        identity = status.get("containerID", "").rpartition("/")[2]
        if identity in target.containers and "running" in status["state"]:
            return ""
        restarts.append(f"{target.pod} restarts: {status['restartCount']}, {', '.join(status['state'])}")
    return "; ".join(restarts)
