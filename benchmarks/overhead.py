"""Overhead: the cost of an experiment's probes for this machine (in a process of their own) and the API server."""

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.peak import peak_mib
from benchmarks.processor import api_server_seconds
from benchmarks.samples import Limit, Ratio, Samples
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import connect
from chaos_harness.clusters.machine.process import run
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.probes.admission import CANARY, admission_canary
from chaos_harness.harness.probes.usual import usual_probes

__all__ = ["Overhead", "main"]

_RATE = 50.0
_PATIENCE_SECONDS = 180.0
_FIRST_SECONDS = 20.0
_QUIET_SECONDS = 60.0


class Overhead:
    """The usual probes with a canary of 50 questions a second, for some time; before that, no probes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.core = Samples("probes and 50 canaries/s: processor", "% of a core")
        self.memory = Samples("probes and 50 canaries/s: memory", "MiB")
        self.rate = Samples("probes and 50 canaries/s: answers kept up with", "/s")
        self.quiet = Samples("API server without probes: processor", "% of a core")
        self.asked = Samples("API server under probes and 50 canaries/s: processor", "% of a core")

    @property
    def samples(self) -> list[Samples]:
        """Return the samples."""
        return [self.core, self.memory, self.rate, self.quiet, self.asked]

    @property
    def ratios(self) -> list[Ratio]:
        """Return the cost for the API server."""
        return [Ratio("processor of the API server: with probes / without", self.asked, self.quiet)]

    @property
    def limits(self) -> list[Limit]:
        """Return the limits of issue 4."""
        return [Limit("50 canaries/s: processor", self.core, 15.0), Limit("50 canaries/s: memory", self.memory, 150.0)]

    def measure(self, cluster: Cluster) -> None:
        """Leave the cluster idle for a while, then run the probes."""
        seconds = self._seconds
        quiet = min(seconds, _QUIET_SECONDS)
        began, used = time.monotonic(), api_server_seconds(cluster)
        for _ in Deadline.after(quiet, "the time to pass").attempts(first=quiet, most=quiet):
            pass
        self.quiet.figures.append(100 * (api_server_seconds(cluster) - used) / (time.monotonic() - began))
        self.quiet.note = f"over {quiet:.0f} s"
        argv: list[str | Path] = [sys.executable, "-m", __name__, cluster.name, str(seconds)]
        printed = json.loads(run(argv, Deadline.after(seconds + _PATIENCE_SECONDS, "the probes")).stdout)
        measured = (self.core, "core"), (self.memory, "mib"), (self.rate, "rate"), (self.asked, "api_server")
        for samples, name in measured:
            samples.figures.append(printed[name])
            samples.note = f"over {seconds:.0f} s"


def main(name: str, seconds: float) -> None:
    """Probe the cluster `name`, and print the cost."""
    cluster = Cluster.open(connect(), name)
    with tempfile.TemporaryDirectory(prefix="chaos-bench-") as folder, ExitStack() as stack:
        history = HistoryWriter(Path(folder) / "history.jsonl", "bench")
        stack.callback(history.close)
        others = (probe for probe in usual_probes(cluster, history) if probe.name != CANARY)
        probes = [*others, admission_canary(cluster, history, rate=_RATE)]
        for probe in probes:
            probe.start()
            stack.callback(probe.stop)
        for probe in probes:
            probe.wait_for_beat(Deadline.after(_FIRST_SECONDS, "a first sign of life"))
        used, processor, began = api_server_seconds(cluster), time.process_time(), time.monotonic()
        for _ in Deadline.after(seconds, "the time to pass").attempts(first=1.0):
            for probe in probes:
                probe.require_healthy()
        took = time.monotonic() - began
        core = 100 * (time.process_time() - processor) / took
        api_server = 100 * (api_server_seconds(cluster) - used) / (time.monotonic() - began)
        mib = peak_mib()
        answers = sum(
            1
            for entry in read(history.path).entries
            if entry.process.startswith(CANARY) and entry.kind in ("ok", "fail")
        )
        measured = {"core": core, "mib": mib, "rate": answers / took, "api_server": api_server}
        sys.stdout.write(json.dumps(measured))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
