"""Estimates: how much of a run is left, by what scenarios say and by their last durations."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.experiment.record import PROPERTY
from chaos_harness.harness.pytest_plugin.estimates import Countdown, Estimates, in_minutes, planned

_CUT, _LOSS = Path("test_cut.py"), Path("test_loss.py")


def a_test(path: Path, name: str, seconds: float | None = None, experiment: str | None = None) -> Any:
    """Return a collected test, whose marker says how long it takes and with whom it shares its experiment."""
    shared = {} if experiment is None else {"experiment": experiment}
    marker = None if seconds is None else pytest.mark.takes(seconds, **shared).mark
    return SimpleNamespace(path=path, nodeid=f"{path}::{name}", get_closest_marker=lambda _: marker)


def passed(test: Any, seconds: float) -> Any:
    """Return the report of a test that passed, and whose experiment took so long."""
    phases = [{"start": 100.0, "stop": 101.0}, {"start": 102.0, "stop": 100.0 + seconds}, {"start": 103, "stop": None}]
    record = [(PROPERTY, json.dumps({"phases": phases}))]
    return SimpleNamespace(nodeid=test.nodeid, when="call", passed=True, user_properties=record)


_TESTS = [
    a_test(_CUT, "a", 120, "always"),
    a_test(_CUT, "b", 120, "always"),
    a_test(_CUT, "c", 240, "other"),
    a_test(_LOSS, "d"),
]


def begun(tmp_path: Path, lines: list[str], *shapes: Shape) -> Countdown:
    """Return a countdown of the four tests, whose files have these shapes."""
    by_file = dict(zip((_CUT, _LOSS), shapes, strict=True))
    countdown = Countdown(Estimates(tmp_path / "durations.json"), lambda: by_file, lines.append)
    countdown.pytest_collection_finish(SimpleNamespace(items=_TESTS))  # type: ignore[arg-type]  # only its items count
    return countdown


def test_a_line_before_each_experiment(tmp_path: Path) -> None:
    """It has the number of the test, and the time of all that is left, with the cluster that both files share."""
    lines: list[str] = []
    countdown = begun(tmp_path, lines, Shape(), Shape())
    for test in _TESTS:
        countdown.pytest_runtest_logstart(test.nodeid)
    assert lines == [
        "Test 1 of 4, about 10 minutes left",  # 120 + 240 + 180 of which nobody says anything + 75 for the cluster
        "Test 3 of 4, about 7 minutes left",
        "Test 4 of 4, about 3 minutes left",
    ]


def test_another_shape_costs_another_cluster(tmp_path: Path) -> None:
    """Files of two shapes share none."""
    lines: list[str] = []
    begun(tmp_path, lines, Shape(), Shape(install="chart")).pytest_runtest_logstart(_TESTS[0].nodeid)
    assert lines == ["Test 1 of 4, about 12 minutes left"]


def test_the_last_duration_goes_before_what_a_scenario_says(tmp_path: Path) -> None:
    """It is kept for each experiment that passed, by the phases of its record; what failed says nothing."""
    countdown = begun(tmp_path, [], Shape(), Shape())
    countdown.pytest_runtest_logreport(passed(_TESTS[0], 600.0))
    failed = passed(_TESTS[2], 5.0)
    failed.passed = False
    countdown.pytest_runtest_logreport(failed)
    countdown.pytest_sessionfinish()
    assert json.loads((tmp_path / "durations.json").read_text("utf-8")) == {"test_cut.py::always": 600.0}
    kept = Estimates(tmp_path / "durations.json")
    assert [kept.seconds(experiment) for experiment in planned(_TESTS)] == [600.0, 240.0, 180.0]


def test_runs_beside_each_other_lose_no_durations(tmp_path: Path) -> None:
    """Who ends last keeps what the other one has kept since it began."""
    path = tmp_path / "durations.json"
    first, second = Estimates(path), Estimates(path)
    second.remember({"a": 1.0, "b": 2.0})
    first.remember({"b": 3.0, "c": 4.0})
    assert json.loads(path.read_text("utf-8")) == {"a": 1.0, "b": 3.0, "c": 4.0}


@pytest.mark.parametrize("written", ["", "[1]", '{"a": "b"}', '{"a": null}'])
def test_durations_that_cannot_be_read_count_as_none(tmp_path: Path, written: str) -> None:
    """A file of somebody else, or cut off, costs no run."""
    path = tmp_path / "durations.json"
    path.write_text(written, encoding="utf-8")
    assert Estimates(path).seconds(planned(_TESTS)[0]) == 120.0


@pytest.mark.parametrize(("seconds", "text"), [(0, "1 minute"), (89, "1 minute"), (100, "2 minutes")])
def test_minutes(seconds: float, text: str) -> None:
    """Never less than one."""
    assert in_minutes(seconds) == text
