"""Trend: what is remembered of earlier runs."""

from pathlib import Path

from chaos_harness.reports.trends.runs import Run, find_flaky, read_earlier, remember


def test_runs_are_remembered_in_order_and_once(tmp_path: Path) -> None:
    """Earlier runs come back oldest first, the run itself left out, broken lines skipped."""
    assert read_earlier(tmp_path, "any") == []
    for name, started in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        remember(tmp_path, Run(name, started, {"k": started}, {"t": "passed"}))
    with (tmp_path / "trend.jsonl").open("a", encoding="utf-8") as file:
        file.write('[1]\n{"name": "d"}\n{"name": "cut o')

    assert [run.name for run in read_earlier(tmp_path, "c")] == ["a", "b"]
    assert read_earlier(tmp_path, "c")[0].figures == {"k": 1.0}


def test_only_so_many_runs_are_remembered(tmp_path: Path) -> None:
    """The file does not grow for ever."""
    for number in range(250):
        remember(tmp_path, Run(str(number), float(number)))

    assert len((tmp_path / "trend.jsonl").read_text(encoding="utf-8").splitlines()) <= 200
    assert read_earlier(tmp_path, "")[-1].name == "249"
    assert len(read_earlier(tmp_path, "")) == 100


def test_flaky_is_what_came_out_both_ways() -> None:
    """A test that passes now and failed before, or the other way round, is named with its numbers."""
    runs = [Run(str(number), number, tests={"a": outcome}) for number, outcome in enumerate(["passed", "failed"] * 2)]

    assert find_flaky(runs, {"a": "passed", "b": "failed"}) == {
        "a": "passed now, came out otherwise in 2 of 4 earlier runs"
    }
    assert find_flaky(runs[:1], {"a": "passed"}) == {}
    assert find_flaky(runs, {"a": "skipped"}) == {}
