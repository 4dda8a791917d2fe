"""Observed: what is read of bundles that are there, and which are refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.ab.observed import observe, shapes_apart
from chaos_harness.harness.incident.bundle.write import write
from chaos_harness.harness.incident.load import load
from tests.fakes.incidents import bundled, incident, lived


def _bundles(folder: Path, a: dict[str, Any], b: dict[str, Any]) -> None:
    for label, changes in (("A", a), ("B", b)):
        (folder / label).mkdir()
        bundled(folder / label, **changes)


def test_bundles_of_repro(tmp_path: Path) -> None:
    """A bundle that lies there as a directory and as a zip is one; runs are told apart by their turn."""
    _bundles(tmp_path, {"shape": {"install": "chart"}}, {"shape": {"install": "chart"}})

    runs = observe(tmp_path)

    assert [(run.arm, run.incident, run.seed, run.turn) for run in runs] == [("A", "a", 7, 1), ("B", "a", 7, 1)]
    assert [[claim.outcome for claim in run.claims.values()] for run in runs] == [["violated"], ["violated"]]
    assert shapes_apart(runs) == ("gatekeeper=v3.23.1", "gatekeeper=v3.23.1")


def test_several_runs(tmp_path: Path) -> None:
    """The runs of a bundle with several, and those of several bundles, are numbered on."""
    _bundles(tmp_path, {}, {})
    loaded = incident(tmp_path)
    runs = [lived(loaded, tmp_path, answered=False, number=number) for number in (1, 2)]
    write(tmp_path / "A" / "more", loaded, seed=7, runs=runs, environment={}, images={})

    assert [(run.arm, run.turn) for run in observe(tmp_path)] == [("A", 1), ("A", 2), ("A", 3), ("B", 1)]


def test_shapes_apart(tmp_path: Path) -> None:
    """What sets the arms apart is said by the fields in which their shapes differ."""
    loaded = incident(tmp_path)
    for label, fields in (("A", {"gatekeeper": "3.20", "workers": 1}), ("B", {"workers": 3})):
        on = load(loaded.path, fields)
        run = lived(on, tmp_path, number=on.shape.workers)
        write(tmp_path / label / "bundle", on, seed=7, runs=[run], environment={}, images={})

    assert shapes_apart(observe(tmp_path)) == ("workers=1,gatekeeper=v3.20.1", "workers=3,gatekeeper=v3.23.1")


def test_no_bundle(tmp_path: Path) -> None:
    """Without a bundle of both there is nothing to compare."""
    _bundles(tmp_path, {}, {})
    shutil.rmtree(tmp_path / "B")

    with pytest.raises(BadScenario, match="B: no bundle is there; expected the folders A and B in"):
        observe(tmp_path)


def test_another_incident(tmp_path: Path) -> None:
    """Runs of two files by one name are not compared."""
    _bundles(tmp_path, {}, {"title": "Another"})

    with pytest.raises(BadScenario, match=r"its incident/a\.yaml is another than that of .*; compare runs of one file"):
        observe(tmp_path)


def test_several_shapes(tmp_path: Path) -> None:
    """Nor are runs of one arm that had several shapes."""
    _bundles(tmp_path, {}, {})
    chart = load(incident(tmp_path).path, {"install": "chart"})
    run = lived(chart, tmp_path)
    write(tmp_path / "A" / "more", chart, seed=7, runs=[run], environment={}, images={})

    with pytest.raises(BadScenario, match="A: runs of a have several shapes; an arm has one"):
        observe(tmp_path)
