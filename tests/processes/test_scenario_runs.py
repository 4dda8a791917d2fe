"""Scenario runs: which status a run ends with, what it runs, and when a report is made."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chaos_harness import scenario_runs
from tests.forked import program

_ROOT = Path(__file__).parents[2]

_SCENARIOS = """
import pytest
from chaos_harness.harness.errors import HarnessError, Inconclusive, InvariantViolated

def test_holds(): pass
def test_violated(): raise InvariantViolated("pods are gone")
def test_another_begins(request):
    link = request.config.rootpath / "reports" / "out" / "latest"
    (link.parent / "another").mkdir()
    link.unlink()
    link.symlink_to("another")
def test_open(): raise Inconclusive("nobody looked")
def test_broken(): raise HarnessError("no node")
def test_interrupted(): raise KeyboardInterrupt
@pytest.mark.shape(workers=1)
def test_on_a_cluster(cluster): pass
"""

_RUN = """
import sys
from chaos_harness import scenario_runs
scenario_runs.reports.main = lambda arguments: print("a report is made", *arguments)
sys.exit(scenario_runs.main(sys.argv[1:]))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "test_a.py").write_text(_SCENARIOS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    return tmp_path


def _run(place: Path, *arguments: str) -> tuple[int, str]:
    environment = {
        **os.environ,
        "CHAOS_ENGINE": "system",
        "DOCKER_HOST": f"unix://{place}/nobody.sock",
        "XDG_STATE_HOME": str(place / "state"),
    }
    unused = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    return program(_RUN, [*unused, *arguments], place, environment, 300)


def test_help_is_of_runs_not_of_pytest(place: Path) -> None:
    """The options of scenarios fit a screen or two of 80 columns; those of pytest are pytest's to explain."""
    status, said = _run(place, "--help")

    assert status == 0
    assert said.startswith("usage: chaos-harness run ")
    assert {"--chaos-gatekeeper", "--gatekeeper"} & set(said.split())
    assert "--maxfail" not in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["-k", "holds"], 0),
        (["-k", "holds or violated or open"], 1),
        (["--gatekeeper", "v9.9.9"], 2),
        (["-k", "holds or open"], 3),
        (["-k", "violated or broken"], 4),
        (["-k", "violated or broken", "-n", "2"], 4),
        (["-k", "nothing_of_that_name"], 5),
        (["-k", "violated or interrupted"], 130),
    ],
)
def test_status(place: Path, arguments: list[str], status: int) -> None:
    """It says what came out: of several the worst; what was refused or not there is neither."""
    assert _run(place, *arguments)[0] == status


def test_a_report_is_made_of_a_run_in_which_a_test_began(place: Path) -> None:
    """A run of nothing has no report, is not the latest, and leaves nothing; nor does a question for help."""
    _, output = _run(place, "-k", "nothing_of_that_name")
    assert ("a report is made" in output, "junit.xml" in output) == (False, False)
    _run(place, "--markers")
    assert list(place.glob("reports/out/*")) == []
    _, output = _run(place, "-k", "violated")
    assert "a report is made reports/out/latest\n" in output
    assert (place / "reports/out/latest/results").is_dir()


def test_a_report_is_made_of_the_run_itself(place: Path) -> None:
    """Another run that begins meanwhile is the latest then; its report is its own to make."""
    _, output = _run(place, "-k", "another")
    (line,) = re.findall("a report is made (.*)", output)
    assert re.fullmatch(r"reports/out/\d{8}-\d{6}-\d+", line)
    assert (place / line / "results").is_dir()
    _, output = _run(place, "-k", "violated", "--alluredir", "mine/results")
    assert "a report is made" not in output


def test_a_report_is_made_of_scenarios_elsewhere(place: Path) -> None:
    """They run below a folder that both have in common, and so does their report."""
    (place / "mine").mkdir()
    _, output = _run(place / "mine", "-k", "violated", str(place / "scenarios"))
    assert "a report is made ../reports/out/latest\n" in output


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_no_engine(place: Path, workers: list[str]) -> None:
    """Without an engine no test begins: that is one error with the command to type, and nothing is left."""
    status, output = _run(place, *workers)
    assert status == 2, output
    assert output.count("docker info") == 1
    assert "Traceback" not in output
    assert "passed" not in output
    assert list(place.glob("reports/out/*")) == []


def test_no_engine_is_needed_for_a_list(place: Path) -> None:
    """Who wants to see what there is needs no engine."""
    assert _run(place, "--collect-only")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "added"),
    [
        ([], ["scenarios", "--founding"]),
        (["-k", "registry"], ["scenarios", "--founding"]),
        (["--all"], ["scenarios"]),
        (["--seed", "7", "--all"], ["scenarios"]),
        (["-x", "scenarios/registry_cut"], []),
        (["tests/unit/test_a.py"], []),
        (["elsewhere/mine.yaml"], []),
        (["/tmp/mine.yaml"], [f"--rootdir={_ROOT}"]),
        (["/tmp/mine.py"], []),
        (["test_a.py::test_b[c d]"], []),
        (["--alluredir", "scenarios"], ["scenarios", "--founding"]),
        (["--alluredir=out", "scenarios"], []),
    ],
)
def test_what_runs(monkeypatch: pytest.MonkeyPatch, arguments: list[str], added: list[str]) -> None:
    """The founding incidents run unless an argument names others, or all; a path elsewhere runs alone."""
    monkeypatch.chdir(_ROOT)
    others = [argument for argument in arguments if argument != "--all"]
    assert scenario_runs._options(arguments)[3:] == [*added, *others]


def test_the_founding_incidents(tmp_path: Path) -> None:
    """Without a choice they run on one shape, in the order of their first verdicts; looking at them touches nothing."""
    environment = {**os.environ, "CHAOS_ENGINE": "system", "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    before = set(_ROOT.glob("reports/out/*"))
    words = [sys.executable, "-m", "chaos_harness", "run", "--list", "-p", "no:cacheprovider"]
    done = subprocess.run(words, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    names = [line.strip().partition(": ")[0] for line in done.stdout.splitlines() if " minute" in line[:-1]]
    assert names[:-1] == [
        "Always-image_present",
        "patched_IfNotPresent-image_present",
        "test_no_race_leaves_an_orphan",
        "kill-all-Ignore",
    ]
    assert names[-1] == "17 tests in 4 experiments"
    assert len(set(re.findall(r"\((1cp[^,]+),", done.stdout))) == 1
    assert set(_ROOT.glob("reports/out/*")) == before
