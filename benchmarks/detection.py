"""Detection: how long after a change the harness, `kubectl wait` and a polling loop notice it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.samples import Limit, Ratio, Samples
from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import Watch, wait_until

__all__ = ["Detection"]

_MAPS = "/api/v1/namespaces/default/configmaps"
_NAME = "chaos-harness-bench"
_ONLY = {"fieldSelector": f"metadata.name={_NAME}"}
_SECONDS = 30.0
_SETTLE_SECONDS = 1.5
_POLL_SECONDS = 1.0
_BETWEEN_SECONDS = 0.1

Waiting = Callable[[Cluster, str], object]


@dataclass
class Detection:
    """Three ways of waiting for the same ConfigMap to have the same value."""

    rounds: int = 10
    changes: int = 300
    ours: Samples = field(default_factory=lambda: Samples("change seen, ours", "ms"))
    kubectl: Samples = field(default_factory=lambda: Samples("change seen, kubectl wait", "ms"))
    poll: Samples = field(default_factory=lambda: Samples("change seen, a poll every second", "ms"))
    open: Samples = field(default_factory=lambda: Samples("change seen by a watch that stays open, ours", "ms"))

    @property
    def samples(self) -> list[Samples]:
        """Return the samples."""
        return [self.ours, self.kubectl, self.poll, self.open]

    @property
    def ratios(self) -> list[Ratio]:
        """Return the ratios between the ways."""
        return [
            Ratio("change seen: ours / kubectl wait", self.ours, self.kubectl, 1.0),
            Ratio("change seen: ours / poll", self.ours, self.poll, 0.1),
        ]

    @property
    def limits(self) -> list[Limit]:
        """Return the limits of issue 4, from the request that changes something to the moment when it is seen."""
        return [
            Limit("change seen by a watch, ms, median", self.open, 20.0),
            Limit("change seen by a watch, ms, 99th percentile", self.open, 100.0, "p99"),
        ]

    def measure(self, cluster: Cluster) -> None:
        """Change a ConfigMap `rounds` times for each way of waiting, and `changes` times under one watch."""
        with cluster.client() as api:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _NAME}, "data": {"value": "-"}}
            request(api, "POST", _MAPS, body=body)
            try:
                for number in range(self.rounds):
                    for samples, waiting in ((self.ours, _ours), (self.kubectl, _kubectl), (self.poll, _poll)):
                        _one(cluster, api, f"{number} {samples.name}", samples, waiting, number / self.rounds)
                _under_a_watch(cluster, api, self.open, self.changes)
            finally:
                request(api, "DELETE", f"{_MAPS}/{_NAME}")


def _one(cluster: Cluster, api: Any, value: str, samples: Samples, waiting: Waiting, phase: float) -> None:
    """Start waiting in a thread, make the change when it waits, and record how long after the request it noticed."""
    over: list[float] = []

    def wait() -> None:
        waiting(cluster, value)
        over.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(_SETTLE_SECONDS + phase * _POLL_SECONDS)
    sent = time.monotonic()
    merge_patch(api, f"{_MAPS}/{_NAME}", {"data": {"value": value}})
    thread.join()
    samples.figures += [(moment - sent) * 1000 for moment in over]


def _under_a_watch(cluster: Cluster, api: Any, samples: Samples, changes: int) -> None:
    """Change the ConfigMap repeatedly while a thread watches it; record how long after each request it was seen."""
    seen: dict[str, float] = {}
    whole, stop = threading.Event(), threading.Event()
    last = str(changes - 1)

    def watch() -> None:
        with cluster.client() as own:
            for change in Watch(own, _MAPS, params=_ONLY).changes(Deadline.after(600, "the changes"), stop):
                if change.object is None:
                    whole.set()
                else:
                    seen[change.object["data"]["value"]] = change.at
                    if change.object["data"]["value"] == last:
                        return

    thread = threading.Thread(target=watch)
    thread.start()
    whole.wait(_SECONDS)
    sent = {}
    pauses = Deadline.after(600, "the changes").attempts(first=_BETWEEN_SECONDS, most=_BETWEEN_SECONDS)
    for number, _ in zip(range(changes), pauses, strict=False):
        sent[str(number)] = time.monotonic()
        merge_patch(api, f"{_MAPS}/{_NAME}", {"data": {"value": str(number)}})
    thread.join(_SECONDS)
    stop.set()
    thread.join()
    samples.figures += [(seen[value] - moment) * 1000 for value, moment in sent.items() if value in seen]
    samples.note = f"{len(sent) - len(samples.figures)} of {len(sent)} were not seen"


def _ours(cluster: Cluster, value: str) -> None:
    with cluster.client() as api:
        wait_until(
            api,
            _MAPS,
            lambda state: any(config_map["data"]["value"] == value for config_map in state.values()),
            Deadline.after(_SECONDS, "the change"),
            _ONLY,
        )


def _kubectl(cluster: Cluster, value: str) -> None:
    argv = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "wait", f"--for=jsonpath={{.data.value}}={value}"]
    cluster.exec(
        cluster.control_planes[0],
        [*argv, f"--timeout={_SECONDS:.0f}s", f"configmap/{_NAME}"],
        Deadline.after(_SECONDS, "kubectl wait"),
    )


def _poll(cluster: Cluster, value: str) -> None:
    with cluster.client() as api:
        pauses = Deadline.after(_SECONDS, "the change").attempts(first=_POLL_SECONDS, most=_POLL_SECONDS)
        for _ in pauses:
            if request(api, "GET", f"{_MAPS}/{_NAME}")["data"]["value"] == value:
                return
