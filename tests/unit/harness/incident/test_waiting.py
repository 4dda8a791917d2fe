"""Waiting: conditions, waits, values of turns and jitter are read, or refused with what to write instead."""

from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.plan import plan_of
from chaos_harness.harness.incident.timeline import length, longest
from tests.fakes.incidents import incident

_READY = {"kind": "Deployment", "name": "gatekeeper-*", "field": "{.status.readyReplicas}", "value": 3}
_CUT = {"fault": "cut_registry", "lasts": "10s"}


def _problems(folder: Path, **changes: Any) -> list[str]:
    with pytest.raises(BadScenario) as refused:
        incident(folder, **({"schema": 2, "claims": [{"check": "no_request_during"}]} | changes))
    return [problem.partition(": ")[2] for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([{"at": 0}], "faults.0: a step is a fault or a wait; found none of them"),
        ([_CUT | {"at": 0, "wait": "5s"}], "faults.0: a step is a fault or a wait; found both"),
        ([_CUT | {"at": 0}, {"wait": "5s", "at": 0, "lasts": "9s"}], "faults.1: a wait has no lasts"),
        ([_CUT | {"at": 0}, {"wait": 5, "at": 0}], "faults.1.wait: write 5s: a time has its unit, such as 30s, 5m"),
        ([_CUT | {"at": 0}, {"wait": "a bit", "at": 0}], "faults.1.wait: expected a duration such as 30s, 5m or 250ms"),
        ([_CUT | {"at": 0}, {"wait": {"name": "a"}, "at": 0}], "faults.1.wait.kind: is missing"),
        (
            [_CUT | {"at": 0}, {"wait": _READY | {"kind": "Deploymnt"}, "at": 0}],
            "faults.1.wait.kind: no cluster has the kind 'Deploymnt', and this file does not bring it; did you mean",
        ),
        (
            [_CUT | {"when": _READY | {"field": "{..phase}"}}],
            "faults.0.when.field: '{..phase}': `..` is not supported; write one expression such as {.status.phase}",
        ),
        ([_CUT | {"when": {"kind": "Pod", "value": "Running"}}], "faults.0.when: a value stands in a field: say which"),
        ([_CUT | {"when": _READY | {"count": 2}}], "faults.0.when: with a field, count say nothing: leave them out"),
        ([_CUT | {"at": 0, "jitter": 2}], "faults.0.jitter: write 2s: a time has its unit"),
    ],
)
def test_steps_that_are_refused(tmp_path: Path, steps: list[dict[str, Any]], problem: str) -> None:
    """Each is told once, where it stands."""
    (said,) = _problems(tmp_path, faults=steps)
    assert said.startswith(problem)


def test_times_of_waits(tmp_path: Path) -> None:
    """What comes after a wait begins when it is over; an object may come at once, or at the last moment."""
    steps = [
        _CUT | {"at": "2s", "id": "cut", "jitter": "3s"},
        {"id": "rested", "wait": "20s", "after": "cut"},
        {"id": "ready", "wait": _READY | {"within": "50s"}, "after": "rested"},
        _CUT | {"after": "ready", "delay": "1s"},
    ]
    loaded = incident(tmp_path, schema=2, faults=steps, claims=[{"check": "undisturbed", "with": {"during": "cut"}}])

    assert length(loaded.incident) == 2 + 20 + 1 + 10
    assert longest(loaded.incident.faults, None) == 2 + 3 + 20 + 50 + 1 + 10
    planned = plan_of(loaded, PullRules()).steps
    assert [(step.fault, step.begins) for step in planned] == [
        ("cut_registry", "up to 3 s"),
        ("wait", "after cut"),
        ("wait", "after rested"),
        ("cut_registry", "after ready + 1 s"),
    ]
    assert planned[2].parameters == "Deployment gatekeeper-* {.status.readyReplicas} 3"


def test_a_wait_is_no_fault_of_a_claim(tmp_path: Path) -> None:
    """A claim may name what is done to a cluster, and no pause between."""
    steps = [_CUT | {"at": 0, "id": "cut"}, {"id": "rested", "wait": "20s", "after": "cut"}]
    (said,) = _problems(tmp_path, faults=steps, claims=[{"check": "undisturbed", "with": {"during": "rested"}}])
    assert "no step has the id, or the fault, 'rested'; there is cut" in said


def test_a_turn_for_each_value(tmp_path: Path) -> None:
    """Each value is tried in the place of $each before anything is touched, and is one turn."""
    steps = [{"fault": "cut_registry", "with": {"how": "$each"}, "at": 0, "lasts": "10s"}]
    loaded = incident(
        tmp_path, schema=2, faults=steps, for_each=["stop", "503"], claims=[{"check": "no_request_during"}]
    )
    assert (loaded.incident.repeat, loaded.incident.for_each) == (2, ["stop", "503"])
    assert loaded.incident.faults[0].with_ == {"how": "$each"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"for_each": ["stop", "kill"]}, "faults.0.with.how: expected 'stop', 'drop' or '503', found 'kill'"),
        ({"for_each": []}, "faults.0.with.how: $each stands for a value of `for_each`, and this file has none: add"),
        ({"repeat": 3.0}, "repeat: expected a whole number, found 3.0"),
        ({"for_each": ["stop"], "repeat": 2}, "for_each: there is a turn for each value: leave out `repeat`"),
        ({"for_each": [{"how": "stop"}]}, "for_each.0"),
    ],
)
def test_values_that_are_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """A value that the step cannot have is told, as if it stood there."""
    steps = [{"fault": "cut_registry", "with": {"how": "$each"}, "at": 0, "lasts": "10s"}]
    said = _problems(tmp_path, faults=steps, **changes)
    assert any(line.startswith(problem) for line in said), said
