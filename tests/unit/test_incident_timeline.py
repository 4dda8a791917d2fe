"""Timeline: how long it is, how long it can become, and what is left when a step is taken out."""

import pytest

from harness.incident.model import Step, Trigger
from harness.incident.timeline import longest, rewired

_STEPS = [
    Step(fault="cut", id="cut", at=10.0, lasts=60.0),
    Step(fault="kill", id="kill", after="cut", delay=5.0),
    Step(fault="pause", after="kill", delay=2.0, lasts=100.0),
]


def test_longest() -> None:
    """Steps after others add up; a trigger counts with all the time that it may take."""
    assert longest(_STEPS, None) == 10 + 5 + 2 + 100
    assert longest(_STEPS, 500.0) == 500
    assert longest([Step(fault="cut", when=Trigger(kind="Pod", within=90.0), lasts=20.0)], None) == 110


@pytest.mark.parametrize("removed", [0, 1, 2])
def test_rewired(removed: int) -> None:
    """When a step is taken out, the others keep their order and begin when they would have begun."""
    left = rewired(_STEPS, removed)

    assert [step.fault for step in left] == [step.fault for step in _STEPS if step is not _STEPS[removed]]
    assert longest(left, None) == {0: 117, 1: 117, 2: 70}[removed]


def test_rewired_behind_a_trigger() -> None:
    """A step that came after a triggered one waits for the same trigger."""
    trigger = Trigger(kind="Pod")
    (left,) = rewired([Step(fault="cut", id="a", when=trigger, delay=1.0), Step(fault="kill", after="a", delay=2.0)], 0)

    assert (left.when, left.after, left.delay) == (trigger, None, 3.0)
