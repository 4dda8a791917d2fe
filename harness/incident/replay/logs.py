"""Logs: collects the logs of Gatekeeper, the control plane and the kubelets from the nodes of a running cluster."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness import private
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.redaction import redact

__all__ = ["collect"]

_SECONDS = 90.0
_MOST_BYTES = 256 * 1024
_KUBELET_LINES = 400
_PODS = "/var/log/pods"
_WANTED = tuple(
    f"{_PODS}/kube-system_{name}-*/*/*.log"
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
)


def collect(cluster: Cluster, target: Path) -> list[str]:
    """Write the last 256 KiB of each log below `target`, without secrets; return which are missing, and why."""
    deadline = Deadline.after(_SECONDS, f"the logs of {cluster.name}")
    missing = []
    for node in cluster.nodes():
        folder = target / node.removeprefix(f"{cluster.name}-")
        private.directory(folder)
        try:
            for name, command in _commands(cluster, node, deadline):
                said = cluster.exec(node, ["sh", "-c", command], deadline, check=False).stdout
                private.write(folder / name, redact(said))
        except HarnessError as error:
            missing.append(f"logs of {node}: {error}")
    return missing


def _commands(cluster: Cluster, node: str, deadline: Deadline) -> Iterator[tuple[str, str]]:
    wanted = [f"{_PODS}/{cluster.shape.namespace}_*/*/*.log", *_WANTED]
    listed = cluster.exec(node, ["sh", "-c", f"ls -1d {' '.join(wanted)} 2>/dev/null"], deadline, check=False).stdout
    for path in listed.splitlines():
        pod, container, file = path.removeprefix(f"{_PODS}/").split("/")
        namespace, name, _uid = pod.split("_")
        yield f"{namespace}.{name}.{container}.{file}", f"tail -c {_MOST_BYTES} {shlex.quote(path)}"
    yield "kubelet.log", f"journalctl --unit kubelet --no-pager --lines {_KUBELET_LINES} --output short-iso"
