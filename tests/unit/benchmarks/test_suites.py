"""Tests of benchmarks.suites: two runs agree by their verdicts."""

import json
from pathlib import Path

from benchmarks.suites import find_differences, read_run_verdicts


def written(path: Path, *outcomes: tuple[str, str]) -> Path:
    lines = [json.dumps({"test": "t", "claim": claim, "outcome": outcome}) + "\n" for claim, outcome in outcomes]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_the_same_verdicts_in_another_order_do_not_differ(tmp_path: Path) -> None:
    """Which worker ended first says nothing."""
    one = read_run_verdicts(written(tmp_path / "one", ("a", "holds"), ("b", "violated")))
    assert (
        list(find_differences(one, read_run_verdicts(written(tmp_path / "two", ("b", "violated"), ("a", "holds")))))
        == []
    )


def test_another_verdict_and_a_missing_one_are_named(tmp_path: Path) -> None:
    """What was said first, and what then."""
    one = read_run_verdicts(written(tmp_path / "one", ("a", "holds"), ("b", "holds")))
    assert find_differences(one, read_run_verdicts(written(tmp_path / "two", ("a", "inconclusive")))) == [
        "t: a: holds, then inconclusive",
        "t: b: holds, then not judged",
    ]
