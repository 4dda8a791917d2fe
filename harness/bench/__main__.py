"""Command line of the bench: chooses what is measured, prints the table, writes the figures for machines."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from clusters import images
from clusters.ownership import collect_garbage
from clusters.progress import Progress
from clusters.shape import Shape
from harness import journal
from harness.bench.detection import Detection
from harness.bench.histories import Histories
from harness.bench.making import Making
from harness.bench.overhead import Overhead
from harness.bench.peer import Peer
from harness.bench.samples import Limit, Ratio, Samples, table, to_json
from harness.session import Session

__all__ = ["main"]

_PARTS = ("plain", "ours", "detection", "overhead", "peer", "histories")
_FILE = "bench.json"
_RETURNS = 3
_DETECTIONS = 10
_PROBING_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, in rounds that take turns, and return the exit status: a figure over its limit is none to fail by."""
    chosen = _parser().parse_args(arguments)
    parts, progress = set(chosen.parts), Progress.terminal()
    session = Session(0, "never", None, {}, chosen.output.absolute() / "experiments", progress)
    engine = session.connect()
    shape = Shape()
    making = Making(engine, images.ensure(engine, shape, progress), shape, session)
    detection, overhead, histories, peer = Detection(), Overhead(), Histories(), Peer(chosen.peer)
    on_cluster = {
        "detection": partial(detection.measure, rounds=_DETECTIONS),
        "overhead": partial(overhead.measure, seconds=chosen.probing),
        "peer": partial(peer.measure, session=session),
    }
    load = [os.getloadavg()[0]]
    try:
        for number in range(chosen.rounds):
            if "plain" in parts:
                with progress.step(f"round {number + 1}: a cluster by hand"):
                    making.by_hand()
            if "ours" in parts:
                with making.ours(_RETURNS) as cluster:
                    for part in on_cluster if number == chosen.rounds - 1 else ():
                        if part in parts:
                            with progress.step(f"measure: {part}"):
                                on_cluster[part](cluster)
            load.append(os.getloadavg()[0])
        if "histories" in parts:
            with progress.step("measure: histories"):
                histories.measure(chosen.rounds)
    finally:
        collect_garbage(engine, progress=progress, undo=partial(journal.replay, engine=engine))
        session.close()
    things = (making, detection, overhead, peer, histories)
    samples: list[Samples] = [each for thing in things for each in thing.samples]
    ratios: list[Ratio] = [each for thing in things for each in thing.ratios]
    limits: list[Limit] = [*overhead.limits, *histories.limits]
    about = {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cores": os.cpu_count(), "load": load}
    chosen.output.mkdir(parents=True, exist_ok=True)
    (chosen.output / _FILE).write_text(to_json(samples, ratios, limits, about), encoding="utf-8")
    sys.stdout.write(f"{table(samples, ratios, limits)}\n\n")
    sys.stdout.write(f"load of the machine meanwhile: {', '.join(f'{each:.1f}' for each in load)}\n")
    sys.stdout.write(f"for machines: {chosen.output / _FILE}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness.bench", description="Measures ratios on real clusters.")
    parser.add_argument("parts", nargs="*", default=list(_PARTS), metavar="PART", help=f"of {', '.join(_PARTS)}")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="cold clusters of each way (default: 3)")
    parser.add_argument("--probing", type=float, default=_PROBING_SECONDS, metavar="S", help="seconds under probes")
    parser.add_argument("--peer", type=Path, metavar="FILE", help="the `chaos` command of Chaos Toolkit")
    parser.add_argument("--output", type=Path, default=Path("reports", "out", "bench"), metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
