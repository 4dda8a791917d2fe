"""Truth: what the table of many runs says of a check."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from reports.truth import cells, gathered, main, markdown, page, summary
from reports.verdicts import BROKEN, FILE, Line

_ROOT = Path(__file__).parents[2]
_TABLE = _ROOT / "scenarios/truth.json"
_HELD = Line("scenarios/test_a.py::test_x[row]", "c", "holds", "holds", None, 1, {"gatekeeper": "v3.23.1"}, 10.0, "s")


def line(**changes: Any) -> Line:
    return Line(**(asdict(_HELD) | changes))


def old(outcome: str, expected: str = "violated") -> Line:
    return line(outcome=outcome, expected=expected, issue="gatekeeper#1", shape={"gatekeeper": "v3.18.3"})


def test_versions_are_told_apart() -> None:
    """The same claim on two versions is two cells, in the order in which they came."""
    found = cells([line(), old("violated"), line(seconds=20.0)])
    assert [(cell.gatekeeper, cell.counts) for cell in found] == [
        ("v3.23.1", {"holds": 2}),
        ("v3.18.3", {"violated": 1}),
    ]
    assert found[0].seconds == (10.0, 20.0)


def test_a_rate_counts_verdicts_only() -> None:
    """What is inconclusive or broken is neither a violation nor none."""
    (cell,) = cells([old("violated"), old("holds"), old("inconclusive"), old(BROKEN)])
    assert (cell.decided, cell.rate.estimate) == (2, 0.5)
    assert 0 < cell.rate.low < 0.5 < cell.rate.high < 1


def test_without_a_verdict_there_is_no_rate() -> None:
    """A cell of which nothing was decided shows a dash, not a rate of 0."""
    (cell,) = cells([old("inconclusive")])
    assert (cell.rate.low, cell.rate.high) == (0.0, 1.0)
    assert "| 0 | 0 | 1 | - |" in markdown([cell])


def test_false_alarms_and_misses() -> None:
    """Violated where it should hold is a false alarm, held where it should not is a miss."""
    found = cells([line(outcome="violated"), line(), old("holds"), old("violated")])
    assert [(cell.false_alarms, cell.missed) for cell in found] == [(1, 0), (0, 1)]
    assert markdown(found).endswith("4 verdicts: 1 false alarms, 1 missed; 0 inconclusive")


def test_summary_adds_up_what_has_parameters() -> None:
    """One row for all rows of a scenario on a version; what was broken is no verdict and no claim."""
    others = [line(test="scenarios/test_a.py::test_x[other]", outcome="inconclusive"), line(claim="d")]
    nothing = line(claim="", expected="", outcome=BROKEN)
    table = summary(cells([line(), line(outcome="violated"), *others, nothing, old("holds"), old("violated")]))
    assert table.splitlines()[2:] == [
        "| x | v3.23.1 | 3 | 0 to 2 | 3 | 2 | 1 | 0 | 1 |",
        "| x | v3.18.3 | 1 | 2 | 2 | 1 | 0 | 1 | 0 |",
    ]


def test_a_row_reads_well() -> None:
    """A row has the test's parameters, the claim, the version, the issue, the counts, the rate and the time."""
    table = markdown(cells([old("violated"), line(test="a::test_no_parameters")]))
    assert (
        "| x: row | c | v3.18.3 | violated gatekeeper#1 | 0 | 1 | 0 | 100.00 % (20.65 to 100.00 %) | 10 s (10 to 10) |"
        in table
    )
    assert "| no parameters | c | v3.23.1 | holds |" in table


@pytest.mark.parametrize(
    ("lines", "status"),
    [([line()], 0), ([old("violated")], 0), ([old("holds")], 1), ([line(), line(outcome="inconclusive")], 1)],
)
def test_status(tmp_path: Path, lines: list[Line], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Only a table in which everything came out as expected is a success."""
    write(tmp_path, lines)
    assert main([str(tmp_path), "--write", str(tmp_path / "truth.json")]) == status
    assert "| scenario | claim |" in capsys.readouterr().out
    assert json.loads((tmp_path / "truth.json").read_text())[0]["claim"] == "c"
    assert (tmp_path / "truth.md").read_text() == page(cells(lines))


def test_page_takes_no_tables_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table that would lie where its page goes is refused before anything is written."""
    write(tmp_path, [line()])
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--write", str(tmp_path / "truth.md")])
    assert "expected a name that ends in .json" in capsys.readouterr().err
    assert not (tmp_path / "truth.md").exists()


def test_broken_tests_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A test without a verdict has no row, but is told, and is no success."""
    write(tmp_path, [line(), line(claim="", expected="", outcome=BROKEN)])
    assert main([str(tmp_path)]) == 1
    assert "1 tests broken" in capsys.readouterr().out


def test_tables_are_added_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was written counts again beside new runs, as if all had been read at once."""
    write(tmp_path, [line(), old("violated")])
    table, more = tmp_path / "truth.json", tmp_path / "more.json"
    main([str(tmp_path), "--write", str(table)])
    main([str(tmp_path), str(table), "--write", str(more)])
    assert gathered(more) == cells([line(), old("violated"), line(), old("violated")])
    assert "4 verdicts: 0 false alarms" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "all of it"), ("{}", "all of it"), ('[{"test": "t"}]', "0.claim"), (None, "No such file")],
)
def test_no_table(tmp_path: Path, text: str | None, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no table, or is not there, is an error that names it and what is wrong."""
    table = tmp_path / "truth.json"
    if text is not None:
        table.write_text(text, encoding="utf-8")
    assert main([str(table)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {table}: expected")
    assert told in said


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory without verdicts is an error that names it."""
    assert main([str(tmp_path)]) == 2
    assert str(tmp_path / FILE) in capsys.readouterr().err


def write(run: Path, lines: list[Line]) -> None:
    (run / FILE).write_text("".join(f"{json.dumps(asdict(each))}\n" for each in lines), encoding="utf-8")


def test_what_is_written_down_is_what_was_seen() -> None:
    """The page and the README tell the table that lies beside the scenarios."""
    seen = gathered(_TABLE)
    assert _TABLE.with_suffix(".md").read_text(encoding="utf-8") == page(seen)
    assert summary(seen) in (_ROOT / "README.md").read_text(encoding="utf-8")
