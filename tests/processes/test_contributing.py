"""Contributing: the examples of all pages, put where they say, are linted, type-checked, run and found together."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.rules import problems

_ROOT = Path(__file__).parents[2]
_ENTRANCE = _ROOT / ".github/CONTRIBUTING.md"
_FOLDER = _ROOT / "docs/contributing"
_PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("*.md"))}
_BLOCK = re.compile(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXAMPLES = dict(example for text in _PAGES.values() for example in _BLOCK.findall(text))
_MODULES = [path for path in _EXAMPLES if path.endswith(".py")]
_TESTS = [path for path in _MODULES if path.startswith("tests/")]
_HOOKS = _ROOT / ".pre-commit-config.yaml"
_INCIDENT = "scenarios/incidents/stopped-containerd.yaml"

_RULES = ("tests/unit/harness/test_catalogue.py", "tests/unit/harness/incident/test_schema.py")
"""What every new file of these kinds must keep, beside tests/rules.py."""

_REMINDERS = {
    "stop_containerd": "tests/unit/harness/faults/test_killed.py::test_each_fault_has_a_row",
    "start_containerd": "tests/unit/harness/undo/test_actions.py::test_each_undo_of_ours_has_an_id",
    "led_to": "tests/unit/worlds/test_worlds.py::test_every_check_has_worlds",
}
"""What is still missing with the examples alone, as their pages say, and the test that says so."""

_MISTAKES = (
    ("harness/checks/replicas.py", "len(uids) < least", "len(uids) >= least"),
    ("harness/policies/host_network.py", ", names=_CONSTRAINT", ""),
    ("harness/probes/budgets.py", '__all__ = ["BUDGETS"]', "__all__: list[str] = []"),
)
"""How pages say that a test is seen to fail: the file, and what takes the place of what."""

_AFTER_A_CRASH = """
import sys
from pathlib import Path
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.faults.nodes.stopped_containerd import start_containerd
from chaos_harness.harness.undo.actions import identity
from chaos_harness.harness.undo.journal import Journal, Undo, replay

class Engine:
    def run(self, argv, deadline, **_):
        print(*argv)
        return CommandResult("", "", 0)

journal = Journal(Path("journal.jsonl"))
journal.record(Undo(identity(start_containerd), {"node": "worker"}))
journal.close()
replay(Path("journal.jsonl"), Engine())
"""


_LISTED = """
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from chaos_harness.harness.__main__ import main

status = pytest.main(["scenarios", "--collect-only", "-q", "-m", "extended or not extended"])
with Path("schema.json").open("w", encoding="utf-8") as schema, redirect_stdout(schema):
    sys.exit(status or main(["schema"]))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the project, with the examples in it."""
    place = tmp_path_factory.mktemp("project")
    shutil.copy(_ROOT / "pyproject.toml", place)
    for folder in ("benchmarks", "clusters", "docs/generator", "harness", "reports", "scenarios", "tests"):
        shutil.copytree(_ROOT / folder, place / folder, ignore=shutil.ignore_patterns("out", "__pycache__"))
    shutil.copy(_ROOT / "noxfile.py", place)
    shutil.copytree(_ROOT / "src", place / "src", symlinks=True)
    if (_ROOT / ".mypy_cache").is_dir():  # of the lint before: 15 s saved
        shutil.copytree(_ROOT / ".mypy_cache", place / ".mypy_cache")
    _copy_bytecode(place)
    for path, source in _EXAMPLES.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(source, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def judged(copy: Path) -> str:
    """Return what pytest says of the examples: their own tests, the rules, and what reminds of what is missing."""
    return _python(copy, "-m", "pytest", "-p", "no:xdist", *_TESTS, *_RULES, *_REMINDERS.values()).stdout


def _copy_bytecode(place: Path) -> None:
    """Keep the bytecode of a copy in it, and take from that of the checkout what is there: 5 s saved."""
    if sys.pycache_prefix:
        for folder in ("src", "tests"):
            compiled = Path(sys.pycache_prefix, *(_ROOT / folder).parts[1:])
            if compiled.is_dir():
                of_writers = shutil.ignore_patterns("*.pyc.*")
                shutil.copytree(compiled, Path(place, "bytecode", *(place / folder).parts[1:]), ignore=of_writers)


def _python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONPYCACHEPREFIX": str(copy / "bytecode")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _run(copy: Path, *arguments: str) -> str:
    """Run Python in the copy and return what it said; its failure is the test's."""
    done = _python(copy, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def _changed(copy: Path, path: str, old: str, new: str) -> Iterator[None]:
    """Change an example in the copy during the block."""
    source = (copy / path).read_text(encoding="utf-8")
    assert old in source
    (copy / path).write_text(source.replace(old, new), encoding="utf-8")
    yield
    (copy / path).write_text(source, encoding="utf-8")


def test_pages_have_an_example_of_each() -> None:
    """There is one new file of each: a fault, a probe, a watch, a policy, …, a scenario and an incident."""
    assert sorted(path.rpartition("/")[0] for path in _EXAMPLES) == [
        "harness/checks",
        "harness/faults/nodes",
        "harness/gatekeeper",
        "harness/policies",
        "harness/probes",
        "harness/probes",
        "scenarios",
        "scenarios/incidents",
        "tests/unit/harness/checks",
        "tests/unit/harness/policies",
        "tests/unit/harness/probes",
    ]
    assert [path for path in _EXAMPLES if (_ROOT / path).exists()] == []
    blocks = re.findall(r"^```(?!sh)\w+$", "".join(_PAGES.values()), re.MULTILINE)
    assert len(_EXAMPLES) == len(blocks), "a block that is no shell command begins with the path of its file"


def test_entrance_leads_to_every_page() -> None:
    """Whoever reads CONTRIBUTING gets to each how-to, and reads no more than 30 lines for it."""
    entrance = _ENTRANCE.read_text(encoding="utf-8")

    assert set(re.findall(r"\(\.\./docs/contributing/([\w-]+\.md)\)", entrance)) == set(_PAGES)
    assert len([line for line in entrance.splitlines() if line]) <= 30


@pytest.mark.parametrize("page", _PAGES)
def test_page_is_a_how_to(page: str) -> None:
    """A page says what for, how to see it fail and how to run its test, in no more than 40 lines beside examples."""
    prose = _BLOCK.sub("", _PAGES[page])

    assert "What for: " in prose
    assert re.search("see it fail", prose, re.IGNORECASE)
    assert "nox -s tests -- " in prose
    assert len([line for line in prose.splitlines() if line]) <= 40


def test_hooks_download_nothing() -> None:
    """Hooks of pre-commit are the programs of the environment that `nox -s tests` makes."""
    repositories = yaml.safe_load(_HOOKS.read_text(encoding="utf-8"))["repos"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]
    programs = {hook["entry"].split()[0] for hook in hooks}

    assert [repository["repo"] for repository in repositories] == ["local"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {program.rpartition("/")[0] for program in programs} == {".nox/tests/bin"}
    assert [program for program in programs if not Path(sys.executable).with_name(Path(program).name).exists()] == []


def test_hooks_are_the_lint_of_the_tests() -> None:
    """What `nox -s tests` lints with is run by a hook, and nothing else is."""
    session = re.findall(r'session\.run\("(ruff|mypy)"(?:, "(\w+)")?', (_ROOT / "noxfile.py").read_text("utf-8"))
    hooks = re.findall(r"entry: \.nox/tests/bin/(\w+)(?: (\w+))?$", _HOOKS.read_text("utf-8"), re.MULTILINE)

    assert hooks == session


def test_examples_are_clean(copy: Path) -> None:
    """Examples pass ruff and mypy as the project's own files do."""
    _run(copy, "-m", "ruff", "check", *_MODULES)
    _run(copy, "-m", "ruff", "format", "--check", *_MODULES)
    parts = [f"src/chaos_harness/{path}" if not path.startswith("tests/") else path for path in _MODULES]
    _run(copy, "-m", "mypy", *parts)


def test_examples_keep_the_rules(judged: str) -> None:
    """Examples pass the tests on their pages, and those that hold for every file of their kind."""
    assert [problem for path in _MODULES for problem in problems(path, _EXAMPLES[path])] == []
    assert set(re.findall(r"^(?:FAILED|ERROR) (\S+)", judged, re.MULTILINE)) == set(_REMINDERS.values()), judged
    assert int(re.findall(r"(\d+) passed", judged)[-1]) > len(_TESTS) + len(_RULES), judged


def test_what_is_still_missing_is_said(judged: str) -> None:
    """Whoever forgets a fault's row, an undo's id or a check's worlds is told its name by a test."""
    assert [name for name in _REMINDERS if not re.search(rf"^E .*\b{name}\b", judged, re.MULTILINE)] == []


def test_examples_of_tests_can_fail(copy: Path) -> None:
    """The tests on the pages fail when what they test is made wrong as the pages say."""
    with ExitStack() as changes:
        for path, old, new in _MISTAKES:
            changes.enter_context(_changed(copy, path, old, new))
        done = _python(copy, "-m", "pytest", "-p", "no:xdist", *_TESTS)

    assert "4 failed, 2 passed" in done.stdout
    assert "KeyError: 'budgets'" in done.stdout


def test_example_of_a_fault_is_undone_after_a_crash(copy: Path) -> None:
    """A journal's replay finds the new fault's undo before it has an id."""
    assert _run(copy, "-c", _AFTER_A_CRASH) == "exec worker systemctl start containerd\n"


def test_all_problems_of_an_incident_are_said(copy: Path) -> None:
    """Two misspelt names in the example of an incident are both reported, and nothing runs."""
    with _changed(copy, _INCIDENT, "stop_containerd", "stop_contanerd"), _changed(copy, _INCIDENT, "led_to", "ledto"):
        done = _python(copy, "-m", "pytest", _INCIDENT, "--collect-only", "-q", "-m", "extended or not extended")

    assert done.returncode != 0
    assert re.search(rf"{_INCIDENT}:\d+:\d+: faults.0.fault: no such fault 'stop_contanerd'", done.stdout)
    assert re.search(rf"{_INCIDENT}:\d+:\d+: claims.0.check: no such check 'ledto'", done.stdout)


def test_everything_is_collected_with_the_examples(copy: Path) -> None:
    """The scenario and the incident, which names one of each, are found beside all others; editors are told of all."""
    listed = _run(copy, "-c", _LISTED)
    schema = json.loads((copy / "schema.json").read_text(encoding="utf-8"))

    assert "test_admission_goes_on_while_containerd_is_stopped" in listed
    incidents = [f"scenarios/incidents/{path.name}::" for path in (copy / "scenarios/incidents").glob("*.yaml")]
    assert f"{_INCIDENT}::" in incidents
    assert [incident for incident in incidents if incident not in listed] == []
    for part, kind, name in (
        ("Step", "fault", "stop_containerd"),
        ("ProbeSpec", "probe", "ask_version"),
        ("PolicySpec", "policy", "deny_host_network"),
        ("PreparationSpec", "preparation", "run_replicas"),
        ("ClaimSpec", "check", "led_to"),
    ):
        assert name in schema["$defs"][part]["properties"][kind]["examples"]
    assert "budgets" in schema["properties"]["watch"]["items"]["description"]
