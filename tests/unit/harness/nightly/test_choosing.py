"""Choosing: which cells of a matrix `--only` names, and what it says of words that name none."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.nightly.cells import Cell, LeftOut
from chaos_harness.harness.nightly.choosing import choose
from chaos_harness.harness.nightly.matrix import Axis
from tests.fakes.night_place import NightPlace


def _axes(kubernetes: str, install: str, policy: str, values: str) -> Mapping[Axis, str]:
    named: Mapping[Axis, str] = {"kubernetes": kubernetes, "gatekeeper": "v3.23.1", "install": install}
    return {**named, "failurePolicy": policy, "values": values}


def _cell(target: str, kubernetes: str, install: str, policy: str = "", values: str = "") -> Cell:
    axes = _axes(kubernetes, install, policy, values)
    name = f"{target}@{'-'.join(filter(None, axes.values()))}"
    return Cell(name, target, target, Shape(), {}, None, axes, 60.0, 60.0, 1)


_CELLS = [
    _cell("healthy/test_healthy.py", "v1.36.4", "manifest"),
    _cell("e2e/test_a.py", "v1.36.4", "manifest"),
    _cell("e2e/test_a.py", "v1.36.4", "chart", "Fail", "as-released"),
    _cell("e2e/test_a.py", "v1.35.8", "chart", "Fail", "mine.yaml"),
    _cell("incidents/b.yaml::rate", "v1.35.8", "chart", "Ignore", "mine.yaml"),
]
_LEFT_OUT = [LeftOut("c.yaml", {}, "not to be had", "1.99 has no node image")]


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([_CELLS[3].id], [3]),
        (["e2e/test_a.py"], [1, 2, 3]),
        (["e2e"], [1, 2, 3]),
        (["e2e/"], [1, 2, 3]),
        (["incidents/b.yaml"], [4]),
        (["incidents/b.yaml::rate", "healthy/test_healthy.py"], [0, 4]),
        (["failurePolicy=Fail"], [2, 3]),
        (["failurePolicy=Fail", "failurePolicy=Ignore"], [2, 3, 4]),
        (["e2e/test_a.py", "install=chart", "kubernetes=1.36"], [2]),
        (["kubernetes=v1.35.8", "e2e"], [3]),
        (["values=as-released"], [0, 1, 2]),
        (["values=mine.yaml", "failurePolicy=Ignore"], [4]),
    ],
)
def test_which_cells_are_named(words: Sequence[str], chosen: Sequence[int]) -> None:
    """Of words of one kind any may be true, and of each kind one must; all others are left out, with the reason."""
    cells, left_out = choose(_CELLS, _LEFT_OUT, words)
    assert cells == [_CELLS[number] for number in chosen]
    assert len(left_out) == len(_CELLS) - len(chosen)
    assert {each.why for each in left_out} <= {"not named"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["e2e/test_b.py"], ["'e2e/test_b.py': is no cell of the matrix; did you mean e2e/test_a.py?"]),
        (["failurPolicy=Fail"], ["did you mean failurePolicy=Fail?"]),
        (["failurePolicy=Fial"], ["no cell has it; did you mean failurePolicy=Fail?"]),
        (["kubernetes=1.3"], ["kubernetes=1.3", "there are kubernetes=v1.36.4, kubernetes=v1.35.8"]),
        (["c.yaml"], ["'c.yaml': is left out: 1.99 has no node image"]),
        (["nothing", "install=helm"], ["'nothing': is no cell", "'install=helm': no cell has it"]),
        (["e2e", "failurePolicy=Ignore"], ["no cell is all of that; there are e2e/test_a.py@v1.36.4"]),
    ],
)
def test_what_names_nothing(words: Sequence[str], told: Sequence[str]) -> None:
    """Each such word is told at once, with the one that was probably meant, or why its cells are left out."""
    with pytest.raises(BadScenario) as refused:
        choose(_CELLS, _LEFT_OUT, words)
    assert [words for words in told if words not in str(refused.value)] == []


def test_one_named_cell_is_run_alone(here: NightPlace, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever its place in the order is, and without the one in which nothing is harmed; the night goes on with it."""
    assert here.night("matrix.yaml", "--only", "test_b.py", "--out", "one") == 0
    assert here.ran() == ["test_b.py"]
    summary = json.loads((here.folder / "one/summary.json").read_text(encoding="utf-8"))
    assert [cell["target"] for cell in summary["cells"]] == ["test_b.py"]
    assert {left["what"] for left in summary["left_out"]} == {"healthy/test_healthy.py", "test_a.py"}
    assert here.night("--resume", "one") == 0
    assert here.ran() == ["test_b.py"]
    capsys.readouterr()
    assert here.night("--resume", "one", "--only", "test_a.py") == 2
    assert "are those of the night" in " ".join(capsys.readouterr().err.split())


def test_a_word_of_no_cell_is_refused(here: NightPlace, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is run or written."""
    assert here.night("matrix.yaml", "--only", "test_bb.py", "--out", "one") == 2
    assert "did you mean test_b.py?" in " ".join(capsys.readouterr().err.split())
    assert (here.ran(), Path("one/night.jsonl").exists()) == ([], False)


def test_the_pods_of_a_job_run_what_was_named(here: NightPlace) -> None:
    """Each comes to the same plan, of the named cells alone."""
    objects = here.job(2, "--only", "test_a.py", "test_b.py")
    assert [here.pod(objects, index) for index in (0, 1)] == [0, 0]
    assert sorted(here.ran()) == ["test_a.py", "test_b.py"]
