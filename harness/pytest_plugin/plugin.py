"""Plugin: pytest's options, hooks and fixtures that give scenarios clusters and experiments."""

import argparse
import secrets
import sys
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import images
from chaos_harness.clusters.checkout import OPTION, OUT
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import CHOICES, Engine
from chaos_harness.clusters.machine import signals
from chaos_harness.clusters.machine.try_all import CleanupStack
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.lossy_stream import LossyStream, open_copy
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.record import PROPERTY, Record
from chaos_harness.harness.pytest_plugin.incident_files import collected
from chaos_harness.harness.run.cluster_provider import Supply
from chaos_harness.harness.run.context import EXTENDED, Session, shapes_of
from chaos_harness.harness.run.interrupts import interrupted
from chaos_harness.harness.run.worker_ends import await_ends
from chaos_harness.harness.run.workers import at_once

__all__ = ["Cluster", "Experiments", "tell"]

Experiments = Callable[[str], Experiment]
"""What the fixture `experiments` is: makes an experiment by its name, to be opened by `with`."""

_SESSION = pytest.StashKey[Session]()
_NODES = pytest.StashKey[list[Any]]()
_SEED = "chaos-seed"
_OWN = "chaos_"
"""What the names begin with by which pytest keeps our options: another plugin may have a --seed, too."""
_REPETITION = "repetition"
_SHAPE_OPTIONS = ("kubernetes", "gatekeeper", "install", "workers")


def tell(item: pytest.Item, record: Record) -> None:
    """Leave a test's record where reports find it, in place of an older one."""
    item.user_properties = [user_property for user_property in item.user_properties if user_property[0] != PROPERTY]
    item.user_properties.append((PROPERTY, record.json()))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a chaos run."""
    group = parser.getgroup("chaos", "clusters and experiments")

    def add(name: str, **how: Any) -> None:
        group.addoption(f"{OPTION}{name}", dest=f"{_OWN}{name}", **how)

    scope = "for scenarios that leave it open; those that name another are deselected"
    add("gatekeeper", metavar="VERSION", help=f"version of Gatekeeper, or a minor such as 3.20, {scope}")
    add("kubernetes", metavar="VERSION", help=f"version of Kubernetes, or a minor such as 1.35, {scope}")
    add("workers", metavar="N", type=int, help=f"number of worker nodes, {scope}")
    add("install", metavar="METHOD", help=f"manifest or chart, {scope}")
    add("seed", metavar="N", type=int, help="seed of every random choice; told by each run")
    add(
        "times",
        metavar="N",
        type=int,
        default=1,
        help="make each experiment N times, the first with the seed, the next with seed+1, …",
    )
    add("keep", choices=("never", "on-failure", "always"), default="never", help="keep clusters (default: never)")
    help_text = "take clusters from the pool, and give them back to it, unless some are to be kept (default: no)"
    add("pool", action=argparse.BooleanOptionalAction, default=False, help=help_text)
    add("engine", choices=CHOICES, help="container engine (default: $CHAOS_ENGINE or auto)")
    add("histories", metavar="DIR", help=f"where experiments are written (default: {OUT}/experiments)")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check the options, all problems at once, before anything is collected or touched.

    From now on a terminal that goes away, or a full disk below a log, loses what is told and nothing else.
    """
    option = _options(config)
    asked = {name: getattr(option, name) for name in _SHAPE_OPTIONS if getattr(option, name) is not None}
    problems = [] if option.times > 0 else [f"options: times: expected a number above 0 (was {option.times})"]
    try:
        shape = Shape.parse(asked, "options")
        asked = {name: getattr(shape, name) for name in asked}
    except BadScenario as error:
        problems += error.problems
    if problems:
        raise pytest.UsageError(*problems)
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadfile"  # a file's tests share a cluster
    option.seed = getattr(config, "workerinput", {}).get(_SEED, option.seed)
    if option.seed is None:
        option.seed = secrets.randbelow(2**32)
    _tell_what_can_be_told(config)
    stream = open_copy(2)  # pytest captures what is written to the original
    config.add_cleanup(stream.close)
    config.stash[_SESSION] = Session(
        seed=option.seed,
        keep=option.keep,
        engine=option.engine,
        asked=asked,
        histories=Path(option.histories or config.rootpath / OUT / "experiments").absolute(),
        progress=Progress(stream),
        pool=option.pool,
    )
    config.add_cleanup(signals.install_handlers(stream.fileno()))


def pytest_report_header(config: pytest.Config) -> str:
    """Tell the seed, by which a run can be repeated."""
    return f"chaos: {OPTION}seed {config.stash[_SESSION].seed}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect incident files beside the modules."""
    return collected(file_path, parent)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat what makes experiments as often as --times says."""
    times = _options(metafunc.config).times
    if times > 1 and _REPETITION in metafunc.fixturenames:
        ids = [f"time_{number}" for number in range(1, times + 1)]
        metafunc.parametrize(_REPETITION, range(times), indirect=True, scope="module", ids=ids)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Find every file's shape before a cluster is touched; deselect what the options contradict, or nobody asked for.

    All problems of all files are told at once, as a usage error. A worker of xdist cannot end with one: it runs
    nothing and leaves them to the controller.
    """
    session = config.stash[_SESSION]
    if not (config.option.markexpr or config.option.keyword):
        extended = [item for item in items if item.get_closest_marker(EXTENDED)]
        config.hook.pytest_deselected(items=extended)
        items[:] = [item for item in items if item not in extended]
    session.shapes, contradicted, session.problems = shapes_of(items, session.asked)
    if session.problems and not hasattr(config, "workerinput"):
        raise pytest.UsageError(*session.problems)
    if session.problems:
        items.clear()
    elif contradicted:
        config.hook.pytest_deselected(items=contradicted)
        items[:] = [item for item in items if item not in contradicted]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Leave nothing of this process but what is kept; tell the controller of xdist what there is to tell.

    Fixtures that are still set up, as after an interrupt or an internal error, are torn down first, which pytest would
    do later: what another plugin raises meanwhile, such as a report that a full disk does not take, must not keep a
    fault from being healed or a cluster from being removed.
    """
    mine = session.config.stash[_SESSION]
    ending = CleanupStack()
    if session.exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR):
        nodes: list[Any] = session.config.stash.get(_NODES, [])
        ending.callback(partial(await_ends, nodes))
    ending.callback(mine.close)
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
        output["chaos"] = {"kept": mine.kept, "problems": mine.problems, "told": mine.remarks}
    elif mine.problems:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    yield
    if failed is not None:
        raise failed


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Let `-n auto` be as many clusters as the machine bears, each file's on one worker."""
    asked = {name: value for name in _SHAPE_OPTIONS if (value := getattr(_options(config), name)) is not None}
    try:
        return at_once(Shape.parse(asked))
    except BadScenario:  # told by pytest_configure, which comes later
        return 1


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker of xdist the run's seed: options that a hook has changed do not reach it."""
    node.workerinput[_SEED] = node.config.stash[_SESSION].seed
    node.config.stash.setdefault(_NODES, []).append(node)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist has to tell."""
    parting = getattr(node, "workeroutput", {}).get("chaos", {})
    session = node.config.stash[_SESSION]
    session.kept += parting.get("kept", [])
    session.problems += parting.get("problems", [])
    session.remarks += parting.get("told", [])


def pytest_exception_interact(call: pytest.CallInfo[Any]) -> None:
    """Stop the run for an interrupt, also if what it stopped failed to end and raised an error of its own."""
    if call.excinfo and interrupted(call.excinfo.value):
        raise KeyboardInterrupt


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell how to use, and how to remove, the clusters that were kept, and what workers could not run."""
    session = config.stash[_SESSION]
    for line in dict.fromkeys(session.problems):
        terminalreporter.write_line(f"ERROR: {line}", red=True)
    for line in session.parting:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config) -> Engine:
    """Return the container engine, after what dead runs left in it is healed and removed."""
    return pytestconfig.stash[_SESSION].connect()


@pytest.fixture(scope="session")
def ready_images(pytestconfig: pytest.Config, engine: Engine) -> Callable[[Shape], images.Images]:
    """Make the images of all collected files ready at once; return who tells those of one shape."""
    session = pytestconfig.stash[_SESSION]
    if session.shapes:
        images.ensure(engine, list(dict.fromkeys(session.shapes.values())), session.progress)
    return lambda shape: images.ensure(engine, shape, session.progress)


@pytest.fixture(scope="session")
def supply(
    pytestconfig: pytest.Config, engine: Engine, ready_images: Callable[[Shape], images.Images]
) -> Iterator[Supply]:
    """Return where clusters come from and go to."""
    cluster_supply = Supply(pytestconfig.stash[_SESSION], engine, ready_images)
    yield cluster_supply
    cluster_supply.close()


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, supply: Supply) -> Iterator[Cluster]:
    """Give the file's tests a cluster of its shape, which goes after the last of them, unless it is to be kept."""
    session = request.config.stash[_SESSION]
    shape = session.shapes.get(request.path) or Shape.parse(dict(session.asked), str(request.path))
    with supply.cluster(shape, lambda: request.session.testsfailed, session.upcoming(request.path)) as lent_cluster:
        yield lent_cluster


@pytest.fixture(scope="module")
def repetition(request: pytest.FixtureRequest) -> int:
    """Return how often the experiments of this test were made before in this run (see --times)."""
    return int(getattr(request, "param", 0))


@pytest.fixture(scope="module")
def experiments(pytestconfig: pytest.Config, cluster: Cluster, repetition: int) -> Experiments:
    """Return who makes experiments on the file's cluster, for tests that share one."""
    session = pytestconfig.stash[_SESSION]

    def named(name: str) -> Experiment:
        directory = session.directory(name)
        return Experiment(cluster, directory, name=name, seed=session.seed + repetition, progress=session.progress)

    return named


@pytest.fixture
def experiment(request: pytest.FixtureRequest, experiments: Experiments) -> Iterator[Experiment]:
    """Open an experiment for one test, and leave its record for the reports, however it ends."""
    new_experiment = experiments(request.node.name)
    try:
        with new_experiment as opened:
            yield opened
    finally:
        tell(request.node, new_experiment.record)


def _options(config: pytest.Config) -> argparse.Namespace:
    """Return the values of our options, by the names they have without a prefix."""
    known = vars(config.option).items()
    return argparse.Namespace(**{name.removeprefix(_OWN): value for name, value in known if name.startswith(_OWN)})


def _tell_what_can_be_told(config: pytest.Config) -> None:
    """Have pytest, too, write to a standard output that may go away: it begins to use it after this."""
    stdout = sys.stdout
    output = LossyStream(stdout or open_copy(1))  # None if it is closed

    def restore() -> None:
        output.flush()
        sys.stdout = stdout

    config.add_cleanup(restore)
    sys.stdout = output.as_text()
