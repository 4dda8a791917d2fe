"""Run store: `chaos-harness store` brings runs into one database, and says what is in it; no cluster is needed."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from chaos_harness.clusters.checkout import OUT
from chaos_harness.clusters.terminal.command_options import CommandParser, one_of
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.run.exit_status import ExitStatus, run_command
from chaos_harness.reports.store.importer import import_runs
from chaos_harness.reports.store.queries import RunSummary, read_store, summaries

__all__ = ["STORE", "main"]

STORE = OUT / "store.duckdb"
"""The store of who names no other: beside the runs."""

_COLUMNS = "{:21} {:16} {:13} {:>6} {:>5} {:>5} {:>6}"
_HEAD = _COLUMNS.format("run", "started (UTC)", "commit", "holds", "viol.", "other", "unsure")


def main(arguments: Sequence[str]) -> int:
    """Do what is asked with the store; return an ExitStatus."""
    parser = CommandParser(
        prog="chaos-harness store",
        description="Keep what many runs said in one database, for `chaos-harness compare`; no cluster is needed.",
    )
    parser.add_argument(
        "action", type=one_of("import", "show"), metavar="ACTION", help="import: bring runs in; show: list what is in"
    )
    parser.add_argument(
        "runs",
        nargs="*",
        type=Path,
        metavar="RUN",
        help=f"of import: the directory of a run, or one with runs in it (default: {OUT})",
    )
    parser.add_argument("--store", type=Path, default=STORE, metavar="FILE", help=f"the database (default: {STORE})")
    parser.add_argument("--json", action="store_true", help="for scripts: as JSON")
    chosen = parser.parse_args(arguments)
    actions = {
        "import": lambda: _import(chosen.store, chosen.runs or [OUT], as_json=chosen.json),
        "show": lambda: _show(chosen.store, chosen.runs, as_json=chosen.json),
    }
    return run_command(actions[chosen.action])


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


def _show(store: Path, runs: Sequence[Path], *, as_json: bool) -> ExitStatus:
    if runs:
        raise BadScenario(f"store show: expected no RUN, found {runs[0]}; it lists all runs of the store")
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
