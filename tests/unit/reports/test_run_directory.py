"""Store: where a run's results go."""

import os
from pathlib import Path

import pytest

from chaos_harness.reports.run_directory import (
    count_tests,
    make_latest,
    new_run,
    read_state,
    read_tests,
    record_chosen,
    record_start,
    record_test,
)


def test_runs_do_not_share_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that begin a run in the same second have a directory each, and naming makes none."""
    monkeypatch.setattr("time.strftime", lambda _: "now")
    first = new_run(tmp_path)
    monkeypatch.setattr(os, "getpid", lambda: 1)

    assert new_run(tmp_path) != first
    assert list(tmp_path.iterdir()) == []


def test_latest_points_to_the_newest_run(tmp_path: Path) -> None:
    """The link follows the run that was made the latest, and is relative, so that the tree can be copied."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        make_latest(tmp_path / name)

    assert (tmp_path / "latest").readlink() == Path("second")
    assert (tmp_path / "latest").samefile(tmp_path / "second")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "latest", "second"]


def test_what_is_missing_from_a_run_can_be_counted(tmp_path: Path) -> None:
    """How many tests were chosen, how many began, and which of them did not end."""
    record_chosen(tmp_path, 3)
    assert read_state(tmp_path) is None, "a run that did not start chose nothing"
    record_start(tmp_path)
    record_chosen(tmp_path, 3)
    record_test(tmp_path, "a")
    record_test(tmp_path, "a", "none")
    record_test(tmp_path, "b")

    state = read_state(tmp_path)
    assert state is not None
    assert state.chosen == 3
    assert count_tests(tmp_path) == 2
    assert read_tests(tmp_path) == (["b"], {"none"})
