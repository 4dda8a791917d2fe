"""API server: the fault that kills it on a control plane, like a crash; the kubelet restarts it."""

import json
from contextlib import suppress
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import DeadlineExceeded, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.control_plane.static_pods import running_containers, static_pod_of
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import API_SERVER_ENDED, RESTARTS
from chaos_harness.harness.faults.targets import require_nodes

__all__ = ["CRASHED", "RESTARTED", "restart_api_server"]

CRASHED = "crashed"
"""How, in a history, the API server's pod was harmed."""

RESTARTED = "restart API server"
"""The fault's name in a history."""

_SECONDS = 30.0
_CONTAINER = "kube-apiserver"
_ENDPOINT = "https://127.0.0.1:6443"
_REFUSED = 7  # curl's exit status for a refused connection
_KILL_AND_ASK = f"""
kill -KILL "$1" || exit 1
for _ in $(seq 100); do
    curl --silent --insecure --noproxy '*' --max-time 1 --output /dev/null {_ENDPOINT}/livez
    status=$?
    [ $status = {_REFUSED} ] && exit 0
    sleep 0.05
done
echo "livez was asked 100 times, curl's last status is $status"
exit 2
"""


def restart_api_server(node: str = "") -> Fault:
    """Return the fault that kills (SIGKILL) the API server of the control plane `node` (default: the first).

    There is nothing to undo: the kubelet restarts it, after a back-off that grows (10 s before the second restart, then
    20 s, 40 s … 300 s). It is healed when a container runs and readyz says ok.
    """
    return _ApiServerRestart(node)


class _ApiServerRestart:
    name = RESTARTED
    leaves = (*RESTARTS, *API_SERVER_ENDED)
    healed_within = 420.0  # the kubelet's longest back-off, and a start on a busy machine

    def __init__(self, node: str) -> None:
        self._node = node
        self._before: dict[str, Any] = {}
        self._refused = ""

    def inject(self, injection: Injection) -> None:
        """Kill the container's process; nothing is journaled, because the kubelet restarts it."""
        cluster = injection.cluster
        node = self._on(cluster)
        require_nodes([node], cluster.name, cluster.control_planes)
        deadline = Deadline.after(_SECONDS, "the API server to be killed")
        running = running_containers(cluster, node, _CONTAINER, deadline)
        if not running:
            raise FaultNotApplied(f"expected {node} to run {_CONTAINER}, it does not; see `crictl ps --all` there")
        container = self._before = running[0]
        inspected = cluster.exec(node, ["crictl", "inspect", container["id"]], deadline)
        pid = str(json.loads(inspected.stdout)["info"]["pid"])
        injection.note_harm(CRASHED, static_pod_of(node, _CONTAINER, container))
        self._refused = self._kill(cluster, node, pid, deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        node = self._on(cluster)
        if self._refused:
            raise FaultNotApplied(f"expected {_ENDPOINT} on {node} to refuse connections: {self._refused}")
        killed = self._before["id"]
        with suppress(DeadlineExceeded):  # a busy node may take until then to answer
            for _ in deadline.attempts(first=0.2):
                if all(
                    container["id"] != killed for container in running_containers(cluster, node, _CONTAINER, deadline)
                ):
                    return f"{_ENDPOINT} on {node} refused a connection, and container {killed[:12]} has ended"
        raise FaultNotApplied(
            f"expected container {killed[:12]} of {_CONTAINER} on {node} to end within {deadline.seconds:.0f} s, "
            "it runs; see `crictl ps --all` there"
        )

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        node, said = self._on(cluster), "nothing: no container ran"
        for _ in deadline.attempts(first=0.2):
            container = next(iter(running_containers(cluster, node, _CONTAINER, deadline)), None)
            if container is None:
                continue
            argv = ["curl", "--silent", "--insecure", "--noproxy", "*", "--max-time", "5", f"{_ENDPOINT}/readyz"]
            done = cluster.exec(node, argv, deadline, check=False)
            said = done.stdout.strip() or f"curl's status {done.returncode}"
            if said == "ok":
                attempt = container["metadata"]["attempt"]
                return f"readyz on {node} says ok; container {container['id'][:12]} runs, attempt {attempt}"
        raise FaultNotApplied(f"expected readyz on {node} to say ok within {deadline.seconds:.0f} s, it said {said}")

    def _on(self, cluster: Cluster) -> str:
        return self._node or cluster.control_planes[0]

    def _kill(self, cluster: Cluster, node: str, pid: str, deadline: Deadline) -> str:
        """Kill the process and ask at once; return why connections were not refused, or "" if they were."""
        done = cluster.exec(node, ["bash", "-c", _KILL_AND_ASK, "kill", pid], deadline, check=False)
        return "" if done.returncode == 0 else (done.stdout.strip() or done.stderr.strip() or "it was not killed")
