"""Contributing: the examples of the page, put where they say, are linted, type-checked, run and found together."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")
_EXAMPLES = dict(re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL))
_MODULES = [path for path in _EXAMPLES if path.endswith(".py")]

_AFTER_A_CRASH = """
import sys
from pathlib import Path
from chaos_harness.clusters.machine.process import Completed
from chaos_harness.harness.faults.nodes.stopped_kubelet import start_kubelet
from chaos_harness.harness.undo.actions import identity
from chaos_harness.harness.undo.journal import Journal, Undo, replay

class Engine:
    def run(self, argv, deadline, **_):
        print(*argv)
        return Completed("", "", 0)

journal = Journal(Path("journal.jsonl"))
journal.record(Undo(identity(start_kubelet), {"node": "worker"}))
journal.close()
replay(Path("journal.jsonl"), Engine())
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the project, with the examples in it."""
    place = tmp_path_factory.mktemp("project")
    shutil.copy(_ROOT / "pyproject.toml", place)
    for folder in ("clusters", "harness", "reports", "scenarios"):
        shutil.copytree(_ROOT / folder, place / folder, ignore=shutil.ignore_patterns("out", "__pycache__"))
    shutil.copytree(_ROOT / "src", place / "src", symlinks=True)
    if (_ROOT / ".mypy_cache").is_dir():  # of the lint before: 15 s saved
        shutil.copytree(_ROOT / ".mypy_cache", place / ".mypy_cache")
    for path, source in _EXAMPLES.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(source, encoding="utf-8")
    return place


def _run(copy: Path, *command: str) -> str:
    """Run a module in the copy and return what it said; its failure is the test's."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_page_has_an_example_of_each() -> None:
    """There is one new file of each: a fault, a probe, a watch, a policy, …, a scenario and an incident."""
    assert [path.rpartition("/")[0] for path in _EXAMPLES] == [
        "harness/faults/nodes",
        "harness/probes",
        "harness/probes",
        "harness/policies",
        "harness/gatekeeper",
        "harness/checks",
        "tests/unit/harness/checks",
        "scenarios",
        "scenarios/incidents",
    ]
    assert [path for path in _EXAMPLES if (_ROOT / path).exists()] == []
    assert len(_EXAMPLES) == _PAGE.count("```") / 2


def test_page_is_one_page() -> None:
    """Beside its examples the page has no more than 60 lines."""
    prose = re.sub(r"^```\w+\n.*?^```$", "", _PAGE, flags=re.MULTILINE | re.DOTALL)

    assert len([line for line in prose.splitlines() if line]) <= 60


def test_examples_are_clean(copy: Path) -> None:
    """Examples pass ruff and mypy as the project's own files do."""
    _run(copy, "-m", "ruff", "check", *_MODULES)
    _run(copy, "-m", "ruff", "format", "--check", *_MODULES)
    parts = [f"src/chaos_harness/{path}" if not path.startswith("tests/") else path for path in _MODULES]
    _run(copy, "-m", "mypy", *parts)


def test_example_of_a_test_passes(copy: Path) -> None:
    """The check's test passes, and fails when the check is inverted."""
    assert "4 passed" in _run(copy, "-m", "pytest", "tests/unit")

    check = copy / "harness/checks/replicas.py"
    check.write_text(
        check.read_text(encoding="utf-8").replace("len(uids) < least", "len(uids) >= least"), encoding="utf-8"
    )
    with pytest.raises(AssertionError, match="2 failed, 2 passed"):
        _run(copy, "-m", "pytest", "tests/unit")


def test_example_of_a_fault_is_undone_after_a_crash(copy: Path) -> None:
    """A journal's replay finds the new fault's undo before it has an id."""
    assert _run(copy, "-c", _AFTER_A_CRASH) == "exec worker systemctl start kubelet\n"


def test_everything_is_collected_with_the_examples(copy: Path) -> None:
    """The scenario and the incident, which names one of each, are found beside all others; editors are told of all."""
    listed = _run(copy, "-m", "pytest", "scenarios", "--collect-only", "-q", "-m", "extended or not extended")
    schema = json.loads(_run(copy, "-m", "chaos_harness.harness", "schema"))

    assert "test_admission_goes_on_while_a_kubelet_is_stopped" in listed
    incidents = [f"scenarios/incidents/{path.name}::" for path in (copy / "scenarios/incidents").glob("*.yaml")]
    assert "scenarios/incidents/stopped-kubelet.yaml::" in incidents
    assert [incident for incident in incidents if incident not in listed] == []
    for part, kind, name in (
        ("Step", "fault", "stop_kubelet"),
        ("ProbeSpec", "probe", "ask_version"),
        ("PolicySpec", "policy", "deny_host_network"),
        ("PreparationSpec", "preparation", "run_replicas"),
        ("ClaimSpec", "check", "led_to"),
    ):
        assert name in schema["$defs"][part]["properties"][kind]["examples"]
    assert "quotas" in schema["properties"]["watch"]["items"]["description"]
