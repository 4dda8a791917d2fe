"""Noxfile: the verbs, what they are given, how they end, and the locks that they install."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from nox.virtualenv import VirtualEnv
from packaging.requirements import Requirement
from packaging.version import Version

import noxfile
from chaos_harness.clusters.deadline import Deadline

_ROOT = Path(__file__).parents[2]
_BY_FILE = "--dist loadfile --no-loadscope-reorder"
_CORES = os.cpu_count() or 1
_PARALLEL = f"-n {_CORES + 1} {_BY_FILE}"
_IGNORED = ("api", "engines", "integration", "processes")
_WITHOUT = f"{' '.join(f'--ignore=tests/{folder}' for folder in _IGNORED)} -o faulthandler_timeout=0"
_QUICK = f"-n {_CORES + 2} {_BY_FILE} --hypothesis-profile quick {_WITHOUT}"
_EXPLORE = "-m hypothesis --hypothesis-profile explore -o faulthandler_timeout=0"
_LOWEST = "--hypothesis-profile quick -m not hypothesis -o faulthandler_timeout=0"
_LOCKS = ("chaos", "tests", "lowest", "nox", "uv", "bench", "docs")
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)

# Stands for pytest, or for a verb: tells its arguments, and needs a second to put things right when it is interrupted.
_FAKE = r"""#!/bin/bash
trap 'sleep 1; echo healed >> told; exit 2' INT TERM HUP
echo "$*" > told
if [[ "$*" =~ --alluredir\ (.*)/results\ -k\ judged ]]; then
  mkdir -p ${BASH_REMATCH[1]} && touch ${BASH_REMATCH[1]}/verdicts.jsonl
fi
if [[ "$*" = *wait* ]]; then while :; do sleep 0.1; done; fi
"""


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _lock(name: str) -> str:
    return (_ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")


def _pins(lock: str) -> dict[str, Version]:
    return {_name(match["name"]): Version(match["version"]) for match in _PIN.finditer(_lock(lock))}


def _declared(*groups: str) -> Iterator[Requirement]:
    """Yield what pyproject.toml asks for: the dependencies, and those of its groups."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = list(project["project"]["dependencies"])
    for group in groups:
        texts += [entry for entry in project["dependency-groups"][group] if isinstance(entry, str)]
    return (Requirement(text) for text in texts)


@pytest.mark.parametrize(("lock", "groups"), [("chaos", ()), ("tests", ("test", "lint", "dev"))])
def test_lock_is_up_to_date(lock: str, groups: tuple[str, ...]) -> None:
    """Each dependency that pyproject.toml declares is locked to a version that it allows."""
    pins = _pins(lock)
    stale = [
        str(requirement)
        for requirement in _declared(*groups)
        if pins.get(_name(requirement.name), Version("0")) not in requirement.specifier
    ]

    assert stale == [], "`nox -s lock` resolves pyproject.toml anew"


def test_lowest_lock_holds_the_lower_bounds() -> None:
    """What is tested as lowest is what pyproject.toml calls the lowest, for each dependency."""
    pins = _pins("lowest")
    bounds = {
        requirement.name: [Version(part.version) for part in requirement.specifier if part.operator == ">="]
        for requirement in _declared("test", "lint", "dev")
    }

    assert {name: [pins[_name(name)]] for name in bounds} == bounds


@pytest.mark.parametrize("lock", _LOCKS)
def test_lock_has_hashes_and_no_place(lock: str) -> None:
    """Each pin has a hash, and nothing says where packages come from."""
    entries = re.split(r"\n(?=[a-z])", _lock(lock))[1:]

    assert len(entries) == len(_PIN.findall(_lock(lock)))
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|--index|--extra|--find-links|--trusted", _lock(lock)) == []


def test_whatever_is_installed_comes_with_a_hash() -> None:
    """No session and no workflow installs a package by its name alone, or one whose build would fetch others."""
    places = [_ROOT / "noxfile.py", *(_ROOT / ".github").rglob("*.yml")]
    installs = [
        f"{path.name}: {line.strip()}"
        for path in places
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"pip install|\.install\(|\"install\"", line) and not line.lstrip().startswith("#")
    ]
    hashed = re.compile(
        r"_locked\(|--require-hashes --only-binary :all: --requirement requirements/\w+\.txt$"
        r"|--no-index\"?,? \"?--no-deps"  # what was built here
    )
    assert len(installs) >= 12
    assert [line for line in installs if not hashed.search(line)] == []


def test_no_cache_of_another_recipe_is_believed() -> None:
    """A workflow restores what was built by exactly these recipes, on such a machine, and nothing by a prefix."""
    for path in (_ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"^ *restore-keys:", text, re.MULTILINE) == []
        keys = re.findall(r"^ *key: (.*)$", text, re.MULTILINE)
        assert all("hashFiles('clusters/images/**', 'clusters/known_versions.py')" in key for key in keys)
        assert len(keys) == text.count("actions/cache@")


def test_list_is_a_table_of_contents() -> None:
    """`nox -l` names every session by its part, in the order of the list, and has one line of 80 columns for each."""
    command = [sys.executable, "-m", "nox", "--list"]
    listed = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    sessions = dict(re.findall(r"^[*-] ([\w-]+)(?: -> (.*))?$", listed, re.MULTILINE))
    parts = [line.split("  ", 1)[1].strip().split(", ") for line in listed.split("\n\n")[1].splitlines()]

    assert [name for part in parts for name in part] == list(sessions)
    assert {"chaos", "report", "tests", "images", "doctor", "gc"} <= set(sessions)
    assert [name for name, line in sessions.items() if not line.endswith(".")] == []
    assert [line for line in listed.splitlines() if len(line) > 80 and str(_ROOT) not in line] == []


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Copy the noxfile to a place with programs that stand for the ones that it runs."""
    (tmp_path / "noxfile.py").write_text((_ROOT / "noxfile.py").read_text(encoding="utf-8"), encoding="utf-8")
    for name in ("pytest", "ruff", "mypy", "nox"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(_FAKE if name == "pytest" else f"#!/bin/bash\necho {name} $* >> before\n", encoding="utf-8")
        program.chmod(0o755)
    return tmp_path


@contextlib.contextmanager
def _nox(place: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "nox", "--no-venv", "--no-install", *arguments]
    with subprocess.Popen(
        command,
        cwd=place,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as nox:
        try:
            yield nox
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(nox.pid, signal.SIGKILL)


def _told(place: Path) -> str:
    return (place / "told").read_text(encoding="utf-8") if (place / "told").exists() else ""


def _python(place: Path) -> None:
    """Put a python there that tells its arguments and fails."""
    python = place / "bin" / "python"
    versions = f'if [[ "$2" = chaos_harness.clusters.known_versions ]]; then exec {sys.executable} "$@"; fi\n'
    python.write_text(f'#!/bin/bash\n{versions}echo "$*" >> made\nexit 7\n', encoding="utf-8")
    python.chmod(0o755)


def _made(place: Path) -> str:
    return (place / "made").read_text(encoding="utf-8") if (place / "made").exists() else ""


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (["-s", "tests", "--", "-m", "not cluster"], f"{_QUICK} -m not cluster\n"),
        (["-s", "tests", "--", "tests/integration"], "tests/integration\n"),
        (["-s", "explore"], f"{_PARALLEL} {_EXPLORE} tests/unit\n"),
        (["-s", "explore", "--", "-x", "tests/unit/a.py"], f"{_PARALLEL} {_EXPLORE} -x tests/unit/a.py\n"),
        (["-s", "lowest", "--", "tests/unit"], f"{_PARALLEL} {_LOWEST} tests/unit\n"),
    ],
)
def test_arguments_go_to_pytest(place: Path, arguments: list[str], received: str) -> None:
    """What stands behind -- reaches pytest as it is."""
    with _nox(place, *arguments) as nox:
        output, _ = nox.communicate(timeout=300)

    assert nox.returncode == 0, output
    assert _told(place) == received


def test_lowest_gets_what_is_chosen(place: Path) -> None:
    """Without a path `nox -s lowest` gives pytest what `python -m tests.libraries` prints: files that there are."""
    with _nox(place, "-s", "lowest") as nox:
        output, _ = nox.communicate(timeout=300)

    assert nox.returncode == 0, output
    options = f"{_PARALLEL} {_LOWEST} "
    assert _told(place).startswith(options)
    chosen = _told(place).removeprefix(options).split()
    assert "tests/unit/test_libraries.py" in chosen
    assert len(chosen) > 50
    assert [path for path in chosen if not (_ROOT / path).is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (["-s", "chaos"], "-m chaos_harness run\n"),
        (["-s", "chaos", "--", "-x", "scenarios/test_a.py::test_b[c]"], "-m chaos_harness run -x scenarios/test_a.py"),
        (["-s", "repro", "--", "a.yaml", "--bisect"], "-m chaos_harness repro a.yaml --bisect\n"),
        (["-s", "report", "--", "--serve"], "-m chaos_harness report --serve\n"),
    ],
)
def test_a_verb_gets_its_arguments_and_gives_its_status(place: Path, arguments: list[str], received: str) -> None:
    """A session is the verb of the tool: what stands behind -- is the verb's, and so is the status of nox."""
    _python(place)
    with _nox(place, *arguments) as nox:
        output, _ = nox.communicate(timeout=300)

    assert nox.returncode == 7, output
    assert _made(place).startswith(received)


def test_truth_runs_the_scenarios_on_each_version(place: Path) -> None:
    """Each version is a run with results of its own, by its full name; without any verdict there is no table."""
    named = ("v3.18.3", "3.20", "v3.20.1")
    with _nox(place, "-s", "truth", "--", "--versions", *named, "--times", "2", "-k", "race") as nox:
        output, _ = nox.communicate(timeout=300)

    options = "scenarios --gatekeeper {0} --times 2 --alluredir reports/out/truth-[0-9-]+/{0}/results -k race\n"
    assert re.fullmatch(options.format(r"v3\.20\.1"), _told(place))
    assert len(re.findall(r"nox > pytest scenarios --gatekeeper v3\.(?:18\.3|20\.1) --times 2", output)) == 2
    assert nox.returncode == 1
    assert "no scenario ran on these versions" in output


def test_truth_counts_earlier_runs_too(place: Path) -> None:
    """Runs and tables that are there already are told before the new ones."""
    _python(place)
    (place / "table.json").touch()
    (place / "earlier").mkdir()
    (place / "earlier" / "verdicts.jsonl").touch()
    added = ["--add", "earlier", "table.json"]
    with _nox(place, "-s", "truth", "--", "--versions", "v3.20.1", *added, "--times", "2", "-k", "judged") as nox:
        output, _ = nox.communicate(timeout=300)

    run = r"reports/out/truth-[0-9-]+"
    assert re.fullmatch(
        rf"-m chaos_harness.reports.truth earlier table.json {run}/v3\.20\.1 --write {run}/truth.json\n", _made(place)
    ), output


def test_truth_of_a_run_that_is_none(place: Path) -> None:
    """An earlier run that has no verdicts is said before any cluster is made."""
    with _nox(place, "-s", "truth", "--", "--add", "nowhere") as nox:
        output, _ = nox.communicate(timeout=300)

    assert nox.returncode == 1
    assert "no verdicts.jsonl in nowhere" in output
    assert not _told(place)


def test_quick_loop_leaves_out_the_lowest_versions(place: Path) -> None:
    """Everything is checked before pytest when no argument asks for less."""
    _python(place)  # which has no images for the tests that come last
    for arguments in (["--", "-x"], []):
        with _nox(place, "-s", "tests", *arguments) as nox:
            nox.communicate(timeout=300)

    lint = ["ruff check", "ruff format --check", "mypy"]
    began = (place / "before").read_text(encoding="utf-8").splitlines()
    assert [line for line in began if "nox" not in line] == [*lint, *lint]
    assert "nox -s lowest" in began[3:]


def test_what_lint_finds_fails_the_tests(place: Path) -> None:
    """It is looked for while the lowest versions are tested, and no further tests are begun then."""
    (place / "bin" / "mypy").write_text("#!/bin/bash\necho wrong; exit 1\n", encoding="utf-8")
    with _nox(place, "-s", "tests") as nox:
        output, _ = nox.communicate(timeout=300)

    assert nox.returncode == 1, output
    assert "wrong" in output
    assert "nox -s lowest" in (place / "before").read_text(encoding="utf-8")
    assert not _told(place)


def test_integration_is_run_in_three_parts(place: Path) -> None:
    """Engines beside the API, whose servers are told their programs; then what runs beside others, then all else."""
    tells = '#!/bin/bash\necho "$* $CHAOS_TEST_PROGRAMS" >> told\n[[ $* != *binaries ]] || echo programs\n'
    for name in ("pytest", "python"):
        (place / "bin" / name).write_text(tells, encoding="utf-8")
        (place / "bin" / name).chmod(0o755)
    with _nox(place, "-s", "tests") as nox:
        output, _ = nox.communicate(timeout=300)

    told = [line for line in _told(place).splitlines() if "tests/api" in line or "tests/integration" in line]
    assert (nox.returncode, len(told)) == (0, 4), output
    assert [line for line in told if "-m only_engine -p no:cacheprovider" not in line] == [
        f"{_PARALLEL} tests/api programs",
        f"-n 2 {_BY_FILE} -m beside tests/integration programs",
        "-m not beside and not only_engine tests/integration programs",
    ]


def test_a_session_that_fails_tells_its_times(place: Path) -> None:
    """`nox -s tests` says at its end what each phase took, whatever its outcome; sets have one order in all runs."""
    script = '#!/bin/bash\necho "$PYTHONHASHSEED" > told\nexit 1\n'
    (place / "bin" / "pytest").write_text(script, encoding="utf-8")
    with _nox(place, "-s", "tests", "--", "-x") as nox:
        output, _ = nox.communicate(timeout=300)

    assert (nox.returncode, _told(place)) == (1, "0\n")
    assert re.search(r"failed.*\n.* \d+ s  lint and types\n.* \d+ s  tests\n.* \d+ s  whole session\n", output), output


def test_code_is_compiled_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the environment forbids it, since it is kept in nox's own directory, which goes as a whole."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    tells = '#!/bin/bash\necho "${PYTHONDONTWRITEBYTECODE-none} $PYTHONPYCACHEPREFIX" > told\n'
    (place / "bin" / "pytest").write_text(tells, encoding="utf-8")
    with _nox(place, "-s", "tests", "--", "-x") as nox:
        output, _ = nox.communicate(timeout=300)

    assert nox.returncode == 0, output
    assert _told(place) == f"none {place}/.nox/.cache/bytecode\n"


@pytest.mark.parametrize(
    ("there", "elsewhere", "has"),
    [
        ({"a-b": "1.2", "more": "3"}, "sys_platform != 'linux'", True),
        ({"A_b": "1.2"}, "sys_platform != 'linux'", True),
        ({"a-b": "1.2"}, "sys_platform == 'linux'", False),
        ({"a-b": "1.3"}, "sys_platform != 'linux'", False),
        ({}, "sys_platform != 'linux'", False),
    ],
)
def test_pip_is_asked_only_for_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: dict[str, str], elsewhere: str, *, has: bool
) -> None:
    """An environment that has each version of a lock is left alone; what is for other machines is not missed."""
    monkeypatch.chdir(tmp_path)
    lock = f"# made by uv\na-b==1.2 \\\n    --hash=sha256:0\n    # via x\nc==1 ; {elsewhere} \\\n    --hash=sha256:1\n"
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/tests.txt").write_text(lock, encoding="utf-8")
    for name, version in there.items():
        package = tmp_path / f"lib/python3.11/site-packages/{name}-{version}.dist-info"
        package.mkdir(parents=True)
        (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    session = SimpleNamespace(virtualenv=VirtualEnv(str(tmp_path)))
    assert noxfile._has(session, "tests") == has  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "interrupts", [["Ctrl-C"], ["SIGTERM"], ["SIGHUP"], ["Ctrl-C", "Ctrl-C"], ["SIGTERM", "SIGTERM", "Ctrl-C"]]
)
def test_interrupted_command_may_put_things_right(place: Path, interrupts: list[str]) -> None:
    """Ctrl-C, which all processes get, and signals that only nox gets, wait for the command to heal, however many."""
    (place / "bin" / "pytest").rename(place / "bin" / "python")
    with _nox(place, "-s", "chaos", "--", "wait") as nox:
        deadline = Deadline.after(60, "the command to start")
        assert any(_told(place) for _ in deadline.attempts())
        for interrupt in interrupts:
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):  # it may have healed already
                if interrupt == "Ctrl-C":
                    os.killpg(nox.pid, signal.SIGINT)
                else:
                    nox.send_signal(signal.Signals[interrupt])
                nox.wait(0.2)
        output, _ = nox.communicate(timeout=300)

    assert nox.returncode == 130, output
    assert _told(place).endswith("wait\nhealed\n")


def test_ci_runs_the_command_of_the_readme() -> None:
    """.ci/run is the README's test command and nothing else, and can be executed."""
    script = _ROOT / ".ci/run"
    (command,) = [line for line in script.read_text(encoding="utf-8").splitlines() if "nox -s tests" in line]

    assert command == "python3 -m pip install --require-hashes -r requirements/nox.txt && nox -s tests"
    assert command in (_ROOT / "README.md").read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
