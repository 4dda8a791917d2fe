"""Collection: incident files beside modules, each one test on a cluster of its shape."""

from pathlib import Path

import pytest

from chaos_harness.clusters import known_versions
from tests.fakes.incidents import incident
from tests.fakes.session_folder import SessionFolder
from tests.thorough import thorough
from tests.unit.harness.pytest_plugin.test_plugin import XDIST


@pytest.fixture
def bench(tmp_path: Path) -> SessionFolder:
    bench = SessionFolder(tmp_path)
    (tmp_path / "incidents").mkdir()
    incident(tmp_path / "incidents", shape={"workers": 1, "install": "chart"})
    return bench


def test_one_test_a_file(bench: SessionFolder) -> None:
    """A file is one test, named after it, with its title as its fact; other YAML files are none."""
    (bench.folder / "incidents/deeper").mkdir()
    for place in (".", "incidents/deeper"):
        (bench.folder / place / "objects.yaml").write_text("a: 1\n", encoding="utf-8")
    _, output = bench.run("--collect-only", "-q")

    assert "incidents/a.yaml::test_a\n" in output
    assert "1 test collected" in output


def test_a_file_that_is_named_may_be_anywhere(bench: SessionFolder) -> None:
    """Nobody has to make a folder of a certain name for it; the folder that it is in, if named, brings no other."""
    incident(bench.folder, shape={"workers": 1}, extended=True)
    _, output = bench.run("--collect-only", "-q", "a.yaml")
    assert "a.yaml::test_a\n" in output
    assert "1 test collected" in output

    _, output = bench.run("--collect-only", "-q", ".")
    assert "incidents/a.yaml::test_a\n" in output
    assert "1 test collected" in output


@pytest.mark.parametrize(
    "workers", [pytest.param((), id="one process"), pytest.param(XDIST, id="xdist", marks=thorough)]
)
def test_its_shape(bench: SessionFolder, workers: tuple[str, ...]) -> None:
    """The test gets a cluster of the file's shape; what the file leaves open, an option decides."""
    bench.run("--gatekeeper", "v3.20.1", *workers)

    assert bench.did()[0] == f"create 1cp1w-k{known_versions.DEFAULT_KUBERNETES[1:]}-g3.20.1-chart keep=False"


def test_deselected(bench: SessionFolder) -> None:
    """An incident of another shape than what is asked for is deselected."""
    status, output = bench.run("--install", "manifest")

    assert status == 5
    assert "1 deselected" in output


def test_a_bad_file(bench: SessionFolder) -> None:
    """All problems of a bad file are told, and no cluster is touched."""
    (bench.folder / "incidents/b.yaml").write_text("schema: 1\ntitel: x\nclaims: []\n", encoding="utf-8")
    status, output = bench.run()

    assert status == 2
    assert "incidents/b.yaml:2:1: titel: no such field" in output
    assert "incidents/b.yaml:1:1: faults: is missing" in output
    assert "Traceback" not in output
    assert bench.did() == []


@thorough
def test_extended(bench: SessionFolder) -> None:
    """An incident that is marked so runs only when its file, or something by -k or -m, is selected."""
    incident(bench.folder / "incidents", extended=True)
    (bench.folder / "pytest.ini").write_text("[pytest]\nmarkers = shape: s\n  extended: e\n", encoding="utf-8")

    for arguments, selected in (((), 0), (("incidents/a.yaml",), 1), (("-k", "test_a"), 1)):
        _, output = bench.run("--collect-only", "-q", *arguments)
        assert ("::test_a\n" in output) == bool(selected), output
