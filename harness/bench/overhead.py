"""Overhead: what an experiment's probes cost this machine, in a process of their own."""

import json
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from clusters.engine import connect
from clusters.process import run
from harness.bench.samples import Limit, Ratio, Samples
from harness.history import History, read
from harness.probes.admission import CANARY, admission_canary
from harness.probes.usual import usual_probes

__all__ = ["Overhead", "main"]

_RATE = 50.0
_PATIENCE_SECONDS = 120.0
_FIRST_SECONDS = 20.0


class Overhead:
    """The usual probes, and a canary of 50 questions a second, for some time."""

    def __init__(self) -> None:
        self.core = Samples("probes and 50 canaries/s: processor", "% of a core")
        self.memory = Samples("probes and 50 canaries/s: memory", "MiB")
        self.rate = Samples("probes and 50 canaries/s: answers kept up with", "/s")

    @property
    def samples(self) -> list[Samples]:
        """What is measured."""
        return [self.core, self.memory, self.rate]

    @property
    def ratios(self) -> list[Ratio]:
        """Nothing to compare with."""
        return []

    @property
    def limits(self) -> list[Limit]:
        """What issue 4 allows."""
        return [Limit("50 canaries/s: processor", self.core, 15.0), Limit("50 canaries/s: memory", self.memory, 150.0)]

    def measure(self, cluster: Cluster, seconds: float) -> None:
        """Let the probes ask for `seconds`."""
        argv: list[str | Path] = [sys.executable, "-m", __name__, cluster.name, str(seconds)]
        told = json.loads(run(argv, Deadline.after(seconds + _PATIENCE_SECONDS, "the probes")).stdout)
        for samples, name in ((self.core, "core"), (self.memory, "mib"), (self.rate, "rate")):
            samples.figures.append(told[name])
            samples.note = f"over {seconds:.0f} s"


def main(name: str, seconds: float) -> None:
    """Probe the cluster `name`, and print what it cost."""
    cluster = Cluster.open(connect(), name)
    with tempfile.TemporaryDirectory(prefix="chaos-bench-") as folder, ExitStack() as stack:
        history = History(Path(folder) / "history.jsonl", "bench")
        stack.callback(history.close)
        probes = [*usual_probes(cluster, history), admission_canary(cluster, history, rate=_RATE)]
        for probe in probes:
            probe.start()
            stack.callback(probe.stop)
        for probe in probes:
            probe.first(Deadline.after(_FIRST_SECONDS, "a first sign of life"))
        processor, began = time.process_time(), time.monotonic()
        for _ in Deadline.after(seconds, "the time to pass").attempts(first=1.0):
            for probe in probes:
                probe.healthy()
        took = time.monotonic() - began
        core = 100 * (time.process_time() - processor) / took
        mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        canaries = (each for each in read(history.path).entries if each.process.startswith(CANARY))
        answers = sum(1 for each in canaries if each.kind in ("ok", "fail"))
        sys.stdout.write(json.dumps({"core": core, "mib": mib, "rate": answers / took}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
