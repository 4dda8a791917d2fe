"""Command line of the benchmarks: runs the chosen ones in alternating rounds, and prints the table."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.cluster_creation import ClusterCreation
from benchmarks.detection import Detection
from benchmarks.findings import Findings
from benchmarks.histories import Histories
from benchmarks.overhead import Overhead
from benchmarks.peer import Peer
from benchmarks.samples import Benchmark, OnCluster
from benchmarks.stores import Stores
from benchmarks.suites import CHOSEN, Suites
from benchmarks.watch_load import WatchLoad
from chaos_harness.clusters import images
from chaos_harness.clusters.garbage import collect_garbage
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.command_options import whole_number
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.run.context import RunContext
from chaos_harness.harness.run.exit_status import run_command
from chaos_harness.harness.undo import journal

__all__ = ["main"]

_PARTS = ("plain", "ours", "detection", "watched", "overhead", "peer", "histories", "stores", "suites")
_ALL = "all"
_RETURNS = 3
_PROBING_SECONDS = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and return the exit status: 1 if something could not be measured; exceeded limits do not count."""
    chosen = _parser().parse_args(arguments)
    return run_command(lambda: _measure(chosen))


def _measure(chosen: argparse.Namespace) -> int:
    """Measure the chosen benchmarks; those on a cluster use the cluster of the last round."""
    parts, progress = set(_PARTS if _ALL in chosen.parts else chosen.parts), Progress.terminal()
    session = RunContext(0, "never", None, {}, chosen.output.absolute() / "experiments", progress)
    engine = session.connect()
    shape = Shape()
    making = ClusterCreation(engine, images.ensure(engine, shape, progress), shape, session)
    on_cluster = _on_cluster(chosen, session)
    histories, stores = Histories(), Stores()
    suites = Suites(chosen.output / f"suites-{session.owner.run}", chosen.suite)
    alone: dict[str, Histories | Stores | Suites] = {"histories": histories, "stores": stores, "suites": suites}
    findings = Findings(chosen.output, progress, _chosen(parts, ours=making, **on_cluster, **alone))
    wanted = {name: part for name, part in on_cluster.items() if name in parts}
    try:
        for number in range(chosen.rounds):
            if "plain" in parts:
                with findings.part("plain"):
                    making.by_hand()
            last = number == chosen.rounds - 1
            if "ours" in parts or (wanted and last):
                with findings.part("ours"), making.ours(_RETURNS if "ours" in parts else 0) as cluster:
                    for name, part in wanted.items() if last else ():
                        with findings.part(name):
                            part.measure(cluster)
        for name, part_alone in alone.items():
            if name in parts:
                with findings.part(name):
                    part_alone.measure(chosen.rounds)
    finally:
        sys.stdout.write(findings.report())
        collect_garbage(engine, progress=progress, undo=partial(journal.replay, engine=engine))
        session.close()
    return 1 if findings.problems else 0


def _on_cluster(chosen: argparse.Namespace, session: RunContext) -> dict[str, OnCluster]:
    overhead, peer = Overhead(chosen.probing), Peer(chosen.peer, session)
    return {"detection": Detection(), "watched": WatchLoad(), "overhead": overhead, "peer": peer}


def _chosen(parts: set[str], **things: Benchmark) -> list[Benchmark]:
    """Return the benchmarks of `parts`: clusters made by hand and by us are compared with each other."""
    names = parts | ({"ours"} if "plain" in parts else set())
    return [thing for name, thing in things.items() if name in names]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures ratios on real clusters.")
    help_text = f"of {', '.join(_PARTS)} (default: {_ALL})"
    parser.add_argument("parts", nargs="*", choices=[_ALL, *_PARTS], default=_ALL, metavar="PART", help=help_text)
    parser.add_argument(
        "--rounds", type=whole_number(1, 100), default=3, metavar="N", help="turns of each way (default: 3)"
    )
    help_text = f"seconds under probes (default: {_PROBING_SECONDS:.0f})"
    parser.add_argument("--probing", type=float, default=_PROBING_SECONDS, metavar="S", help=help_text)
    parser.add_argument("--suite", default=CHOSEN, metavar="EXPRESSION", help=f"which scenarios (default: {CHOSEN!r})")
    parser.add_argument("--peer", type=Path, metavar="FILE", help="the `chaos` command of Chaos Toolkit")
    parser.add_argument("--output", type=Path, default=Path("reports", "out", "bench"), metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
