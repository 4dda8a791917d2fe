"""Truth: what the table of many runs says of a check, and which verdicts count in it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.judging import today
from chaos_harness.reports.truth.__main__ import main
from chaos_harness.reports.truth.page import by_check, by_claim, how_often, last_line, page
from chaos_harness.reports.truth.rows import GivenVerdict, Table, TruthRow, merge_rows, read_table, sum_counts
from chaos_harness.reports.truth.verdict_lines import BROKEN, FILE, VerdictLine

_ROOT = Path(__file__).parents[4]
_TABLE = _ROOT / "scenarios/truth.json"
_ID = "leases_renewed(60)"
_SHAPE: dict[str, Any] = {"kubernetes": "v1.36.4", "gatekeeper": "v3.23.1", "install": "manifest"}
_ROW = TruthRow("scenarios/test_a.py::test_x[row]", _ID, "leases are renewed", **_SHAPE, expected="holds")


def given(outcome: str = "holds", number: int = 1, **changes: Any) -> GivenVerdict:
    todays = GivenVerdict("run 1", "a/history.jsonl", "holds", today(_ID), "0123456789ab", 20.0, 10.0)
    return replace(todays, outcome=outcome, run=f"run {number}", **changes)


def row(*verdicts: GivenVerdict, **changes: Any) -> TruthRow:
    return replace(_ROW, **changes, verdicts=verdicts)


def line(**changes: Any) -> VerdictLine:
    of: dict[str, Any] = {"test": _ROW.test, "claim": _ROW.claim, "id": _ID, "expected": "holds", "outcome": "holds"}
    fixed = {
        "issue": None,
        "seed": 1,
        "shape": _SHAPE,
        "seconds": 10.0,
        "summary": "s",
        "judge": today(_ID),
        "run": "run 1",
    }
    return VerdictLine(**(of | fixed | {"history": "a/history.jsonl", "until": 20.0} | changes))


def test_a_row_is_a_claim_on_a_version() -> None:
    """Another Kubernetes, Gatekeeper, installation, parameter or prediction is another row; another wording is none."""
    others = [
        {"kubernetes": "v1.35.8"},
        {"gatekeeper": "v3.20.1"},
        {"install": "chart"},
        {"id": "leases_renewed(70)"},
        {"expected": "violated"},
        {"known": "healthy"},
    ]
    truth = merge_rows(
        [row(given()), *(row(given(), **other) for other in others), row(given(number=2), claim="reworded")]
    )
    assert [len(table_row.verdicts) for table_row in truth.rows] == [2, 1, 1, 1, 1, 1, 1]
    assert truth.rows[0].claim == "reworded"


def test_a_gatekeeper_of_ones_own_is_another_row(tmp_path: Path) -> None:
    """A verdict on a user's values never counts for the release: its digest is part of how it was installed."""
    own = {"own": {"digest": "1a2b3c4d"}}
    write(tmp_path, [line(), line(shape=_SHAPE | own, run="run 2"), line(shape=_SHAPE | {"own": None}, run="run 3")])
    assert main([str(tmp_path), "--write", str(tmp_path / "truth.json")]) == 0
    rows = {table_row.install: len(table_row.verdicts) for table_row in read_table(tmp_path / "truth.json").rows}
    assert rows == {"manifest": 2, "manifest 1a2b3c4d": 1}


def test_a_verdict_counts_once() -> None:
    """A run that is read twice, or read beside the table it is in, adds nothing."""
    once = merge_rows([row(given(), given("violated", 2))])
    assert merge_rows([*once.rows, *once.rows, row(given())]) == once


def test_only_verdicts_of_todays_checks_count() -> None:
    """What other sources judged is kept, and told as not counted."""
    truth = merge_rows([row(given(judge="other"), given("violated", 2, judge="other"), given(number=3))])
    (count,) = truth.counts()
    assert (count.decided, count.seen, count.earlier) == (1, 1, 2)
    assert last_line(truth).endswith("2 histories judged by other checks than today's only")
    assert by_claim(truth).endswith("| 10 s (10 to 10) | 2 |")


def test_what_is_judged_again_stands_apart() -> None:
    """Of a history that was judged again by today's checks the later verdict counts, in a column of its own."""
    truth = merge_rows([row(given("violated", judge="other"), given("holds", again=True), given("holds", 2))])
    (count,) = truth.counts()
    assert (
        count.count_outcome("holds"),
        count.count_outcome("holds", again=True),
        count.count_outcome("violated"),
    ) == (2, 1, 0)
    assert (count.seen, count.earlier) == (2, 0)
    assert "| 2 | 2 | 0 | 0 | 1 0 0 |" in by_claim(truth)


def test_a_history_counts_once_per_claim() -> None:
    """What was judged at once by today's checks is not counted again when the same history is judged again."""
    (count,) = merge_rows([row(given(), given("violated", again=True))]).counts()
    assert (count.count_outcome("holds"), count.count_outcome("violated")) == (1, 0)


@pytest.mark.parametrize(
    ("expected", "known", "outcome", "changes", "counts"),
    [
        ("holds", None, "holds", {}, (1, 0, 0, 0, 0)),
        ("holds", None, "violated", {}, (0, 1, 0, 0, 0)),
        ("holds", "healthy", "violated", {}, (0, 1, 1, 1, 0)),
        ("holds", "healthy", "inconclusive", {}, (0, 0, 0, 0, 0)),
        ("violated", None, "holds", {}, (0, 1, 0, 0, 0)),
        ("violated", "planted", "holds", {}, (0, 1, 1, 0, 1)),
        ("violated", "version", "violated", {}, (1, 0, 1, 0, 0)),
        ("violated", "version", "violated", {"surprise": True}, (0, 1, 1, 0, 0)),
    ],
)
def test_truth_and_prediction_are_told_apart(
    expected: str, known: str | None, outcome: str, changes: dict[str, Any], counts: Sequence[int]
) -> None:
    """A verdict is a false alarm, or a miss, only where the truth is known; elsewhere a prediction was wrong."""
    (count,) = merge_rows([row(given(outcome, **changes), expected=expected, known=known)]).counts()
    assert (count.as_predicted, count.unexpected, count.known, count.false_alarms, count.missed) == counts


def test_histories_and_verdicts_are_both_counted() -> None:
    """Three claims of one history are three verdicts and one history."""
    rows = [row(given(), id=id_) for id_ in (_ID, "leases_renewed(70)")]
    truth = merge_rows([*rows, row(given("violated", judge=today("undisturbed()")), id="undisturbed()")])
    total = sum_counts(truth.counts())
    assert (total.decided, total.seen) == (3, 1)
    assert by_check(truth).splitlines()[2:] == [
        "| leases_renewed | 2 | 1 | 2 | 0 | 0 | 2 | 0 | 0 | 0 | 0 |",
        "| undisturbed | 1 | 1 | 0 | 1 | 0 | 0 | 1 | 0 | 0 | 0 |",
        "| all | 3 | 1 | 2 | 1 | 0 | 2 | 1 | 0 | 0 | 0 |",
    ]


def test_what_is_thin_is_told() -> None:
    """How many claims have ten verdicts, and how many have fewer; an inconclusive one says nothing."""
    numbers = {"a": 10, "b": 9, "c": 3, "d": 2, "e": 1, "f": 0}
    rows = [row(*(given(number=each) for each in range(number)), test=name) for name, number in numbers.items()]
    told = how_often(merge_rows([*rows, row(given("inconclusive"), test="g")]))
    assert told.startswith("Of 7 claims 1 have 10 verdicts or more, 2 have 3 to 9, 2 have fewer, and 2 have none by ")


def test_a_row_reads_well() -> None:
    """A row has the scenario, the claim, the versions, what is expected and why, the counts, the rate and the time."""
    truth = merge_rows([row(given("violated"), expected="violated", issue="owner/gatekeeper#1", known="version")])
    assert by_claim(truth).splitlines()[2] == (
        "| x: row | `leases_renewed(60)` | v1.36.4 v3.23.1 manifest | violated gatekeeper#1 (known by version) | 1 | 0 "
        "| 1 | 0 | - | 100.00 % (20.65 to 100.00 %) | 10 s (10 to 10) | - |"
    )


def test_names_cannot_break_the_table() -> None:
    """What a test or a claim is called stays within its cell."""
    truth = merge_rows([row(given(), test="a.py::test_y[<b>|\n`c`]", id='leases_renewed(60, spare=["|`"])')])
    (line,) = by_claim(truth).splitlines()[2:]
    assert line.startswith("| y: &lt;b>\\| 'c' | `leases_renewed(60, spare=[\"\\|'\"])` |")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([{}], 0),
        ([{"outcome": "violated", "expected": "violated"}], 0),
        ([{"outcome": "violated"}], 1),
        ([{}, {"outcome": "inconclusive", "run": "run 2"}], 1),
        ([{}, {"id": "", "claim": "", "expected": "", "outcome": BROKEN}], 1),
        ([{"judge": "other"}], 1),
    ],
)
def test_status(tmp_path: Path, lines: list[dict[str, str]], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Only a table in which everything that counts came out as expected, and something counts, is a success."""
    write(tmp_path, [line(**changes) for changes in lines])
    assert main([str(tmp_path), "--write", str(tmp_path / "truth.json")]) == status
    assert "| scenario | claim |" in capsys.readouterr().out
    truth = read_table(tmp_path / "truth.json")
    assert (tmp_path / "truth.md").read_text() == page(truth)


def test_page_takes_no_tables_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table that would lie where its page goes is refused before anything is written."""
    write(tmp_path, [line()])
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--write", str(tmp_path / "truth.md")])
    assert "expected a name that ends in .json" in capsys.readouterr().err
    assert not (tmp_path / "truth.md").exists()


def test_a_table_that_cannot_be_written_is_said_before_anything_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder is not there."""
    write(tmp_path, [line()])
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--write", str(tmp_path / "nowhere" / "truth.json")])
    assert capsys.readouterr().out == ""


def test_tables_are_added_up(tmp_path: Path) -> None:
    """What was written counts again beside new runs, as if all had been read at once."""
    first, second, both = tmp_path / "truth.json", tmp_path / "second", tmp_path / "both.json"
    write(tmp_path, [line(), line(outcome="violated", expected="violated", because=["timed out"], known="planted")])
    main([str(tmp_path), "--write", str(first)])
    second.mkdir()
    write(second, [line(run="run 2")])
    main([str(second), str(first), "--write", str(both)])
    assert [len(table_row.verdicts) for table_row in read_table(both).rows] == [2, 1]


def test_a_run_is_judged_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What other checks judged of a run is judged by today's if its history is there; else it is told why not."""
    lost, unknown = line(judge="other", history="lost/history.jsonl"), line(judge="other", id="gone(1)")
    path = keep(tmp_path, line(judge="other"), lost, unknown, line(judge="other", history=""))
    main([str(tmp_path), "--write", str(path)])
    rows = {table_row.id: table_row.verdicts for table_row in read_table(path).rows}
    (again,) = [verdict for verdict in rows[_ID] if verdict.again]
    assert (again.history, again.outcome, again.judge) == ("a/history.jsonl", "inconclusive", today(_ID))
    stderr = capsys.readouterr().err
    assert "lost/history.jsonl: no history can be read" in stderr
    assert "there is no check gone" in stderr
    assert "they name no history" in stderr


@pytest.mark.parametrize("run_first", [True, False])
def test_a_verdict_that_a_table_counts_is_not_given_again(tmp_path: Path, *, run_first: bool) -> None:
    """A run keeps the digest of an earlier rule, the table today's of the same sources: that is one verdict."""
    path = keep(tmp_path, line(judge="of an earlier rule"))
    kept = GivenVerdict("run 1", "a/history.jsonl", "holds", today(_ID), until=20.0, seconds=10.0)
    path.write_text(merge_rows([row(kept)]).json())
    arguments = [str(tmp_path), str(path)] if run_first else [str(path), str(tmp_path)]
    main([*arguments, "--write", str(path)])
    assert [table_row.verdicts for table_row in read_table(path).rows] == [(kept,)]


def test_a_verdict_that_counts_no_more_is_given_again_once(tmp_path: Path) -> None:
    """When a check has changed, what a table has of its run is judged by today's, and not a second time."""
    path = keep(tmp_path, line(judge="earlier"))
    kept = GivenVerdict("run 1", "a/history.jsonl", "holds", "earlier", until=20.0, seconds=10.0)
    path.write_text(replace(merge_rows([row(kept)]), judges={_ID: "earlier"}).json())
    for _ in range(2):
        main([str(path), str(tmp_path), "--write", str(path)])
        (table_row,) = read_table(path).rows
        assert [(verdict.judge, verdict.again) for verdict in table_row.verdicts] == [
            ("earlier", False),
            (today(_ID), True),
        ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "all of it"),
        ("[]", "all of it"),
        ('{"schema": 1, "judges": {}, "rows": [{"test": "t"}]}', "rows.0.id"),
        ('{"schema": 9, "judges": {}, "rows": []}', "expected a table of schema 1, found 9"),
        (None, "No such file"),
    ],
)
def test_no_table(tmp_path: Path, text: str | None, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is neither a run nor a table is refused, and the place is named."""
    path = tmp_path / "truth.json"
    if text is not None:
        path.write_text(text)
    assert main([str(path)]) == 2
    assert problem in capsys.readouterr().err
    with pytest.raises(BadScenario):
        read_table(path)


def test_published_table() -> None:
    """Both pages tell the table that lies beside the scenarios, as it counted when it was written."""
    seen = read_table(_TABLE)
    assert page(seen) == _TABLE.with_suffix(".md").read_text(encoding="utf-8")
    assert by_check(seen) in (_ROOT / "docs/trust.md").read_text(encoding="utf-8")


def test_a_table_keeps_what_counted(tmp_path: Path) -> None:
    """A table that is read later prints what it printed when it was written, even if the checks have changed."""
    written = replace(merge_rows([row(given(judge="then"))]), judges={_ID: "then"})
    path = tmp_path / "truth.json"
    path.write_text(written.json())
    assert read_table(path) == Table(written.rows, {_ID: "then"})
    assert sum_counts(read_table(path).counts()).decided == 1
    assert sum_counts(merge_rows(read_table(path).rows).counts()).decided == 0


def keep(run: Path, *lines: VerdictLine) -> Path:
    """Keep a run with these verdicts and the history a/history.jsonl; return where its table may go."""
    (run / "a").mkdir()
    history = HistoryWriter(run / "a/history.jsonl")
    history.append("mark", "experiment", "steady")
    history.finish()
    write(run, list(lines))
    return run / "truth.json"


def write(directory: Path, lines: list[VerdictLine]) -> None:
    (directory / FILE).write_text("".join(f"{json.dumps(asdict(entry))}\n" for entry in lines), encoding="utf-8")
