"""Timeline: how long it is, how long it can become, and what is left when a step is taken out."""

from typing import Any

import pytest

from chaos_harness.harness.incident.model import Step, TriggerSpec
from chaos_harness.harness.incident.timeline import longest, problems_of_time, remove_step

_STEPS = [
    Step(fault="cut", id="cut", at=10.0, lasts=60.0),
    Step(fault="kill", id="kill", after="cut", delay=5.0),
    Step(fault="pause", after="kill", delay=2.0, lasts=100.0),
]


def test_longest() -> None:
    """Steps after others add up; a trigger counts with all the time that it may take."""
    assert longest(_STEPS, None) == 10 + 5 + 2 + 100
    assert longest(_STEPS, 500.0) == 500
    assert longest([Step(fault="cut", when=TriggerSpec(kind="Pod", within=90.0), lasts=20.0)], None) == 110


def test_a_step_after_the_only_one_of_a_fault() -> None:
    """A step is named as in claims: by its fault if no other step does it; if another does, the way out is told."""
    assert longest([Step(fault="cut", at=1.0), Step(fault="kill", after="cut", lasts=5.0)], None) == 6
    cut, then = {"fault": "cut", "at": 1}, {"fault": "kill", "after": "cut"}
    assert list(problems_of_time({"faults": [cut, then]})) == []
    assert list(problems_of_time({"faults": [cut, cut, then]})) == [
        (("faults", 2, "after"), "steps 1 and 2 do cut: give the one that is meant an id, `id: …`")
    ]
    [(_, words)] = problems_of_time({"faults": [cut, then | {"after": "cutt"}]})
    assert words == "no step has the id, or the fault, 'cutt'; did you mean cut? there is cut, kill"


@pytest.mark.parametrize("removed", [0, 1, 2])
def test_rewired(removed: int) -> None:
    """When a step is taken out, the others keep their order and begin when they would have begun."""
    steps = remove_step(_STEPS, removed)

    assert [step.fault for step in steps] == [step.fault for step in _STEPS if step is not _STEPS[removed]]
    assert longest(steps, None) == {0: 117, 1: 117, 2: 70}[removed]


def test_rewired_behind_a_trigger() -> None:
    """A step that came after a triggered one waits for the same trigger."""
    trigger = TriggerSpec(kind="Pod")
    (step,) = remove_step(
        [Step(fault="cut", id="a", when=trigger, delay=1.0), Step(fault="kill", after="a", delay=2.0)], 0
    )

    assert (step.when, step.after, step.delay) == (trigger, None, 3.0)


def _steps(*steps: tuple[str, float, float | None, dict[str, Any]]) -> list[str]:
    """Return the contradictions of steps, given by start and duration; the duration None means a one-shot fault."""
    faults = []
    for fault, at, lasts, values in steps:
        faults.append({"fault": fault, "at": at, "with": values} | ({"lasts": lasts} if lasts else {}))
    problems = problems_of_time({"faults": faults})
    return [f"{place[1]}: {words}" for place, words in problems]


_NODE = {"node": "$worker"}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (
            [("kill_node", 0, 60, _NODE), ("pause_node", 10, 20, {"node": "$worker1"})],
            "1: it cannot be healed at 30 s, while step 1 (kill_node) lasts, from 0 to 60 s: $worker1 is back for both",
        ),
        ([("stop_node", 0, 20, _NODE), ("cut_off_node", 10, 20, _NODE)], "0: it cannot be healed at 20 s"),
        ([("kill_node", 0, 20, _NODE), ("kill_node", 0, 20, _NODE)], "1: it cannot be healed at 20 s"),
        ([("stop_kubelet", 0, 20, _NODE), ("kill_node", 10, 30, _NODE)], "0: it cannot be healed at 20 s"),
        (
            [("pause_node", 0, 20, {"node": ["$worker2", "$worker"]}), ("stop_node", 10, 20, {"node": ["$worker2"]})],
            "0: it cannot be healed at 20 s, while step 2 (stop_node) lasts, from 10 to 30 s: $worker2 is back for",
        ),
        (
            [("cut_registry", 0, 30, {"how": "503"}), ("cut_registry", 20, 30, {})],
            "0: it cannot be healed at 30 s, while step 2 (cut_registry) lasts, from 20 to 50 s: the registry answers",
        ),
        (
            [("remove_image", 0, 30, {"image": "a"}), ("cut_registry", 20, 30, {})],
            "0: it cannot be healed at 30 s, while step 2 (cut_registry) lasts, from 20 to 50 s: the image is pulled",
        ),
    ],
)
def test_what_cannot_be_undone(steps: list[Any], expected: str) -> None:
    """Two faults of which one cannot be healed while the other lasts are refused before anything runs."""
    (problem,) = _steps(*steps)
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    "steps",
    [
        [("kill_node", 0, 20, _NODE), ("pause_node", 20, 20, _NODE)],
        [("kill_node", 0, 60, _NODE), ("pause_node", 10, 20, {"node": "$worker2"})],
        [("kill_node", 0, 60, _NODE), ("pause_node", 10, 20, {"node": ["$worker2", "$control-plane"]})],
        [("kill_node", 0, 60, {"node": "$any-worker"}), ("pause_node", 10, 20, {"node": "$any-worker"})],
        [("kill_node", 0, 60, _NODE), ("drain_node", 10, 20, _NODE)],
        [("kill_node", 0, 60, _NODE), ("reboot_node", 10, None, _NODE)],
        [("throttle", 0, 60, {"selector": "a", "cpu": 0.1}), ("throttle", 10, 20, {"selector": "a", "cpu": 0.5})],
        [("scale_to_zero", 0, 60, {}), ("scale_to_zero", 10, 80, {})],
        [("remove_image", 0, 60, {"image": "a"}), ("cut_registry", 20, 30, {})],
        [
            ("cut_registry", 0, 30, {"how": "drop", "nodes": ["$worker"]}),
            ("cut_registry", 9, 30, {"how": "drop", "nodes": ["$worker2"]}),
        ],
    ],
    ids=str,
)
def test_what_can_be_undone(steps: list[Any]) -> None:
    """Faults that follow each other, are elsewhere, or may overlap, are taken."""
    assert _steps(*steps) == []


@pytest.mark.parametrize("nodes", [5, "a", {"a": 1}, [[1]], None])
def test_parameters_that_are_nonsense(nodes: Any) -> None:
    """What the catalogue will refuse breaks nothing here."""
    values = {"how": "drop", "nodes": nodes}
    assert len(_steps(("cut_registry", 0, 30, values), ("cut_registry", 9, 30, values))) == 1
    assert _steps(("kill_node", 0, 30, {"node": nodes}), ("kill_node", 9, 30, {"node": nodes})) == []


def test_what_is_not_known_is_not_refused() -> None:
    """A step that waits for a trigger, or for another step, may come when the other one is over."""
    first = {"fault": "kill_node", "id": "a", "at": 0, "lasts": 60, "with": _NODE}
    for begin in ({"when": {"kind": "Pod"}}, {"after": "a", "delay": 70}):
        second = {"fault": "kill_node", "lasts": 10, "with": _NODE, **begin}
        assert list(problems_of_time({"faults": [first, second]})) == []
