"""Run store: `chaos-harness store` brings runs into one database, and says what is in it; no cluster is needed."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from chaos_harness.clusters.checkout import OUT
from chaos_harness.clusters.terminal.command_options import CommandParser, one_of, whole_number
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.run.exit_status import ExitStatus, run_command
from chaos_harness.reports.store.importer import change_store, import_runs
from chaos_harness.reports.store.queries import RunSummary, read_store, summaries
from chaos_harness.reports.store.retention import forget

__all__ = ["STORE", "main"]

STORE = OUT / "store.duckdb"
"""The store of who names no other: beside the runs."""

_DAYS = 365
_MOST_DAYS = 36_500
_COLUMNS = "{:21} {:16} {:13} {:>6} {:>5} {:>5} {:>6}"
_HEAD = _COLUMNS.format("run", "started (UTC)", "commit", "holds", "viol.", "other", "unsure")


def main(arguments: Sequence[str]) -> int:
    """Do what is asked with the store; return an ExitStatus."""
    parser = CommandParser(
        prog="chaos-harness store",
        description="Keep what many runs said in one database, for `chaos-harness compare`; no cluster is needed.",
    )
    parser.add_argument(
        "action",
        type=one_of("import", "show", "forget"),
        metavar="ACTION",
        help="import: bring runs in; show: list what is in; forget: remove old runs, but no evidence of today's",
    )
    parser.add_argument(
        "runs",
        nargs="*",
        type=Path,
        metavar="RUN",
        help=f"of import: the directory of a run, or one with runs in it (default: {OUT})",
    )
    parser.add_argument("--store", type=Path, default=STORE, metavar="FILE", help=f"the database (default: {STORE})")
    words = f"of forget: runs that began longer ago (default: {_DAYS})"
    parser.add_argument("--days", type=whole_number(1, _MOST_DAYS), metavar="N", help=words)
    parser.add_argument("--json", action="store_true", help="for scripts: as JSON")
    chosen = parser.parse_args(arguments)
    actions = {
        "import": lambda: _import(chosen.store, chosen.runs or [OUT], as_json=chosen.json),
        "show": lambda: _show(chosen.store, as_json=chosen.json),
        "forget": lambda: _forget(chosen.store, chosen.days or _DAYS, as_json=chosen.json),
    }
    return run_command(lambda: _act(chosen, actions[chosen.action]))


def _act(chosen: argparse.Namespace, action: Callable[[], ExitStatus]) -> ExitStatus:
    if chosen.days and chosen.action != "forget":
        raise BadScenario(f"store {chosen.action}: --days is of `store forget` alone; leave it out")
    if chosen.runs and chosen.action != "import":
        raise BadScenario(f"store {chosen.action}: expected no RUN, found {chosen.runs[0]}; it is about all runs")
    return action()


def _import(store: Path, places: Sequence[Path], *, as_json: bool) -> ExitStatus:
    results = import_runs(store, places, _warn)
    if as_json:
        _print([json.dumps([asdict(result) for result in results], indent=1)])
    else:
        for result in results:
            if result.outcome == "refused":
                _warn(f"{result.run}: refused: {result.why}")
        counts = Counter(result.outcome for result in results)
        verdicts = sum(result.verdicts for result in results if result.outcome in ("new", "grown"))
        words = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        _print([f"{store}: {words or 'no run'}; {verdicts} verdicts came in"])
    refused = any(result.outcome == "refused" for result in results)
    return ExitStatus.OTHERWISE if refused else ExitStatus.AS_EXPECTED


def _forget(store: Path, days: int, *, as_json: bool) -> ExitStatus:
    if not store.is_file():
        raise BadScenario(f"{store}: no store of runs; `chaos-harness store import RUN` begins one")
    with change_store(store, _warn) as database:
        forgotten = forget(database, days, time.time())
    if as_json:
        _print([json.dumps(asdict(forgotten), indent=1)])
    else:
        kept = (
            f"; {len(forgotten.evidence)} as old stay, because today's checks count them" if forgotten.evidence else ""
        )
        _print([f"{store}: {len(forgotten.runs)} runs of more than {days} days ago are forgotten{kept}"])
    return ExitStatus.AS_EXPECTED


def _show(store: Path, *, as_json: bool) -> ExitStatus:
    with read_store(store) as database:
        shown = summaries(database)
    _print([json.dumps([asdict(run) for run in shown], indent=1)] if as_json else _lines(store, shown))
    return ExitStatus.AS_EXPECTED


def _lines(store: Path, runs: Sequence[RunSummary]) -> Iterator[str]:
    yield _HEAD
    for run in runs:
        started = "" if run.started is None else time.strftime("%Y-%m-%d %H:%M", time.gmtime(run.started))
        counts = run.holds, run.violated, run.otherwise, run.inconclusive + run.broken
        yield _COLUMNS.format(run.run, started, run.commit, *counts)
    yield f"{len(runs)} runs in {store}; unsure: inconclusive, or the harness broke; other: not as expected"


def _print(lines: Sequence[str] | Iterator[str]) -> None:
    sys.stdout.writelines(f"{escape_controls(line, lines=True)}\n" for line in lines)


def _warn(line: str) -> None:
    sys.stderr.write(f"{escape_controls(line)}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
