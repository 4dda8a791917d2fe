"""Matrix: what a file may say, which cells it comes to, and how cells are split and repeated."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.nightly.cells import Cell, LeftOut, cells_of
from chaos_harness.harness.nightly.found import FoundExperiment, FoundFile
from chaos_harness.harness.nightly.matrix import load_matrix
from chaos_harness.harness.nightly.rate import repeats_needed
from chaos_harness.harness.nightly.shards import split
from chaos_harness.harness.statistics import exact

_ROOT = Path(__file__).parents[4]
_HEAD = "schema: 1\nrun: [test_a.py]\nwithoutFault: test_healthy.py\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("test_a.py", "test_healthy.py"):
        (tmp_path / name).touch()
    (tmp_path / "round").symlink_to("round")
    return tmp_path


def _cells(place: Path, text: str, **named: Any) -> tuple[list[Cell], list[LeftOut]]:
    (place / "matrix.yaml").write_text(f"{_HEAD}{text}", encoding="utf-8")
    loaded = load_matrix(place / "matrix.yaml", "")
    found = {target: (_found(target.path, **named),) for target in loaded.targets}
    return cells_of(loaded, {**found, loaded.without_fault: (_found(loaded.without_fault.path),)}, place / "values")


def _found(path: Path, **named: Any) -> FoundFile:
    experiment = FoundExperiment(name="a", tests=("a",), seconds=60.0, stated_seconds=50.0)
    shape = Shape.parse(named)
    given = shape.model_dump(mode="json")
    return FoundFile(file=path, named=tuple(named), shape=given, memory_mib=shape.memory_mib, experiments=(experiment,))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "schema: 1\nrun: [test_a.py]\nkubernets: ['1.36']\n",
            "matrix.yaml:3:1: kubernets: no such field; did you mean",
        ),
        ("schema: 2\nrun: [test_a.py]\n", "reads schema 1 (was 2)"),
        ("schema: true\nrun: [test_a.py]\n", "reads schema 1 (was True)"),
        ("schema: 1.0\nrun: [test_a.py]\n", "reads schema 1 (was 1.0)"),
        ('schema: 1\nrun: ["a\\0b"]\n', "run.0: expected visible characters, found 'a\\\\x00b'"),
        (f'{_HEAD}values: ["a\\0b"]\n', "values.0: expected visible characters"),
        ('schema: 1\nrun: [test_a.py]\nwithoutFault: "a\\0b"\n', "withoutFault: expected visible characters"),
        (f"schema: 1\nrun: [{'a' * 300}]\n", "cannot be looked for: File name too long"),
        (f"{_HEAD}values: [{'a' * 300}]\n", "cannot be looked for: File name too long"),
        ("schema: 1\nrun: [round]\n", "no file or folder 'round' beside the matrix"),
        ("schema: 1\n", "run: is missing"),
        (f"{_HEAD}kubernetes: [1.36]\n", "expected a version in quotes"),
        (f"{_HEAD}install: [helm]\n", "expected 'manifest' or 'chart', found 'helm'"),
        ("schema: 1\nrun: [test_b.py]\nwithoutFault: test_healthy.py\n", "did you mean test_a.py?"),
        (f"{_HEAD}values: [mine.yaml]\n", "no file or folder 'mine.yaml' beside the matrix"),
        (f"{_HEAD}exclude: [{{install: chart, why: slow}}]\n", "'chart' is not in the matrix; there are manifest"),
        (f"{_HEAD}exclude: [{{why: all}}]\n", "without them nothing would be left"),
        (f"{_HEAD}exclude: [{{instal: chart, why: a}}]\n", "did you mean install?"),
        (f"{_HEAD}rate: {{width: 0.01}}\n", "expected at least 0.2"),
        (f"{_HEAD}install: [chart, chart]\n", "chart: stands there twice"),
        ("- a\n", "expected one matrix"),
    ],
)
def test_what_is_refused(place: Path, text: str, told: str) -> None:
    """Each problem has its file, line and field, and the word that was probably meant."""
    (place / "matrix.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadScenario) as refused:
        load_matrix(place / "matrix.yaml", str(place / "test_healthy.py"))
    assert told in str(refused.value)


def test_a_reason_may_have_lines(place: Path) -> None:
    """Only names of files are of visible characters."""
    text = f"{_HEAD}install: [manifest, chart]\nexclude:\n- install: chart\n  why: |\n    slow,\n    and known\n"
    (place / "matrix.yaml").write_text(text, encoding="utf-8")
    assert load_matrix(place / "matrix.yaml", "").matrix.exclude[0].why == "slow,\nand known\n"


def test_the_matrix_of_the_page_is_taken(tmp_path: Path) -> None:
    """What docs/how-to/nightly.md shows is a matrix, if the files that it names are there; so is the shipped one."""
    page = (_ROOT / "docs/how-to/nightly.md").read_text(encoding="utf-8")
    shown = page.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "matrix.yaml").write_text(shown, encoding="utf-8")
    (tmp_path / "e2e").mkdir()
    (tmp_path / "incidents").mkdir()
    for name in ("incidents/our-outage.yaml", "values.yaml"):
        (tmp_path / name).touch()
    healthy = str(_ROOT / "scenarios/healthy/test_healthy.py")
    assert len(load_matrix(tmp_path / "matrix.yaml", healthy).targets) == 2
    assert load_matrix(_ROOT / "scenarios/nightly.yaml", healthy).matrix.exclude


def test_all_problems_at_once(place: Path) -> None:
    """Nobody mends a file one problem at a time."""
    (place / "matrix.yaml").write_text("schema: 1\nrun: [a.py, b.py]\nvalues: [c.yaml]\n", encoding="utf-8")
    with pytest.raises(BadScenario) as refused:
        load_matrix(place / "matrix.yaml", str(place / "test_healthy.py"))
    assert len(refused.value.problems) == 3


@pytest.mark.parametrize(
    ("text", "named", "ids", "why"),
    [
        ("", {}, 1, {}),
        ("install: [manifest, chart]\n", {}, 2, {}),
        ("install: [manifest, chart]\n", {"install": "chart"}, 1, {"the same": 1}),
        ('gatekeeper: ["3.23.1", "3.23"]\n', {}, 1, {"the same": 1}),
        ('kubernetes: ["1.36", "1.99"]\n', {}, 1, {"not to be had": 1}),
        ("install: [manifest, chart]\nexclude: [{install: chart, why: slow}]\n", {}, 1, {"excluded": 1}),
        ("failurePolicy: [Ignore, Fail]\n", {}, 1, {"not to be had": 1}),
        ("install: chart\nfailurePolicy: [Ignore, Fail]\n", {}, 2, {}),
        ("install: chart\nfailurePolicy: Fail\n", {"gatekeeper": None}, 0, {"not to be had": 1}),
    ],
)
def test_cells_are_those_that_can_differ(
    place: Path, text: str, named: dict[str, Any], ids: int, why: Mapping[str, int]
) -> None:
    """What a file says of its cluster is not varied, what cannot be had is left out, and each has its reason."""
    cells, left_out = _cells(place, text, **named)
    control, *others = cells
    assert control.without_fault
    assert len({cell.id for cell in others}) == len(others) == ids
    assert {word: sum(each.why == word for each in left_out) for word in why} == why
    assert len(left_out) == sum(why.values())
    assert all(each.words for each in left_out)


def test_a_failure_policy_is_a_value_of_the_chart(place: Path) -> None:
    """It is added to the values of the user; the cell's cluster, and so its id, is another by what they say."""
    (place / "mine.yaml").write_text("replicas: 1\n", encoding="utf-8")
    cells, _ = _cells(place, "install: chart\nfailurePolicy: [Ignore, Fail]\nvalues: [as-released, mine.yaml]\n")
    written = [yaml.safe_load(cell.values.read_text("utf-8")) if cell.values else None for cell in cells[1:]]
    both = ("mutatingWebhookFailurePolicy", "validatingWebhookFailurePolicy")
    assert written == [
        None,
        {"replicas": 1, **dict.fromkeys(both, "Ignore")},
        dict.fromkeys(both, "Fail"),
        {"replicas": 1, **dict.fromkeys(both, "Fail")},
    ]
    assert len({cell.id for cell in cells[1:]}) == 4
    assert all(cell.shape.own and cell.shape.install == "chart" for cell in cells[1:] if cell.values)


@pytest.mark.parametrize(
    ("named", "policies"),
    [({"gatekeeper": "v3.20.1"}, ["Ignore", "Fail"]), ({"gatekeeper": None}, [""]), ({}, ["Ignore", "Fail"])],
)
def test_the_failure_policy_of_a_cell_is_told(place: Path, named: dict[str, Any], policies: list[str]) -> None:
    """Also where the file names the release that it is for, but not without Gatekeeper."""
    cells, _ = _cells(place, "install: chart\nfailurePolicy: [Ignore, Fail]\n", **named)
    assert [cell.axes["failurePolicy"] for cell in cells[1:]] == policies


@pytest.mark.parametrize(("confidence", "width"), [(0.95, 0.6), (0.95, 0.9), (0.8, 0.5)])
def test_repeats_suffice_whatever_they_come_to(confidence: float, width: float) -> None:
    """The interval is narrow enough for each number of hits, and with one repeat less for some it is not."""
    needed = repeats_needed(confidence, width)
    widths = [
        [interval.high - interval.low for hits in range(total + 1) for interval in [exact(hits, total, confidence)]]
        for total in (needed, needed - 1)
    ]
    assert max(widths[0]) <= width < max(widths[1], default=1.0)


@given(st.lists(st.integers(30, 900), min_size=1, max_size=40), st.integers(1, 8))
def test_shards_are_balanced_and_the_same_everywhere(minutes: Sequence[int], shards: int) -> None:
    """Each cell is in one shard; none is longer than another by more than a cell; the order of cells is no matter."""
    cells = [
        Cell(f"{index}", "a", "a", Shape(), {}, None, {}, 0.0, float(seconds), 1)
        for index, seconds in enumerate(minutes)
    ]
    chosen = split(cells, shards)
    loads = [sum(cell.stated_seconds for cell in cells if chosen[cell.id] == shard + 1) for shard in range(shards)]
    assert chosen.keys() == {cell.id for cell in cells}
    assert max(loads) - min(loads) <= max(minutes)
    assert split(cells[::-1], shards) == chosen
