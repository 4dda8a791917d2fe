"""Nights: `chaos-harness nightly` runs scenarios on a matrix of versions, and says what does not hold any more."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from chaos_harness.clusters.checkout import OPTION, OUT, ROOT
from chaos_harness.clusters.engine import CHOICES
from chaos_harness.clusters.terminal.command_options import CommandParser, one_of, shard, whole_number
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.cli_options import add_lock_options, add_yes_option, pull_rules
from chaos_harness.harness.incident.model import seconds
from chaos_harness.harness.nightly.job_options import add_job_options, refuse_without_job, render_job, run_as_pod
from chaos_harness.harness.nightly.ledger import JudgedLine
from chaos_harness.harness.nightly.pod import status_of_pod
from chaos_harness.harness.nightly.session import Asked, describe_plan, merge_nights, plan_night, run_night
from chaos_harness.harness.nightly.summary import Summary, describe
from chaos_harness.harness.nightly.words import plan_lines, summary_lines
from chaos_harness.harness.run.exit_status import ExitStatus, run_command
from chaos_harness.reports.truth.verdict_lines import BROKEN, FILE, read_verdicts

__all__ = ["main"]

_RUN = (sys.executable, "-m", "chaos_harness", "run")
_SCENARIOS = Path("scenarios") if ROOT else Path(__file__).parent / "scenarios"
_MATRIX = _SCENARIOS / "nightly.yaml"
_WITHOUT_FAULT = f"{_SCENARIOS / 'healthy' / 'test_healthy.py'}::test_no_check_raises_a_false_alarm"
_MOST_JOBS = 64


def main(arguments: Sequence[str], command: Sequence[str] = _RUN) -> int:
    """Plan, run, resume or merge nights, and return an ExitStatus; `command` runs scenarios."""
    chosen = _parser().parse_args(arguments)
    return run_command(lambda: _night(chosen, command, Progress.terminal()))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="chaos-harness nightly",
        description="Run scenarios and incidents on a matrix of versions, cell by cell.",
    )
    parser.add_argument("matrix", nargs="?", type=Path, metavar="MATRIX", help=f"the matrix (default: {_MATRIX.name})")
    parser.add_argument("--plan", action="store_true", help="show cells, minutes and memory, and touch nothing")
    words = "begin no cell that would end later, such as 6h (default: no limit)"
    parser.add_argument("--budget", type=_duration, metavar="TIME", help=words)
    only = "run these cells alone: a file as the plan names it, AXIS=VALUE, an id; of each kind one must be true"
    parser.add_argument("--only", nargs="+", metavar="CELL", help=only)
    parser.add_argument("--shard", type=shard, metavar="I/N", help="run only the cells of machine I of N")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"a folder for the night (default: in {OUT}/nights)")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="go on with the night in this folder")
    merging = "make one night of the folders of its shards, without a cluster"
    parser.add_argument("--merge", type=Path, nargs="+", metavar="DIR", help=merging)
    jobs = "cells at a time, at most (default: as memory and cores allow)"
    parser.add_argument("--jobs", type=whole_number(1, _MOST_JOBS), metavar="N", help=jobs)
    own = "a new cluster for each cell (default: cells of one shape use clusters one after another)"
    parser.add_argument("--no-pool", action="store_const", const=True, help=own)
    parser.add_argument("--seed", type=whole_number(0, 2**32 - 1), metavar="N", help="seed of every random choice")
    engine = f"container engine, of {', '.join(CHOICES)} (default: $CHAOS_ENGINE or auto)"
    parser.add_argument("--engine", type=one_of(*CHOICES), metavar="ENGINE", help=engine)
    add_lock_options(parser)
    add_yes_option(parser)
    add_job_options(parser)
    parser.add_argument("--json", action="store_true", help="for scripts: the plan, or the summary, as JSON")
    return parser


def _night(chosen: argparse.Namespace, command: Sequence[str], progress: Progress) -> int:
    _refuse_mixed(chosen)
    nights = OUT / "nights"
    folder = chosen.resume or chosen.out or nights / time.strftime("%Y%m%d-%H%M%S")
    if chosen.merge:
        return _tell(merge_nights(chosen.merge, nights, folder), folder, chosen, progress)
    asked = Asked(
        command,
        str(_WITHOUT_FAULT),
        nights,
        _judged,
        progress.say,
        chosen.shard or (1, 1),
        chosen.budget,
        chosen.seed,
        chosen.jobs,
        _extra(chosen),
        only=chosen.only or (),
        shared=not chosen.no_pool,
        engine=chosen.engine,
    )
    if chosen.job:
        return render_job(chosen, asked, chosen.matrix or _MATRIX, _SCENARIOS)
    if chosen.pod:
        summary, folder = run_as_pod(chosen.pod, asked, _SCENARIOS, command[:-1])
        _tell(summary, folder, chosen, progress)
        return status_of_pod(summary)
    pull_rules(chosen)
    if chosen.plan:
        plan = plan_night(asked, chosen.matrix or _MATRIX)
        told = [json.dumps(describe_plan(plan, asked), indent=1)] if chosen.json else plan_lines(plan)
        sys.stdout.writelines(f"{line}\n" for line in told)
        return ExitStatus.AS_EXPECTED if plan.cells else ExitStatus.NOTHING
    matrix = chosen.matrix or _MATRIX
    return _tell(run_night(asked, matrix, folder, resume=bool(chosen.resume)), folder, chosen, progress)


def _refuse_mixed(chosen: argparse.Namespace) -> None:
    """Raise BadScenario unless what was typed is one of: a plan, a new night, one to resume, shards to merge."""
    doing = [name for name in ("plan", "resume", "merge", "job", "pod") if getattr(chosen, name)]
    if len(doing) > 1:
        raise BadScenario(f"{' and '.join(f'--{name}' for name in doing)}: choose one of them")
    if chosen.resume and (fixed := _given(chosen, "matrix", "only", "shard", "out", "seed")):
        raise BadScenario(f"--resume: {fixed}: are those of the night in {chosen.resume}; leave them out")
    of_runs = ("matrix", "only", "shard", "budget", "jobs", "no_pool", "seed", "lock")
    if chosen.merge and (fixed := _given(chosen, *of_runs)):
        raise BadScenario(f"--merge: {fixed}: nothing is run; leave them out")
    if chosen.job and chosen.shard:
        raise BadScenario("--shard: each pod of a Job has its own; leave it out")
    if chosen.pod and (fixed := _given(chosen, "matrix", "only", "shard", "out", "seed", "budget", "jobs", "no_pool")):
        raise BadScenario(f"--pod: {fixed}: are in its order; leave them out")
    refuse_without_job(chosen)


def _given(chosen: argparse.Namespace, *names: str) -> str:
    """Return which of these options were typed, in words."""
    return ", ".join(name.replace("_", "-") for name in names if getattr(chosen, name) is not None)


def _tell(summary: Summary, folder: Path, chosen: argparse.Namespace, progress: Progress) -> int:
    told = [json.dumps(describe(summary), indent=1)] if chosen.json else summary_lines(summary)
    sys.stdout.writelines(f"{line}\n" for line in told)
    progress.say(f"the night is in {folder}: summary.md, summary.json, metrics.txt")
    return summary.status


def _extra(chosen: argparse.Namespace) -> list[str]:
    """Return the options that each run of a cell gets as they were typed."""
    words = [word for name in ("engine", "lock") if getattr(chosen, name) for word in _option(name, chosen)]
    return [*words, *(f"{OPTION}{name}" for name in ("locked", "yes") if getattr(chosen, name))]


def _option(name: str, chosen: argparse.Namespace) -> tuple[str, str]:
    return f"{OPTION}{name}", str(getattr(chosen, name))


def _judged(folder: Path) -> list[JudgedLine]:
    """Return the claims that a run left in its folder."""
    lines = read_verdicts(folder / FILE) if (folder / FILE).is_file() else []
    return [
        JudgedLine(test=line.test, id=line.id, claim=line.claim, expected=line.expected, outcome=line.outcome)
        for line in lines
        if line.outcome != BROKEN
    ]


def _duration(text: str) -> float:
    try:
        read = seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not isinstance(read, float) or read <= 0:
        raise argparse.ArgumentTypeError(f"expected more than no time, found {text[:20]}")
    return read
