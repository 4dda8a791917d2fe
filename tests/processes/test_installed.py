"""Installed: all of the harness is one package, which its owner's tests do not notice until they ask for scenarios."""

import tomllib
from pathlib import Path

import pytest

from chaos_harness.plugins import PLUGINS
from tests.foreign import ROOT, Foreign, install, parts

_NOT_SHIPPED = {"scenarios/crashtest.jsonl", "scenarios/truth.json", "scenarios/truth.md"}
"""What was counted in this repository."""

_SCENARIO = """
import pytest

@pytest.mark.shape(workers=2)
def test_a_cluster_is_there(cluster):
    assert cluster.name == "pretended"

def test_an_experiment_is_to_be_had(experiments):
    assert callable(experiments)
"""

_PRETENDED = """
from types import SimpleNamespace

from chaos_harness.clusters import images
from chaos_harness.clusters.creation import create
from chaos_harness.harness.run.context import RunContext

create.create = lambda *_, **__: SimpleNamespace(name="pretended")
create.delete = lambda _: None
images.ensure = lambda *_: None
RunContext.connect = lambda _: None
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("built"))


@pytest.fixture
def foreign(tmp_path: Path, installed: Path) -> Foreign:
    return Foreign.make(tmp_path / "theirs", installed, _SCENARIO)


def test_one_name(installed: Path) -> None:
    """There is one package, with all files of the four folders in it, and none is a link into the checkout."""
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}

    assert names == {"chaos_harness", "bin"}
    assert parts(installed / "chaos_harness") == parts(ROOT) - _NOT_SHIPPED
    assert not any(path.is_symlink() for path in installed.rglob("*"))


def test_own_tests_do_not_notice(foreign: Foreign) -> None:
    """They import their own packages and nothing of ours, have their own options, and no scenario starts anything."""
    before = set(foreign.folder.iterdir())
    status, output = foreign.pytest("-rs")

    assert status == 0, output
    assert "3 passed, 2 skipped" in output
    assert "a scenario, on a real cluster: `pytest --chaos` runs it" in output
    assert set(foreign.folder.iterdir()) == before


def test_scenarios_run_when_they_are_asked_for(foreign: Foreign) -> None:
    """Then there are clusters, experiments, and results in a place of their own; --seed stays the owner's."""
    (foreign.folder / "e2e" / "conftest.py").write_text(_PRETENDED, encoding="utf-8")
    status, output = foreign.pytest("--chaos", "e2e", "--chaos-seed", "7")

    assert status == 0, output
    assert "2 passed" in output
    assert "chaos: --chaos-seed 7" in output
    assert "read it: chaos-harness report --serve chaos-results/latest" in output
    assert (foreign.folder / "chaos-results/latest/results").is_dir()


def test_bad_options_touch_nothing(foreign: Foreign) -> None:
    """The options of scenarios are judged before anything is collected, and are there only when they are asked for."""
    status, output = foreign.pytest("--chaos", "--chaos-gatekeeper", "v9.9.9")
    assert status == 4
    assert "Gatekeeper v9.9.9 cannot be run" in output

    status, output = foreign.pytest("--chaos-gatekeeper", "v9.9.9")
    assert status == 4
    assert "unrecognized arguments: --chaos-gatekeeper" in output


def test_command(foreign: Foreign) -> None:
    """Verbs are those of `chaos-harness`, also in what they tell to type, and none needs a checkout."""
    status, output = foreign.chaos("new-incident", "mine.yaml")
    assert (status, output) == (0, "wrote mine.yaml; replay it: chaos-harness repro mine.yaml\n")
    assert "with `chaos-harness repro THIS_FILE`" in (foreign.folder / "mine.yaml").read_text(encoding="utf-8")

    for verb in ("report", "truth", "repro"):
        status, output = foreign.chaos(verb, "--help")
        assert status == 0, output
        assert output.startswith(f"usage: chaos-harness {verb} ")


def test_a_version_is_added_in_a_checkout_only(foreign: Foreign) -> None:
    """Where the harness is installed there is nothing to commit."""
    status, output = foreign.chaos("add-kubernetes", "v1.36.99", "--digest", f"sha256:{'d' * 64}")

    assert status == 2, output
    assert "is no checkout of the project" in output


def test_plugins_are_those_of_the_scenarios() -> None:
    """What --chaos loads is what our own scenarios run with."""
    from chaos_harness.scenarios import conftest  # noqa: PLC0415 - it names plugins and loads none

    assert set(PLUGINS) == {name for name in conftest.pytest_plugins if ".scenarios." not in name}


def test_markers_are_those_of_the_project() -> None:
    """The markers of scenarios mean the same in a checkout and where the harness is installed."""
    from chaos_harness import pytest_entry  # noqa: PLC0415 - as a plugin it may be loaded only where it is installed

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(pytest_entry.MARKERS) <= set(project["tool"]["pytest"]["ini_options"]["markers"])
