"""Command line: `suite` asks the cases of gator's suites of a cluster, also while a fault lasts."""

import argparse
import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos_harness.clusters import images
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.images.sources import require_right_values
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.incident.cli_options import (
    NO_GATEKEEPER,
    add_cluster_options,
    add_session_options,
    pull_rules,
    refuse_kept_pool,
    session_of,
    shape_fields,
)
from chaos_harness.harness.incident.model import seconds
from chaos_harness.harness.run.cluster_provider import ClusterProvider
from chaos_harness.harness.run.context import RunContext
from chaos_harness.harness.run.results_folder import make_work_folder, new_folder
from chaos_harness.harness.suites.during import ChosenFault, LostAnswers, ask_during
from chaos_harness.harness.suites.model import Suite, SuiteTest
from chaos_harness.harness.suites.read import read_suites
from chaos_harness.harness.suites.report import describe, exit_status, report
from chaos_harness.harness.suites.running import Results, ask_suites

__all__ = ["add_options"]

_LASTS_SECONDS = 30.0
_MOST_SECONDS = 600.0


def add_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of the verb to its parser."""
    verb.add_argument(
        "paths", type=Path, nargs="+", metavar="PATH", help="suites, folders of such, or FOLDER/... with all below it"
    )
    verb.add_argument("--tests", nargs="+", metavar="NAME", help="only tests of these names")
    during = "ask them while a fault lasts, too, such as kill_node:node=$worker; `list faults` shows all"
    verb.add_argument("--during", metavar="FAULT", help=during)
    lasts = "how long the fault lasts, such as 30s (default: 30s)"
    verb.add_argument("--lasts", type=_duration, metavar="TIME", help=lasts)
    verb.add_argument("--json", action="store_true", help="for scripts: the result of each case")
    add_cluster_options(verb, "another version, or minor, than the default one")
    add_session_options(verb)
    verb.set_defaults(verb=_suite)


def _suite(chosen: argparse.Namespace, progress: Progress) -> int:
    suites = _chosen(read_suites(chosen.paths), chosen.tests)
    if chosen.lasts and not chosen.during:
        raise BadScenario("--lasts says how long a fault lasts, and there is none; add --during FAULT")
    shape = _shape(chosen)
    fault = ChosenFault.parse(chosen.during, chosen.lasts or _LASTS_SECONDS, shape) if chosen.during else None
    rules = pull_rules(chosen)
    seed = chosen.seed if chosen.seed is not None else secrets.randbelow(2**32)
    work = make_work_folder(new_folder("suites"))
    during = f"{fault.words} for {fault.lasts:g} s" if fault else ""
    with _cluster(session_of(chosen, seed, rules, progress, work), shape) as (context, cluster):

        def experiment(name: str, **options: Any) -> Experiment:
            directory = context.directory(name)
            return Experiment(
                cluster, directory, name=name, seed=seed, progress=progress, claims_healing=False, **options
            )

        known, under_fault = Results(suites), list[LostAnswers]()
        with _told(known, under_fault, during, as_json=chosen.json):
            with experiment("healthy", probes=lambda _cluster, _history: ()) as healthy:
                results = ask_suites(healthy, known)
            if fault:
                tests: list[SuiteTest] = [test for suite in suites for test in suite.tests]
                agreed = {result.place for result in results if result.agreement == "as expected"}
                for each in ask_during(experiment, tests, agreed, fault):
                    under_fault.append(each)
    lost = under_fault if fault else None
    if chosen.json:
        sys.stdout.write(f"{json.dumps(describe(results, lost, during), indent=1)}\n")
    else:
        sys.stdout.writelines(f"{escape_controls(line)}\n" for line in report(results, lost, during))
    return exit_status(results, lost)


@contextmanager
def _told(known: Results, under_fault: Sequence[LostAnswers], during: str, *, as_json: bool) -> Iterator[None]:
    """Print what is known if the block ends early, as by an interrupt: what was asked need not be asked again."""
    try:
        yield
    except BaseException:
        lost = under_fault or None
        if as_json:
            partly = {**describe(known.ordered, lost, during), "missing": known.missing}
            sys.stdout.write(f"{json.dumps(partly, indent=1)}\n")
        else:
            asked = f"; of {len(under_fault)} it is known what was lost during {during}" if during else ""
            early = f"ended early: {known.missing} cases have no result{asked}"
            lines = [*report(known.ordered, lost, during), early]
            sys.stdout.writelines(f"{escape_controls(line)}\n" for line in lines)
        sys.stdout.flush()
        raise


def _shape(chosen: argparse.Namespace) -> Shape:
    """Return the shape of the cluster, as the options say. Raises BadScenario."""
    refuse_kept_pool(chosen)
    if chosen.gatekeeper == NO_GATEKEEPER:
        raise BadScenario(f"--gatekeeper {NO_GATEKEEPER}: expected a version, Gatekeeper answers the cases")
    shape = Shape.parse(shape_fields(chosen), "options")
    require_right_values(shape)
    return shape


def _duration(text: str) -> float:
    try:
        given = float(str(seconds(text)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not 0 < given <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"expected more than 0 s and at most {_MOST_SECONDS:g} s, found {text[:80]}")
    return given


def _chosen(suites: Sequence[Suite], names: Sequence[str] | None) -> list[Suite]:
    """Return the suites with the tests of these names alone; raise BadScenario for a name that none has."""
    if not names:
        return list(suites)
    there = {test.name for suite in suites for test in suite.tests}
    if unknown := [name for name in names if name not in there]:
        words = f"no suite has such a test; there are {', '.join(sorted(there))}"
        raise BadScenario([f"--tests {name}: {words}" for name in unknown])
    kept = (
        Suite(suite.path, tuple(test for test in suite.tests if test.name in names), suite.files) for suite in suites
    )
    return [suite for suite in kept if suite.tests]


@contextmanager
def _cluster(context: RunContext, shape: Shape) -> Iterator[tuple[RunContext, Cluster]]:
    """Give a cluster for a block, and remove, keep or return it afterwards, as the options say."""
    progress = context.progress
    try:
        engine = context.connect()
        provider = ClusterProvider(
            context, engine, lambda wanted: images.ensure(engine, wanted, progress, context.rules)
        )
        with provider.cluster(shape, lambda: 0, None) as cluster:
            yield context, cluster
    finally:
        for line in context.closing_lines:
            progress.say(line)
        context.close()
