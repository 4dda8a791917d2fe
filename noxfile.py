"""The verbs of the project.

scenarios     chaos, report, nightly, store, compare, crashtest
incidents     repro, ab, recheck, shrink, record, suite, adopt, release
their files   new, new-incident, check, plan, list, schema
this machine  doctor, images, gc, uninstall
versions      add-kubernetes
figures       truth, bench
the harness   lint, tests, lowest, explore, worlds, dist, engines, mutation
besides       docs, lock

`nox --usage VERB` says what may follow after --.
"""

import argparse
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from importlib import metadata
from pathlib import Path
from threading import Event
from types import FrameType

import nox
from nox.command import CommandFailed
from nox.virtualenv import VirtualEnv
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

nox.needs_version = ">=2026.10.20"
nox.options.sessions = ["tests"]
nox.options.reuse_venv = "yes"

_CORES = os.cpu_count() or 1
_BY_FILE = ("--dist", "loadfile", "--no-loadscope-reorder")
_PARALLEL = ("-n", str(_CORES + 1), *_BY_FILE)
"""One process more than cores, since a third of what these tests take is waiting."""
_ELSEWHERE = ("--ignore=tests/api", "--ignore=tests/engines", "--ignore=tests/integration", "--ignore=tests/processes")
_UNWATCHED = ("-o", "faulthandler_timeout=0")  # a thread a test, which waits for a core, for a loop of a minute
_QUICK = ("-n", str(_CORES + 2), *_BY_FILE, "--hypothesis-profile", "quick", *_ELSEWHERE, *_UNWATCHED)
"""For tests that start no engine, API server or whole program, of which many rows are a sample (tests/thorough.py).
On two cores four processes: much of a unit test is waiting, but each collects all tests, for 6 s of processor."""
_BESIDE, _ALONE = ("-n", "2", *_BY_FILE, "-m", "beside"), ("-m", "not beside and not only_engine")
_ONLY_ENGINE = ("-m", "only_engine", "-p", "no:cacheprovider", "tests/integration")
"""Of tests/integration, whose modules say which they are: one cluster keeps two cores busy for a third of the time."""
_MOST_CI_SECONDS, _SLOWEST_MODULES = 75 * 60, 5
_SOURCES = Path("src").resolve()
_Phase = Callable[[str], AbstractContextManager[None]]

_stopped = Event()


_VERBS = {
    "chaos": "Run the three founding incidents, and make their report.\n\n"
    "-- --all: all scenarios; -- --list: show what would run. Others go to pytest: -- scenarios/registry_cut -k Always",
    "report": "Make the HTML report of the latest run again.\n\n"
    "-- RUN: of another run; --serve: show it at an address of this machine",
    "nightly": "Run scenarios on a matrix of versions.\n\n-- MATRIX --plan | --budget 6h | --resume DIR | --merge DIR…",
    "store": "Keep what many runs said in one database.\n\n-- import RUN… | show",
    "compare": "Say what changed between runs, commits or weeks, beyond noise.\n\n-- A B [--markdown]",
    "crashtest": "Kill the harness in each fault, and compare what is left.\n\n-- --fault NAME --resume DIR",
    "repro": "Replay an incident.\n\n-- scenarios/incidents/gatekeeper-3839.yaml --times 10 --gatekeeper V",
    "ab": "Compare two releases, or ways to install, on the same incidents.\n\n-- v3.20.1 v3.23.1 FILE… --times 10",
    "recheck": "Judge the bundle of a replay again, without a cluster.\n\n-- BUNDLE",
    "shrink": "Reduce an incident to the parts that reproduce it.\n\n-- FILE --budget 2h --resume DIR",
    "record": "Draft an incident from a cluster of yours, which is only read.\n\n-- --kubeconfig FILE",
    "suite": "Ask the cases of gator's suites of a cluster, also under a fault.\n\n-- PATH… [--during FAULT]",
    "adopt": "Let faults be done to a kind cluster of yours, for a time.\n\n-- kind NAME --for 2h",
    "release": "Heal an adopted cluster, and say what is not as it was.\n\n-- NAME",
    "new": "Write a scenario, or an incident, to start with.\n\n-- incident FILE",
    "new-incident": "Write a new incident file: the same as `new -- incident`.\n\n-- FILE",
    "check": "Report all problems of incident files, without a cluster.\n\n-- FILE… [--json]",
    "plan": "Show what a replay would do, need and cost.\n\n-- FILE --svg PICTURE",
    "list": "List what incident files may name.\n\n-- faults | checks | probes | policies | scenarios",
    "schema": "Print the JSON schema by which editors complete incident files.\n\n> scenarios/incidents/schema.json",
    "doctor": "Report what this machine lacks, with the command that fixes it.\n\n-- --json",
    "images": "Prepare images ahead, or carry them to another machine.\n\n-- --gatekeeper 3.20 --save F | --load F",
    "gc": "Heal and remove what dead runs left behind.\n\n-- --all: also what live runs own, and the private engine",
    "uninstall": "Take back everything that the harness did to this machine.\n\n-- --keep-caches --yes",
    "add-kubernetes": "Make another version of Kubernetes known.\n\n-- v1.36.5 --digest sha256:… --replace v1.36.4",
}
"""Sessions that are verbs of the tool, of the same names but for `run`, and what they say of themselves."""


def _add_verb(name: str, description: str) -> None:
    def verb(session: nox.Session) -> None:
        _install(session, "chaos")
        _tool(session, "run" if name == "chaos" else name, *session.posargs)

    verb.__doc__ = description
    nox.session(name=name)(verb)


for _name, _description in _VERBS.items():
    _add_verb(_name, _description)


@nox.session
def truth(session: nox.Session) -> None:
    """Count the verdicts of each check on each version of Gatekeeper.

    -- --versions 3.20 3.23 --times 10 -k … --add EARLIER
    """
    _install(session, "chaos")
    parser = argparse.ArgumentParser(prog="nox -s truth --", allow_abbrev=False)
    parser.add_argument("--versions", nargs="+", default=["3.18", "3.20", "3.23"], metavar="V")
    parser.add_argument("--times", default="10", metavar="N")
    parser.add_argument("--add", nargs="+", default=[], metavar="RUN", help="earlier runs, or tables, to count, too")
    chosen, others = parser.parse_known_args(session.posargs)
    if none := [run for run in chosen.add if not any(Path(run, name).is_file() for name in ("", "verdicts.jsonl"))]:
        session.error(f"no verdicts.jsonl in {', '.join(none)}; `ls reports/out/*/verdicts.jsonl` shows the runs")
    runs = Path("reports", "out", f"truth-{time.strftime('%Y%m%d-%H%M%S')}")
    names = ("python", "-m", "chaos_harness.clusters.known_versions", "gatekeeper", *chosen.versions)
    version_runs = [runs / version for version in dict.fromkeys((session.run(*names, silent=True) or "").split())]
    for run in version_runs:
        options = ["--gatekeeper", run.name, "--times", chosen.times, "--alluredir", str(run / "results")]
        # 1: a claim came out otherwise, which is for the table to tell; 5: the version contradicts all scenarios
        _pytest(session, "scenarios", *options, *others, success_codes=[0, 1, 5])
    judged_runs = [str(run) for run in version_runs if (run / "verdicts.jsonl").exists()]
    if not judged_runs:
        session.error("no scenario ran on these versions; `pytest scenarios --collect-only` lists them")
    written = ("--write", str(runs / "truth.json"))
    session.run("python", "-m", "chaos_harness.reports.truth", *chosen.add, *judged_runs, *written)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, beside work by hand and Chaos Toolkit.

    -- --rounds 5 plain ours
    """
    _install(session, "chaos")
    peer = Path(session.virtualenv.location, "peer")  # its dependencies are not ours
    session.run("python", "-m", "venv", str(peer))
    session.run(str(peer / "bin" / "pip"), "install", "--quiet", *_locked("bench"), external=True)
    _patiently(session, "python", "-m", "benchmarks", "--peer", str(peer / "bin" / "chaos"), *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Lint and check types; the workflows, too, where there is Go."""
    _install(session, "tests")
    _lint(session)
    session.run("python", "-m", "tests.actionlint", str(session.cache_dir.resolve()))


@nox.session
def tests(session: nox.Session) -> None:
    """Lint, type-check and test the harness, on real clusters too.

    -- -m "not cluster": the quick loop; -- PATH: the tests of a file or folder. The end says what each phase took.
    """
    _install(session, "tests")
    session.env["CHAOS_YES"] = "1"  # whoever types it knows that it tests what is done as root
    session.env["PYTHONHASHSEED"] = "0"  # the same order of all sets, so that a run passes twice or fails twice
    with _timed(session) as phase:
        if session.posargs:
            with phase("lint and types"):
                _lint(session)
            with phase("tests"):
                _pytest(session, *(_QUICK if "not cluster" in session.posargs else ()), *session.posargs)
            return
        with phase("lint, types and lowest versions"), ThreadPoolExecutor(1) as beside:
            linted = beside.submit(_lint, session)  # on one core, as pip is; the tests leave a third of one
            session.run("nox", "-s", "lowest")
            linted.result()
        with ThreadPoolExecutor(1) as beside:
            with phase("unit and processes, beside images and engines"):
                found = beside.submit(_images, session)
                tried = beside.submit(lambda: (found.result(), session.run("pytest", *_ONLY_ENGINE)))
                _pytest(session, *_PARALLEL, *_UNWATCHED, "tests/unit", "tests/processes")
                session.env["CHAOS_TEST_PROGRAMS"] = found.result()
            with phase("api, beside engines"):  # each process waits much for an API server of its own
                _pytest(session, *_PARALLEL, "tests/api")
                tried.result()
        for name, chosen in {"beside others": _BESIDE, "alone": _ALONE}.items():
            with phase(f"integration, {name}"):
                _pytest(session, *chosen, "tests/integration")


def _images(session: nox.Session) -> str:
    """Prepare images, which leaves most of the processor to others; return which programs are tests' API servers."""
    session.run("python", "-m", "chaos_harness.harness", "images")
    return (session.run("python", "-m", "tests.live_api.binaries", silent=True) or "").splitlines()[-1]


def _lint(session: nox.Session) -> None:
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")


@contextmanager
def _timed(session: nox.Session, clock: Callable[[], float] = time.monotonic) -> Iterator[_Phase]:
    """Give who times a phase of a session; at its end tell what each took, and fail in CI if that was too long."""
    begin = clock()
    seconds: dict[str, float] = {}
    modules: dict[str, float] = {}

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        phase_begin = clock()
        try:
            yield
        finally:
            seconds[name] = clock() - phase_begin
            if name.startswith("integration"):
                modules.update(_modules_of_latest_run())

    try:
        yield phase
    finally:
        whole = clock() - begin
        slowest = sorted(modules.items(), key=lambda module: -module[1])[:_SLOWEST_MODULES]
        indented = {f"  {path}": taken for path, taken in slowest}
        for name, taken in {**seconds, **indented, "whole session": whole}.items():
            session.log(f"{taken:6.0f} s  {name}")
    if os.environ.get("CI") and whole > _MOST_CI_SECONDS:
        allowed = f"in CI at most {_MOST_CI_SECONDS // 60} are allowed, because a run of 90 is ended"
        session.error(f"all passed, but in {whole / 60:.0f} minutes: {allowed}; the table above says where they went")


def _modules_of_latest_run() -> dict[str, float]:
    """Return what the modules of integration took in the latest run, as tests/longest.py keeps it."""
    kept = Path(".pytest_cache", "v", "chaos", "latest")
    latest = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    return {path: taken for path, taken in latest.items() if "/integration/" in path}


@nox.session
def lowest(session: nox.Session) -> None:
    """Test what uses libraries with the lowest versions that are allowed.

    Every module is imported, and for each that imports a library tests/libraries.py chooses one file of unit tests.
    Random examples try our code, not the libraries', and are left out. -- PATH: the tests of a file or folder
    """
    _install(session, "lowest")
    chosen = session.posargs or (session.run("python", "-m", "tests.libraries", silent=True) or "").split()
    _pytest(session, *_PARALLEL, "--hypothesis-profile", "quick", "-m", "not hypothesis", *_UNWATCHED, *chosen)


@nox.session
def explore(session: nox.Session) -> None:
    """Try other random examples than the tests do, ten times as many.

    A failure ends with the line that repeats it. -- PATH: the tests of a file or folder
    """
    _install(session, "tests")
    drawing = ("-m", "hypothesis", "--hypothesis-profile", "explore")
    _pytest(session, *_PARALLEL, *drawing, *_UNWATCHED, *(session.posargs or ["tests/unit"]))


@nox.session
def worlds(session: nox.Session) -> None:
    """Test the checks on simulated worlds whose truth is known.

    -- --check NAME --seeds 0:2000; it goes on where it stopped
    """
    seeds = () if "--seeds" in session.posargs else ("--seeds", "0:2000")
    _go_on(session, "worlds", "--jobs", str(os.cpu_count() or 1), *seeds)


@nox.session(reuse_venv=False)
def dist(session: nox.Session) -> None:
    """Build the package into dist/, and use it in a new environment.

    -- v0.1.0: only if that is the version, and the changelog has it
    """
    for lock in ("uv", "chaos"):
        session.install(*_locked(lock))
    session.run("python", "-m", "tests.packaged", *session.posargs)


@nox.session
def engines(session: nox.Session) -> None:
    """Try a scenario as an ordinary user on Docker 28 and 29; not in CI.

    -- -k 29: on one of them; both are built first, for half an hour
    """
    _install(session, "tests")
    _pytest(session, "tests/engines", "--capture=no", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Put mistakes into the sources: a test must find each of them.

    -- --package undo --seconds 3600; it goes on where it stopped
    """
    _go_on(session, "mutation")


def _go_on(session: nox.Session, tool: str, *options: str) -> None:
    """Run a tool of tests/ that keeps what it did in nox's own folder, and goes on from there the next time."""
    _install(session, "tests")
    kept = session.cache_dir.resolve() / f"{tool}.jsonl"
    session.run("python", "-m", f"tests.{tool}", "--store", str(kept), *options, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Make what in docs/ comes from the code, and the site of all pages."""
    for lock in ("chaos", "docs"):
        _install(session, lock)
    session.run("python", "-m", "docs.generator")


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve pyproject.toml and *.in into requirements/*.txt.

    -- --upgrade: the newest versions
    """
    session.install(*_locked("uv"))
    compile_ = ("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes")
    dev, ours = ("--group", "dev"), (*session.posargs, "pyproject.toml", "--all-extras", "--output-file")
    for name, options in {"chaos": (), "tests": dev, "lowest": (*dev, "--resolution", "lowest-direct")}.items():
        session.run(*compile_, *options, *ours, f"requirements/{name}.txt")
    for name in (*(f"requirements/{name}" for name in ("nox", "uv", "bench", "docs")), "reports/html/npm/node"):
        session.run(*compile_, *session.posargs, f"{name}.in", "--output-file", f"{name}.txt")


def _install(session: nox.Session, lock: str) -> None:
    # Compiled once, whatever the environment says: all of it lies in nox's own directory, and goes with it.
    bytecode = session.cache_dir.resolve() / "bytecode"
    session.env.update({"PYTHONDONTWRITEBYTECODE": None, "PYTHONPYCACHEPREFIX": str(bytecode)})
    session.env["PYTHONPATH"] = os.pathsep.join([str(_SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])])
    with _alone(session):
        if not _has(session, lock):
            session.install("--no-compile", *_locked(lock))


@contextmanager
def _alone(session: nox.Session) -> Iterator[None]:
    """Hold a session's environment for the block: another nox that is to install into it waits until then."""
    with (session.cache_dir / f"{session.name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            session.log(f"waits for another nox, which installs what {session.name} needs; it holds {file.name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _has(session: nox.Session, lock: str) -> bool:
    """Return whether a session's environment has every version in a lock; asking pip takes a second."""
    if not isinstance(session.virtualenv, VirtualEnv):  # into another's environment nox installs nothing
        return False
    lines = Path("requirements", f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.rstrip("\\")) for line in lines if line[:1].isalnum()]
    meant = [pin for pin in pins if not pin.marker or pin.marker.evaluate()]
    needed = {(canonicalize_name(pin.name), str(pin.specifier)) for pin in meant}
    places = Path(session.virtualenv.location).glob("lib/python*/site-packages")
    there = metadata.distributions(path=[str(place) for place in places])
    return needed <= {(canonicalize_name(package.name), f"=={package.version}") for package in there}


def _locked(lock: str) -> tuple[str, ...]:
    """Return pip's arguments for a lock: hashes are required, and nothing is built from source."""
    return ("--require-hashes", "--only-binary", ":all:", "--requirement", f"requirements/{lock}.txt")


def _tool(session: nox.Session, *arguments: str) -> None:
    """Run a verb of the tool; if it fails, nox ends at once, with the verb's own status (docs/reference/verbs.md)."""
    try:
        _patiently(session, "python", "-m", "chaos_harness", *arguments)
    except CommandFailed as error:
        raise SystemExit(error.return_code) from error


def _pytest(session: nox.Session, *arguments: str, success_codes: Iterable[int] = (0,)) -> None:
    _patiently(session, "pytest", *arguments, success_codes=success_codes)


def _patiently(session: nox.Session, *command: str, success_codes: Iterable[int] = (0,)) -> None:
    """Run a command that may own clusters: nox's own half second after Ctrl-C is too short to heal faults."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)
    session.run(*command, interrupt_timeout=None, terminate_timeout=120, success_codes=success_codes)


def _stop(number: int, _frame: FrameType | None) -> None:
    """Stop once, and wait for the running command, as after Ctrl-C, which the command gets, too.

    Other signals reach only nox, which passes them on. The command itself reports how long it still needs.
    """
    for children in Path("/proc/self/task").glob("*/children") if number != signal.SIGINT else ():
        for pid in children.read_text(encoding="ascii").split():
            os.kill(int(pid), number)
    if not _stopped.is_set():
        _stopped.set()
        raise KeyboardInterrupt
