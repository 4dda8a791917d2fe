"""Command line of incidents: record, repro, ab, recheck, shrink, and the verbs that touch nothing."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaos_harness.clusters.api import readonly
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.clusters.terminal.command_options import whole_number
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.incident.bundle import recheck, write
from chaos_harness.harness.incident.cli_offline import require_new, write_new
from chaos_harness.harness.incident.cli_options import (
    add_run_options,
    load_chosen,
    session_of,
)
from chaos_harness.harness.incident.draft import draft
from chaos_harness.harness.incident.model import seconds
from chaos_harness.harness.incident.replay import repro
from chaos_harness.harness.incident.replay.runner import Runner
from chaos_harness.harness.incident.shrink.ledger import Ledger
from chaos_harness.harness.incident.shrink.session import ShrinkSession
from chaos_harness.harness.run.results_folder import hold_folder, make_work_folder, new_folder

__all__ = ["add_recheck_options", "add_record_options", "add_repro_options", "add_shrink_options"]

_LEDGER = "ledger.jsonl"
_LONGEST_BUDGET = 7 * 24 * 3600.0


def add_repro_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `repro` to its parser."""
    add_run_options(verb)
    verb.add_argument(
        "--times", type=whole_number(1, write.MOST_RUNS), default=1, metavar="N", help="how often (default: 1)"
    )
    verb.add_argument("--on", metavar="NAME", help="a kind cluster of yours that was adopted; none is made")
    help_text = (
        "for `git bisect run`: 0 if it is not reproduced, 1 if it is, at once, 125 if that cannot be told "
        "(without: 0 reproduced or as expected, 1 not, 2 refused, 3 inconclusive, 4 broken)"
    )
    verb.add_argument("--bisect", action="store_true", help=help_text)
    verb.add_argument("--json", action="store_true", help="for scripts: the report with all verdicts")
    verb.set_defaults(verb=_repro)


def add_recheck_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `recheck` to its parser."""
    verb.add_argument("bundle", type=Path, metavar="BUNDLE", help="the zip or the directory that repro left")
    verb.add_argument("--json", action="store_true", help="for scripts: the report with all verdicts")
    verb.set_defaults(verb=_recheck)


def add_shrink_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `shrink` to its parser."""
    add_run_options(verb)
    verb.add_argument("--budget", type=_duration, default=7200.0, metavar="TIME", help="such as 90m (default: 2h)")
    verb.add_argument("--confidence", type=_confidence, default=0.95, metavar="C", help="in the whole result")
    verb.add_argument("--resume", type=Path, metavar="DIR", help="go on where a shrink was stopped")
    verb.set_defaults(verb=_shrink)


def add_record_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `record` to its parser."""
    verb.add_argument("--kubeconfig", type=Path, required=True, metavar="FILE", help="kubeconfig of your cluster")
    verb.add_argument("--context", metavar="NAME", help="a context in it, if not the current one")
    verb.add_argument("--output", type=Path, metavar="FILE", help="a new file (default: print)")
    verb.set_defaults(verb=_record)


def _repro(chosen: argparse.Namespace, progress: Progress) -> int:
    loaded, seed, rules = load_chosen(chosen)
    folder = new_folder("incidents", "repro", loaded.name)
    work = make_work_folder(folder)
    runs: list[tuple[write.Replay, Path]] = []
    runner = Runner(session_of(chosen, seed, rules, progress, work), work, fresh=chosen.fresh)
    try:
        with runner.open():
            for number in range(1, chosen.times + 1):
                progress.say(f"run {number} of {chosen.times}")
                runs.append(runner.run(loaded, seed))
                progress.say(f"run {number} of {chosen.times}: {runs[-1][0].seen}")
                if chosen.bisect and runs[-1][0].seen == "reproduced":
                    break
    finally:
        replays = [run for run, _ in runs]
        if not runs:
            try_remove_folder(folder)
        else:
            bundle = write.write(
                folder / "bundle",
                loaded,
                seed=seed,
                runs=runs,
                environment=runner.environment,
                images=runner.images,
            )
            if chosen.json:
                _print_json(repro.describe(loaded, replays, seed, bundle))
            else:
                lines = repro.report(loaded, replays, seed, bundle, chosen.on)
                sys.stdout.writelines(f"{escape_controls(line)}\n" for line in lines)
    return repro.bisect_status(replays) if chosen.bisect else repro.exit_status(replays)


def _recheck(chosen: argparse.Namespace, _progress: Progress) -> int:
    rechecked = recheck.recheck(chosen.bundle)
    if chosen.json:
        _print_json(recheck.describe(chosen.bundle, *rechecked))
    else:
        sys.stdout.writelines(f"{line}\n" for line in recheck.report(chosen.bundle, *rechecked))
    _, _, compared = rechecked
    return int(any(claim.changed for claim in compared))


def _print_json(report: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(report, indent=1)}\n")


def _shrink(chosen: argparse.Namespace, progress: Progress) -> int:
    if chosen.resume:
        known = Ledger.seed_of(chosen.resume / _LEDGER)
        chosen.seed = known if chosen.seed is None else chosen.seed
    loaded, seed, rules = load_chosen(chosen)
    folder: Path = chosen.resume or new_folder("incidents", "shrink", loaded.name)
    with hold_folder(folder):
        work = make_work_folder(folder)
        ledger = Ledger(folder / _LEDGER, loaded, seed, chosen.confidence)
        runner = Runner(session_of(chosen, seed, rules, progress, work), work, fresh=chosen.fresh)
        progress.say(f"what each run shows goes to {folder}; when stopped, go on with: --resume {folder}")
        with _open(runner, None if chosen.resume else folder):
            shrinking = ShrinkSession(
                loaded,
                ledger,
                lambda candidate: runner.run(candidate, seed)[0],
                chosen.budget,
                chosen.confidence,
                progress.say,
            )
            try:
                smallest, searches = shrinking.run()
            except KeyboardInterrupt:
                progress.say(
                    f"stopped after {shrinking.runs} runs; go on: "
                    f"{command_line('shrink --')} {chosen.file} --resume {folder}"
                )
                raise
    sys.stdout.writelines(f"{escape_controls(line)}\n" for line in shrinking.report(smallest, searches, folder))
    return 0


@contextmanager
def _open(runner: Runner, folder: Path | None) -> Iterator[None]:
    """Open the runner for the block; if that fails, no run can begin, and the new `folder` for results is removed."""
    with ExitStack() as opened:
        try:
            opened.enter_context(runner.open())
        except BaseException:
            if folder:
                try_remove_folder(folder)
            raise
        yield


def _record(chosen: argparse.Namespace, _progress: Progress) -> int:
    if chosen.output is not None:
        require_new(chosen.output)
    with readonly.open_readonly(chosen.kubeconfig, chosen.context) as cluster:
        text = draft(cluster)
    if chosen.output is None:
        sys.stdout.write(text)
    else:
        write_new(chosen.output, text)
        sys.stdout.write(
            f"wrote {chosen.output}; fill in faults and claims, then: {command_line('repro --')} {chosen.output}\n"
        )
    return 0


def _duration(text: str) -> float:
    try:
        duration = float(str(seconds(text)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not 0 < duration <= _LONGEST_BUDGET:
        raise argparse.ArgumentTypeError(
            f"expected more than 0 s and at most {_LONGEST_BUDGET / 3600:g} h, found {text}"
        )
    return duration


def _confidence(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.5 <= number < 1:  # noqa: PLR2004 - less is a guess
        raise argparse.ArgumentTypeError(f"expected 0.5 to less than 1, found {text[:80]!r}")
    return number
