"""Audit log: that of an API server by hand, line by line as it writes them, and what is read of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.kind.audit_log import AUDIT_DIRECTORY
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.history.vocabulary import AUDIT, READ, numbered
from chaos_harness.harness.probes.fail_open import _Node
from tests.fakes.node_shell import NodeShell

__all__ = ["MUTATION", "NODE", "VALIDATION", "AuditLog", "event"]

NODE = "w-control-plane"
MUTATION, VALIDATION = "mutation.gatekeeper.sh", "validation.gatekeeper.sh"


def event(
    audit_id: str = "a",
    *,
    at: float = 1_800_000_010.0,
    took: float = 0.01,
    code: int = 201,
    mutated: bool | None = True,
    failed_open: tuple[str, ...] = (),
    said: str = "",
    uid: str = "",
    stage: str = "ResponseComplete",
    **notes: str,
) -> str:
    """Return a line, its line feed included: of our own question, or, with `uid`, of a controller's pod.

    `mutated`: what the mutating webhook did; None: it was not called. `notes` are further annotations, by what stands
    behind apiserver.latency.k8s.io/ in their names, with - for _.
    """
    annotations = {
        "authorization.k8s.io/decision": "allow",
        "pod-security.kubernetes.io/enforce-policy": "privileged:latest",
        **{f"apiserver.latency.k8s.io/{name.replace('_', '-')}": value for name, value in notes.items()},
    }
    if mutated is not None:
        mutation = {
            "configuration": "gatekeeper-mutating-webhook-configuration",
            "webhook": MUTATION,
            "mutated": mutated,
        }
        annotations["mutation.webhook.admission.k8s.io/round_0_index_0"] = json.dumps(mutation, separators=(",", ":"))
    for index, webhook in enumerate(failed_open):
        kind = "mutation" if webhook == MUTATION else "validating"
        annotations[f"failed-open.{kind}.webhook.admission.k8s.io/round_0_index_{index}"] = webhook
    logged: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse" if uid else "Metadata",
        "auditID": audit_id,
        "stage": stage,
        "verb": "create",
        "user": {"username": "system:serviceaccount:kube-system:replicaset-controller" if uid else "kubernetes-admin"},
        "objectRef": {"resource": "pods", "namespace": "chaos-work" if uid else "chaos-canary", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": code, **({"message": said} if said else {})},
        "requestReceivedTimestamp": _stamp(at),
        "stageTimestamp": _stamp(at + took),
        "annotations": annotations,
    }
    if uid:
        logged["requestObject"] = {"metadata": {"generateName": "set-"}}
        logged["responseObject"] = {"kind": "Pod", "metadata": {"name": f"set-{uid}", "uid": uid}}
    else:
        logged["objectRef"]["name"] = "canary-1"
    return json.dumps(logged, separators=(",", ":")) + "\n"


class AuditLog:
    """The audit log of a node, whose shell runs here, and what one reader of it writes."""

    def __init__(self, directory: Path, cluster: Cluster) -> None:
        self.file = directory / "logs" / "audit.log"
        self.file.parent.mkdir()
        self.file.write_text(event("before"), encoding="utf-8")
        self.shell = NodeShell(directory, {AUDIT_DIRECTORY: str(self.file.parent), "/var/log/pods": "/nowhere"})
        self._history = HistoryWriter(directory / "history.jsonl")
        self._node = _Node(cluster, NODE, self._history)
        self._given = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._node.close()

    def grow(self, *lines: str) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write("".join(lines))

    def rotate(self, name: str) -> Path:
        """Give the file the name that the API server gives it, and begin a new one."""
        old = self.file.rename(self.file.with_name(f"audit-{name}.log"))
        self.file.touch()
        return old

    def new(self) -> list[Entry]:
        """Read the log, and return what is in the history of it that was not there before."""
        self._node.read(Deadline.after(60, "the log"))
        entries = [entry for entry in read(self._history.path).entries if entry.process == numbered(AUDIT, NODE)]
        new, self._given = entries[self._given :], len(entries)
        return new

    def ids(self) -> tuple[list[str], str]:
        """Read the log, and return which requests are told of for the first time, and the kind of the reading."""
        *requests, reading = self.new()
        assert reading.f == READ
        values = [entry.value for entry in requests]
        return [i for value in values for i in value.get("audit_ids") or [value["audit_id"]]], reading.kind


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
