"""Planning: which cells stand side by side, on which clusters they are, and what that takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.nightly import planning
from chaos_harness.harness.nightly.cells import Cell
from chaos_harness.harness.nightly.ledger import Ended, Outcome
from chaos_harness.harness.nightly.past import PastCell
from chaos_harness.harness.nightly.planning import PlannedCell, order, within
from chaos_harness.harness.pytest_plugin.estimates import CLUSTER_SECONDS

_MANIFEST, _CHART = Shape(), Shape(install="chart")


@pytest.fixture
def sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no cell have its own cluster in this night."""
    monkeypatch.setattr(planning, "_NEW_EVERY", 2**40)


def _cell(name: str, shape: Shape, *, target: str = "", seconds: float = 300.0, control: bool = False) -> Cell:
    return Cell(name, target or name, name, shape, {}, None, {}, seconds, seconds, 1, control)


def _ran(outcome: Outcome = "as expected", **facts: Any) -> Ended:
    made: dict[str, Any] = {"attempt": 1, "status": 0, "seconds": 300.0, "begun": 1.0, "ended": 2.0, **facts}
    return Ended(cell="a", outcome=outcome, **made)


def _names(planned: Sequence[PlannedCell]) -> str:
    return "".join(each.cell.id for each in planned)


def _plan(cells: Sequence[Cell], past: Mapping[str, PastCell], parallel: int = 1) -> list[PlannedCell]:
    return list(within(order(cells, past, {}), None, parallel, shared=True))


@pytest.mark.parametrize(
    ("cells", "past", "expected"),
    [
        ([("a", _MANIFEST), ("b", _CHART), ("c", _MANIFEST), ("d", _CHART)], {}, "acbd"),
        ([("h", _CHART), ("a", _MANIFEST), ("b", _CHART), ("c", _MANIFEST)], {}, "hbac"),
        (
            [("a", _MANIFEST), ("b", _CHART), ("c", _MANIFEST)],
            {"b": PastCell([[_ran("otherwise")]], 5.0), "c": PastCell([[_ran()]], 5.0)},
            "bac",
        ),
        (
            [("a", _MANIFEST), ("b", _CHART), ("c", _MANIFEST), ("d", _CHART)],
            {name: PastCell([[_ran(begun=float(at))]], 5.0) for at, name in enumerate("abcd")},
            "acbd",
        ),
        (
            [("a", _MANIFEST), ("b", _CHART), ("c", _MANIFEST), ("d", _CHART)],
            {name: PastCell([[_ran()]], 4.0 if name == "d" else 5.0) for name in "abcd"},
            "dbac",
        ),
    ],
    ids=["all are new", "after the one without a fault", "value first", "of one night", "an earlier night first"],
)
def test_cells_of_one_shape_stand_side_by_side(
    cells: Sequence[tuple[str, Shape]], past: Mapping[str, PastCell], expected: str
) -> None:
    """Where they are worth the same, and first those of the shape before; what is worth more is before them."""
    assert _names(order([_cell(name, shape, control=name == "h") for name, shape in cells], past, {})) == expected


def test_each_file_is_there_once_before_one_is_there_twice() -> None:
    """Also if its second cell has the shape of the cells before."""
    cells = [_cell("a", _CHART, target="x"), _cell("b", _MANIFEST, target="x"), _cell("c", _MANIFEST, target="y")]
    assert _names(order(cells, {}, {})) == "acb"


@pytest.mark.usefixtures("sharing")
@pytest.mark.parametrize(
    ("clean", "parallel", "clusters"),
    [
        ([True, True, True, True], 1, ["new", "used", "used", "used"]),
        ([True, True, True, True], 2, ["new", "new", "used", "used"]),
        ([False, True, True, True], 1, ["new", "new", "used", "used"]),
        ([True, False, True, True], 1, ["new", "used", "new", "used"]),
        ([None, None, None, None], 1, ["new", "new", "new", "new"]),
    ],
    ids=["clean", "two at a time", "the first is not", "the second is not", "nothing is known"],
)
def test_which_cells_get_a_used_cluster(clean: Sequence[bool | None], parallel: int, clusters: Sequence[str]) -> None:
    """One after a cell of which a night has seen that its cluster goes back; where nothing is known, a new one."""
    past = {
        name: PastCell([] if known is None else [[_ran(clean=known)]], 5.0)
        for name, known in zip("abcd", clean, strict=True)
    }
    planned = _plan([_cell(name, _MANIFEST) for name in past], past, parallel)
    assert [each.cluster for each in planned] == clusters


def test_without_the_pool_each_cell_has_its_own() -> None:
    """As it was before there was one."""
    past = {name: PastCell([[_ran(clean=True)]], 5.0) for name in "abcd"}
    planned = within(order([_cell(name, _MANIFEST) for name in past], past, {}), None, 1, shared=False)
    assert {(each.cluster, each.seconds) for each in planned} == {("own", 300.0)}


def test_each_cell_has_a_cluster_of_its_own_once_in_seven_nights() -> None:
    """So that none depends on others for ever; not all of them in the same night."""
    cells = [_cell(str(number), _MANIFEST) for number in range(40)]
    nights = []
    for number in range(14):
        past = {cell.id: PastCell([[_ran(clean=True)]] * number, 5.0) for cell in cells}
        nights.append([each.cell.id for each in _plan(cells, past) if each.cluster == "own"])
    weeks = [nights[start : start + 7] for start in range(8)]
    assert all(sum(cell.id in night for night in week) == 1 for week in weeks for cell in cells)
    assert max(map(len, nights)) < len(cells) / 2


@pytest.mark.parametrize(
    ("runs", "new", "used"),
    [
        ([], 300.0, 240.0),
        ([{"seconds": 200.0}, {"seconds": 220.0}], 210.0, 150.0),
        ([{"seconds": 200.0}, {"seconds": 120.0, "used": True}], 200.0, 120.0),
        ([{"seconds": 120.0, "used": True}], 180.0, 120.0),
        ([{"seconds": 40.0}], 40.0, 15.0),
        ([{"seconds": 9.0, "outcome": "broken"}], 300.0, 240.0),
    ],
    ids=["no night", "on new ones", "on both", "on used ones", "shorter than a cluster", "nothing decided"],
)
def test_seconds_are_those_of_such_a_cluster(runs: Sequence[Mapping[str, Any]], new: float, used: float) -> None:
    """The median of the runs on new clusters, or on used ones; what is missing follows from the other."""
    past = {"a": PastCell([[_ran(**run) for run in runs]] if runs else [], 5.0)}
    (planned,) = order([_cell("a", _MANIFEST)], past, {})
    assert (planned.new_seconds, planned.used_seconds) == (new, used)
    assert CLUSTER_SECONDS == 75.0, "the figures above"


@pytest.mark.usefixtures("sharing")
def test_the_budget_counts_what_the_cluster_takes() -> None:
    """A cell fits that would be too long on a new cluster, and the minutes of the plan are those of its cluster."""
    past = {name: PastCell([[_ran(clean=True), _ran(seconds=100.0, used=True, clean=True)]], 5.0) for name in "abd"}
    cells = [_cell(name, _MANIFEST) for name in past]
    planned = list(within(order(cells, past, {}), 420.0, 1, shared=True))
    assert [(each.fits, each.seconds) for each in planned] == [(True, 300.0), (True, 100.0), (False, 100.0)]


def test_shards_plan_what_files_state() -> None:
    """Each machine comes to the same, whatever it remembers."""
    past = {"a": PastCell([[_ran(seconds=10.0, clean=True)]], 5.0)}
    (planned,) = order([_cell("a", _MANIFEST)], past, {}, stated=True)
    assert (planned.seconds, planned.new_seconds, planned.used_seconds) == (300.0, 300.0, 300.0)
