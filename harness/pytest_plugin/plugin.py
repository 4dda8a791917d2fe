"""Plugin: pytest's options, hooks and fixtures that give scenarios clusters and experiments.

Fixtures depend on each other by names that begin with `chaos_`. `engine`, `cluster`, `experiments` and `experiment` are
short names of four of them: a repository may have fixtures of its own by these names, which hide only the short ones.
"""

import logging
import secrets
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import images
from chaos_harness.clusters.checkout import OPTION, OUT
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.machine import consent, signals
from chaos_harness.clusters.machine.try_all import CleanupStack
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.lossy_stream import LossyStream, open_copy
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.clusters.terminal.width import columns_of, wrap
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.record import PROPERTY, Record
from chaos_harness.harness.pytest_plugin.estimates import DURATIONS, Countdown, Estimates
from chaos_harness.harness.pytest_plugin.incident_files import collect_incident
from chaos_harness.harness.pytest_plugin.options import add_options, adopted_of, options_of, parse_options, shape_asked
from chaos_harness.harness.pytest_plugin.scenario_list import ScenarioList
from chaos_harness.harness.pytest_plugin.selection import select, summarize_selection
from chaos_harness.harness.run.cluster_provider import ClusterProvider
from chaos_harness.harness.run.context import RunContext, shapes_of
from chaos_harness.harness.run.interrupts import hides_interrupt
from chaos_harness.harness.run.worker_ends import wait_for_workers
from chaos_harness.harness.run.workers import count_clusters
from chaos_harness.pytest_entry import MARKERS

__all__ = ["Experiments", "attach_record"]

Experiments = Callable[[str], Experiment]
"""The fixture `experiments`: makes an experiment by name, to be opened by `with`."""

_CONTEXT = pytest.StashKey[RunContext]()
_ENGINE = pytest.StashKey[Engine]()
_NODES = pytest.StashKey[list[Any]]()
_SEED = "chaos-seed"
_STOPPING = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
_REPETITION = "chaos_repetition"


def attach_record(item: pytest.Item, record: Record) -> None:
    """Attach a record to a test for the reports, replacing an older one."""
    item.user_properties = [user_property for user_property in item.user_properties if user_property[0] != PROPERTY]
    item.user_properties.append((PROPERTY, record.json()))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a chaos run."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check all options before anything is collected or touched, and report all problems at once.

    From now on a closed terminal, or a full disk under a log, loses output and nothing else. What our modules log, as
    each retry, is in the log of the test during which it was done.
    """
    logging.getLogger("chaos_harness").setLevel(logging.INFO)
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    option = options_of(config)
    asked, rules, problems = parse_options(option)
    if problems or rules is None:
        raise _usage_error(problems)
    if option.yes:
        consent.agree()
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadfile"  # a file's tests share a cluster
    option.seed = getattr(config, "workerinput", {}).get(_SEED, option.seed)
    if option.seed is None:
        option.seed = secrets.randbelow(2**32)
    _tolerate_lost_output(config)
    stream = open_copy(2)  # pytest captures what is written to the original
    config.add_cleanup(stream.close)
    config.stash[_CONTEXT] = RunContext(
        seed=option.seed,
        keep=option.keep,
        engine=option.engine,
        asked=asked,
        histories=Path(option.histories or config.rootpath / OUT / "experiments").absolute(),
        progress=Progress(stream),
        pool=option.pool,
        pool_name=option.pool_name,
        rules=rules,
        on=adopted_of(option),
    )
    config.add_cleanup(signals.install_handlers(stream.fileno()))
    context, estimates = config.stash[_CONTEXT], Estimates(config.rootpath / OUT / DURATIONS)
    countdown = Countdown(estimates, lambda: context.shapes, context.progress.say)
    if option.list:
        config.pluginmanager.register(ScenarioList(countdown, lambda: context.shapes, option.json), "chaos-list")
    elif not _has_workers(config):
        config.pluginmanager.register(countdown, "chaos-countdown")


def pytest_report_header(config: pytest.Config) -> str:
    """Report the seed, with which a run can be repeated."""
    return f"chaos: {OPTION}seed {config.stash[_CONTEXT].seed}"


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Report how to run what --founding leaves out."""
    return summarize_selection(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect incident files, in addition to modules."""
    return collect_incident(file_path, parent)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat what makes experiments as often as --times says; the repetition comes first in a test's id."""
    times = options_of(metafunc.config).times
    if times > 1 and _REPETITION in metafunc.fixturenames:
        ids = [f"time_{number}" for number in range(1, times + 1)]
        metafunc.parametrize(_REPETITION, range(times), indirect=True, scope="module", ids=ids)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Find every file's shape before a cluster is touched; deselect what options contradict or nobody selected.

    It comes after pytest's own selection by -k and -m: no image is made ready for a file that does not run. All
    problems of all files are one usage error. A worker of xdist cannot end with one: it runs nothing and leaves the
    report to the controller.
    """
    context = config.stash[_CONTEXT]
    select(config, items)
    context.shapes, contradicted, context.problems = shapes_of(items, context.asked, context.on)
    if context.problems and not hasattr(config, "workerinput"):
        raise _usage_error(context.problems)
    if context.problems:
        items.clear()
    elif contradicted:
        config.hook.pytest_deselected(items=contradicted)
        items[:] = [item for item in items if item not in contradicted]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Connect to the engine and prepare all images before the first test, if a test needs them.

    Without an engine, or an image, or if nobody agrees to what a private engine needs, no test runs, and no cluster is
    touched: that is one usage error, reported as in `pytest_collection_modifyitems`.
    """
    config = session.config
    needed = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if config.option.collectonly or options_of(config).list or "chaos_engine" not in needed:
        return
    context = config.stash[_CONTEXT]
    wanted = dict.fromkeys(context.shapes[item.path] for item in session.items if item.path in context.shapes)
    try:
        engine = config.stash[_ENGINE] = context.connect()
        if "chaos_images" in needed and wanted and not context.on:
            images.ensure(engine, list(wanted), context.progress, context.rules)
    except HarnessError as error:
        if hides_interrupt(error):
            raise KeyboardInterrupt from error
        if not hasattr(config, "workerinput"):
            raise _usage_error([str(error)]) from error
        context.problems += str(error).splitlines()
        session.items.clear()


def _usage_error(problems: Sequence[str]) -> pytest.UsageError:
    """Return the error with which pytest ends; it writes ERROR before each of the lines, which fit a terminal."""
    columns = columns_of(sys.stderr) if sys.stderr else None
    return pytest.UsageError(*(wrap(problem, columns and columns - len("ERROR: ")) for problem in problems))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let the log of a CI service fold what one test tells."""
    with item.config.stash[_CONTEXT].progress.group(item.nodeid):
        return (yield)


def _has_workers(config: pytest.Config) -> bool:
    """Whether this process is a worker of xdist or has some: then tests of several files run at a time."""
    return hasattr(config, "workerinput") or getattr(config.option, "dist", "no") != "no"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Remove what this process made, except what is kept; send the closing lines to the controller of xdist.

    After an interrupt or an internal error, fixtures that are still set up are torn down first; pytest would do it
    later. So another plugin's error, such as a report that a full disk refuses, prevents neither healing nor the
    removal of a cluster.
    """
    context = session.config.stash[_CONTEXT]
    ending = CleanupStack()
    if session.exitstatus in _STOPPING:
        nodes: list[Any] = session.config.stash.get(_NODES, [])
        ending.callback(partial(wait_for_workers, nodes))
    ending.callback(context.close)
    ending.callback(partial(session.config.pluginmanager.getplugin("runner").pytest_sessionfinish, session))
    failed: Exception | None = None
    try:
        ending.close()
    except KeyboardInterrupt:
        session.exitstatus = pytest.ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - raised when other plugins have ended
        failed = error
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["chaos"] = {"kept": context.kept, "problems": context.problems, "remarks": context.remarks}
    elif context.problems:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    yield
    if failed is not None:
        raise failed


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Make `-n auto` as many workers as clusters fit on this machine; each file's cluster is on one worker."""
    try:
        return count_clusters(Shape.parse(shape_asked(options_of(config))))
    except BadScenario:  # pytest_configure reports it later
        return 1


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker of xdist the run's seed: options changed by a hook do not reach it."""
    node.workerinput[_SEED] = node.config.stash[_CONTEXT].seed
    node.config.stash.setdefault(_NODES, []).append(node)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the closing lines of a worker of xdist."""
    closing_lines = getattr(node, "workeroutput", {}).get("chaos", {})
    context = node.config.stash[_CONTEXT]
    context.kept += closing_lines.get("kept", [])
    context.problems += closing_lines.get("problems", [])
    context.remarks += closing_lines.get("remarks", [])


def pytest_exception_interact(call: pytest.CallInfo[Any]) -> None:
    """Stop the run for an interrupt, also if another error hides it (see `hides_interrupt`)."""
    if call.excinfo and hides_interrupt(call.excinfo.value):
        raise KeyboardInterrupt


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report how to use and remove kept clusters, and what workers could not run."""
    context = config.stash[_CONTEXT]
    for line in dict.fromkeys(context.problems):
        terminalreporter.write_line(f"ERROR: {line}", red=True)
    for line in context.closing_lines:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def chaos_engine(pytestconfig: pytest.Config) -> Engine:
    """Return the container engine, after what dead runs left in it was healed and removed."""
    return pytestconfig.stash[_ENGINE]


@pytest.fixture(scope="session")
def chaos_images(pytestconfig: pytest.Config, chaos_engine: Engine) -> Callable[[Shape], images.Images]:
    """Return a lookup `shape -> Images`; those of the collected shapes are in the engine before the first test."""
    context = pytestconfig.stash[_CONTEXT]
    return lambda shape: images.ensure(chaos_engine, shape, context.progress, context.rules)


@pytest.fixture(scope="session")
def chaos_cluster_provider(
    pytestconfig: pytest.Config, chaos_engine: Engine, chaos_images: Callable[[Shape], images.Images]
) -> Iterator[ClusterProvider]:
    """Give the provider of the run's clusters; at the end it waits for the cluster that is made ahead."""
    provider = ClusterProvider(pytestconfig.stash[_CONTEXT], chaos_engine, chaos_images)
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def chaos_cluster(request: pytest.FixtureRequest, chaos_cluster_provider: ClusterProvider) -> Iterator[Cluster]:
    """Give the module's tests one cluster of its shape; it is removed after the last of them unless it is kept."""
    context = request.config.stash[_CONTEXT]
    shape = context.shapes.get(request.path) or Shape.parse(dict(context.asked), str(request.path))
    following = context.next_shape(request.path)
    session = request.session
    with chaos_cluster_provider.cluster(
        shape, lambda: session.testsfailed, following, lambda: session.exitstatus in _STOPPING
    ) as provided:
        yield provided


@pytest.fixture(scope="module")
def chaos_repetition(request: pytest.FixtureRequest) -> int:
    """Return how often the experiments of this test were made before in this run (see --times)."""
    return int(getattr(request, "param", 0))


@pytest.fixture(scope="module")
def chaos_experiments(pytestconfig: pytest.Config, chaos_cluster: Cluster, chaos_repetition: int) -> Experiments:
    """Return a factory for experiments on the module's cluster, for tests that share one experiment."""
    context = pytestconfig.stash[_CONTEXT]

    def make(name: str) -> Experiment:
        directory, seed = context.directory(name), context.seed + chaos_repetition
        return Experiment(chaos_cluster, directory, name=name, seed=seed, progress=context.progress)

    return make


@pytest.fixture
def chaos_experiment(request: pytest.FixtureRequest, chaos_experiments: Experiments) -> Iterator[Experiment]:
    """Open an experiment for one test; attach its record to the test for the reports, however it ends."""
    new_experiment = chaos_experiments(request.node.name)
    try:
        with new_experiment as opened:
            yield opened
    finally:
        attach_record(request.node, new_experiment.record)


@pytest.fixture(scope="session")
def engine(chaos_engine: Engine) -> Engine:
    """Return `chaos_engine`, by a short name."""
    return chaos_engine


@pytest.fixture(scope="module")
def cluster(chaos_cluster: Cluster) -> Cluster:
    """Return `chaos_cluster`, by a short name."""
    return chaos_cluster


@pytest.fixture(scope="module")
def experiments(chaos_experiments: Experiments) -> Experiments:
    """Return `chaos_experiments`, by a short name."""
    return chaos_experiments


@pytest.fixture
def experiment(chaos_experiment: Experiment) -> Experiment:
    """Return `chaos_experiment`, by a short name."""
    return chaos_experiment


def _tolerate_lost_output(config: pytest.Config) -> None:
    """Let pytest, too, write to a standard output that may go away; it starts to use it after this."""
    stdout = sys.stdout
    output = LossyStream(stdout or open_copy(1))  # None if it is closed

    def restore() -> None:
        output.flush()
        sys.stdout = stdout

    config.add_cleanup(restore)
    sys.stdout = output.as_text()
