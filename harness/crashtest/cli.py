"""Command line: `crashtest` kills the harness at each moment of each fault, and tells what is left."""

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from chaos_harness.clusters import images
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.sources import require_right_values
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.pool import Pool
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.clusters.terminal.command_options import one_of, shard, whole_number
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness import private
from chaos_harness.harness.crashtest.clusters import ClusterLender
from chaos_harness.harness.crashtest.ledger import FILE, Ledger, Trial, TrialKey
from chaos_harness.harness.crashtest.moments import MOMENTS
from chaos_harness.harness.crashtest.samples import SAMPLES
from chaos_harness.harness.crashtest.session import plan, run_trials
from chaos_harness.harness.crashtest.table import as_json, as_markdown, for_terminal
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.cli_options import (
    NO_GATEKEEPER,
    add_cluster_options,
    add_session_options,
    pull_rules,
    session_of,
    shape_fields,
)
from chaos_harness.harness.run.exit_status import ExitStatus
from chaos_harness.harness.run.results_folder import make_work_folder, new_folder

__all__ = ["add_options"]

_MOST_TIMES = 100
_SHORT = 80
_LOCK = "crashtest"


def add_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of the verb to its parser."""
    words = "only this fault, or one of its samples in quotes, such as 'cut_registry drop'; repeatable"
    verb.add_argument("--fault", action="append", metavar="NAME", help=words)
    words = f"only this moment, of {', '.join(MOMENTS)}; repeatable"
    verb.add_argument("--moment", action="append", type=one_of(*MOMENTS), metavar="NAME", help=words)
    words = "how often each is tried (default: 1)"
    verb.add_argument("--times", type=whole_number(1, _MOST_TIMES), default=1, metavar="N", help=words)
    verb.add_argument("--shard", type=shard, metavar="I/N", help="only the faults of machine I of N")
    variants = verb.add_mutually_exclusive_group()
    words = "turn undos into no-ops, each of which must be seen as a difference"
    variants.add_argument("--without-undo", dest="variant", action="store_const", const="no undo", help=words)
    words = "kill the guardian, too, which ends the commands of a killed harness"
    variants.add_argument("--without-guardian", dest="variant", action="store_const", const="guardian", help=words)
    words = "how many control planes clusters have (default: 1); some samples need two"
    verb.add_argument("--control-planes", type=one_of("1", "3"), default="1", metavar="N", help=words)
    words = f"go on with the crash test in this folder, or, with the trials of this {FILE}, in a new one"
    verb.add_argument("--resume", type=Path, metavar="PATH", help=words)
    words = "print the table of what is in these folders or files, as of shards, and run nothing"
    verb.add_argument("--show", type=Path, nargs="+", metavar="PATH", help=words)
    verb.add_argument("--json", action="store_true", help="for scripts: the table as JSON")
    add_cluster_options(verb, "another version, or minor, than the default one")
    add_session_options(verb)
    verb.set_defaults(verb=_crashtest, variant="harness")


def _crashtest(chosen: argparse.Namespace, progress: Progress) -> int:
    if chosen.show:
        files = [path if path.is_file() else path / FILE for path in chosen.show]
        return _report([trial for file in files for trial in Ledger.read(file).trials], as_json_=chosen.json)
    keys = _plan(chosen)
    shape = _shape(chosen)
    rules = pull_rules(chosen)
    ledger = _ledger(chosen.resume)
    work = make_work_folder(ledger.path.parent)
    if not ledger.path.exists():
        ledger.write()
    with try_lock(_LOCK) as free:
        if not free:
            raise BadScenario("another crash test runs on this machine, and each would see what the other one does")
        try:
            _run(chosen, keys, ledger, shape, rules, work, progress)
        except BaseException:
            if made := _chosen_of(ledger, keys):
                _report(made, as_json_=chosen.json)
            raise
    return _report(_chosen_of(ledger, keys), as_json_=chosen.json)


def _chosen_of(ledger: Ledger, keys: Sequence[TrialKey]) -> list[Trial]:
    return [trial for trial in ledger.trials if trial.key in keys]


def _run(
    chosen: argparse.Namespace,
    keys: Sequence[TrialKey],
    ledger: Ledger,
    shape: Shape,
    rules: PullRules,
    work: Path,
    progress: Progress,
) -> None:
    """Make the trials; the tables are written anew after each. Raises what `run_trials` raises."""
    folder = ledger.path.parent
    seed = chosen.seed if chosen.seed is not None else secrets.randbelow(2**32)
    context = session_of(chosen, seed, rules, progress, work)

    def changed() -> None:
        private.write(folder / "crashtest.md", as_markdown(ledger.trials))
        private.write(folder / "crashtest.json", as_json(ledger.trials))

    progress.say(f"{len(set(keys) - ledger.done)} trials; {command_line('crashtest --')} --resume {folder} goes on")
    try:
        engine = context.connect()
        pool = Pool(engine, progress)
        ready = images.ensure(engine, shape, progress, context.rules)
        get = pool.get if chosen.pool else pool.make
        lender = ClusterLender(
            pool,
            lambda: get(shape, ready, context.logs),
            "private" if engine.private else "system",
            work,
            progress,
            chosen.pool,
        )
        run_trials(keys, ledger, lender.lend, changed, progress)
    finally:
        for line in context.closing_lines:
            progress.say(line)
        context.close()


def _ledger(resume: Path | None) -> Ledger:
    """Return the ledger of a folder, or a new one, with the trials of a file. Raises what `Ledger.resume` raises."""
    if resume and resume.is_dir():
        return Ledger.resume(resume / FILE)
    return Ledger(new_folder("crashtests") / FILE, Ledger.read(resume).trials if resume else ())


def _plan(chosen: argparse.Namespace) -> list[TrialKey]:
    """Return the chosen trials. Raises BadScenario."""
    names = list(SAMPLES)
    if chosen.fault:
        known = {*SAMPLES, *(sample.fault for sample in SAMPLES.values())}
        unknown = [name for name in chosen.fault if name not in known]
        if unknown:
            advice = f"see `{command_line('list --')} faults`"
            raise BadScenario(
                [f"--fault {word[:_SHORT]}: it has no sample; {did_you_mean(word, known)}{advice}" for word in unknown]
            )
        names = [name for name in names if name in chosen.fault or SAMPLES[name].fault in chosen.fault]
    names = [name for name in names if SAMPLES[name].planes <= int(chosen.control_planes)]
    part, parts = chosen.shard or (1, 1)
    moments = [moment for moment in MOMENTS if not chosen.moment or moment in chosen.moment]
    keys = plan(names[part - 1 :: parts], moments, chosen.times, variant=chosen.variant)
    if not keys:
        raise BadScenario(
            "nothing of what was chosen can be tried: it has no such moment, heals by itself, or needs more control "
            "planes, as by --control-planes 3"
        )
    return keys


def _shape(chosen: argparse.Namespace) -> Shape:
    """Return the shape of the clusters. Raises BadScenario."""
    if chosen.keep != "never" or chosen.gatekeeper == NO_GATEKEEPER:
        raise BadScenario("crashtest takes no --keep, and no --gatekeeper none: faults harm Gatekeeper, too")
    shape = Shape.parse({**shape_fields(chosen), "control_planes": int(chosen.control_planes)}, "options")
    require_right_values(shape)
    return shape


def _report(trials: Sequence[Trial], *, as_json_: bool) -> ExitStatus:
    """Print the table; return how the verb ends."""
    if as_json_:
        sys.stdout.write(as_json(trials))
    else:
        sys.stdout.writelines(f"{escape_controls(line)}\n" for line in for_terminal(trials))
    outcomes = {trial.outcome for trial in trials}
    if any(trial.outcome in ("zero", "differs") and not trial.as_wanted for trial in trials):
        return ExitStatus.OTHERWISE
    if "broken" in outcomes:
        return ExitStatus.BROKEN
    if outcomes & {"not reached", "not proved"}:
        return ExitStatus.INCONCLUSIVE
    return ExitStatus.AS_EXPECTED if trials else ExitStatus.NOTHING
