"""Watch load: the cost of watching a workload by the number of its Pods."""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peak import peak_mib
from benchmarks.samples import Limit, Ratio, Samples
from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import connect
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.vocabulary import MODIFIED
from chaos_harness.harness.probes.objects import WORKLOAD, watch_objects

__all__ = ["WatchLoad", "main"]

_SIZES = (10, 100, 1_000, 3_000)
_NAMESPACE = "chaos-bench"
_PODS = f"/api/v1/namespaces/{_NAMESPACE}/pods"
_MARK = "chaos-harness/bench"
_SECONDS = 300.0
_CHANGES = 50
_BETWEEN_SECONDS = 0.1
_THREADS = 8
_TAIL = 65_536


class WatchLoad:
    """The workload probe in a process of its own, with more and more Pods that wait for a scheduler."""

    def __init__(self, sizes: Sequence[int] = _SIZES) -> None:
        self._sizes = sizes
        self.lists = [Samples(f"first list of {size:,} Pods") for size in sizes]
        self.changes = [Samples(f"change seen among {size:,} Pods", "ms") for size in sizes]
        self.processor = [Samples(f"a change among {size:,} Pods", "ms of processor") for size in sizes]
        self.memory = [Samples(f"memory of the probe of {size:,} Pods", "MiB") for size in sizes]

    @property
    def samples(self) -> list[Samples]:
        """Return the samples."""
        return [*self.lists, *self.changes, *self.processor, *self.memory]

    @property
    def ratios(self) -> list[Ratio]:
        """Return the growth from the fewest Pods to the most; a change should not cost more because others exist."""
        most, fewest = f"{self._sizes[-1]:,}", f"{self._sizes[0]:,}"
        return [
            Ratio(f"{name}: {most} / {fewest} Pods", measured[-1], measured[0], aim)
            for name, measured, aim in (("change seen", self.changes, 2.0), ("memory of the probe", self.memory, None))
        ]

    @property
    def limits(self) -> list[Limit]:
        """Return no absolute limits."""
        return []

    def measure(self, cluster: Cluster) -> None:
        """Create more and more Pods; each time watch them and change some of them."""
        with _namespace(cluster):
            made = 0
            columns = zip(self._sizes, self.lists, self.changes, self.processor, self.memory, strict=True)
            for size, lists, changes, processor, memory in columns:
                _make(cluster, range(made, size))
                made = size
                argv: list[str | Path] = [sys.executable, "-m", __name__, cluster.name]
                printed = json.loads(run(argv, Deadline.after(_SECONDS, f"the watch of {size} Pods")).stdout)
                lists.figures.append(printed["list"])
                changes.figures += printed["seen"]
                processor.figures.append(printed["processor"])
                memory.figures.append(printed["mib"])


def main(name: str) -> None:
    """Watch the existing Pods, change some, and print the cost."""
    cluster = Cluster.open(connect(), name)
    with tempfile.TemporaryDirectory(prefix="chaos-bench-") as folder, ExitStack() as stack:
        history = HistoryWriter(Path(folder) / "history.jsonl", "bench")
        stack.callback(history.close)
        (probe,) = watch_objects(cluster, history, WORKLOAD)
        began = time.monotonic()
        probe.start()
        stack.callback(probe.stop)
        _wait(history.path, '"f":"LISTED","value":{"resource_version":', "object")
        listed = time.monotonic() - began
        api = stack.enter_context(cluster.client())
        names = [pod["metadata"]["name"] for pod in request(api, "GET", _PODS, query={"limit": "10"})["items"]]
        before, mine = time.process_time(), time.thread_time()
        sent = _change(api, names)
        _wait(history.path, f'"{_MARK}":"{_CHANGES - 1}"')
        used = time.process_time() - before - (time.thread_time() - mine)
        mib = peak_mib()
        seen = {
            entry.value["object"]["metadata"]["annotations"][_MARK]: entry.wall
            for entry in read(history.path).entries
            if entry.f == MODIFIED and _MARK in entry.value["object"]["metadata"].get("annotations", {})
        }
        measured = {
            "list": listed,
            "seen": [(seen[mark] - moment) * 1000 for mark, moment in sent.items()],
            "processor": 1000 * used / _CHANGES,
            "mib": mib,
        }
        sys.stdout.write(json.dumps(measured))


def _change(api: Any, names: Sequence[str]) -> dict[str, float]:
    """Annotate one Pod after the other; return when each change was requested."""
    sent = {}
    pauses = Deadline.after(_SECONDS, "the changes").attempts(first=_BETWEEN_SECONDS, most=_BETWEEN_SECONDS)
    for number, _ in zip(range(_CHANGES), pauses, strict=False):
        sent[str(number)] = time.time()
        body = {"metadata": {"annotations": {_MARK: str(number)}}}
        merge_patch(api, f"{_PODS}/{names[number % len(names)]}", body)
    return sent


def _wait(path: Path, text: str, without: str = "\0") -> None:
    """Wait until a line at the end of the history contains one text and not the other."""
    for _ in Deadline.after(_SECONDS, f"{text} in {path}").attempts(most=0.05):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            tail = file.read().decode(errors="replace").splitlines()
        if any(text in line and without not in line for line in tail):
            return


@contextmanager
def _namespace(cluster: Cluster) -> Iterator[None]:
    """Create a namespace for the block; its Pods are removed with it."""
    namespaces = "/api/v1/namespaces"
    with cluster.client() as api:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}}
        request(api, "POST", namespaces, body=body)
        accounts = f"{namespaces}/{_NAMESPACE}/serviceaccounts"
        wait_until(api, accounts, bool, Deadline.after(_SECONDS, "the account that Pods need"))
        try:
            yield
        finally:
            request(api, "DELETE", f"{namespaces}/{_NAMESPACE}")
            gone = Deadline.after(_SECONDS, f"namespace {_NAMESPACE} to go")
            wait_until(api, namespaces, lambda state: _NAMESPACE not in state, gone)


def _make(cluster: Cluster, numbers: Sequence[int]) -> None:
    """Create Pods that no scheduler takes and that have no running containers."""
    local = threading.local()
    with ExitStack() as stack:

        def make(number: int) -> None:
            if not hasattr(local, "api"):
                local.api = stack.enter_context(cluster.client())
            body = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"pod-{number}"},
                "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": "none"}]},
            }
            request(local.api, "POST", _PODS, body=body)

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(make, numbers))


if __name__ == "__main__":
    main(sys.argv[1])
