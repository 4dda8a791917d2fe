"""Deadline: time that is left, and the one place that sleeps."""

import time

import pytest

from chaos_harness.clusters import deadline
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from tests.fakes.clock import Clock

pytestmark = pytest.mark.usefixtures("real_pauses")


def test_remaining() -> None:
    """Time that is left is counted down and never negative."""
    assert 59 < Deadline.after(60, "it").remaining <= 60
    assert Deadline.after(-1, "it").remaining == 0.0


def test_within_is_never_later() -> None:
    """A deadline for a part is never later than the whole."""
    whole = Deadline.after(0.5, "the whole")
    assert whole.within(60, "a part").expires <= whole.expires + 0.001
    assert whole.within(0.1, "a part").expires < whole.expires


def test_error() -> None:
    """The error says for how long what was expected, and what was seen last."""
    error = Deadline.after(30, "a Ready pod").error("Pod a: Pending")
    assert str(error) == "waited 30 s for a Ready pod; last seen: Pod a: Pending"
    assert str(Deadline.after(30, "a Ready pod").error()) == "waited 30 s for a Ready pod"


def test_check() -> None:
    """`check` raises when no time is left, and only then."""
    Deadline.after(60, "it").check()
    with pytest.raises(DeadlineExceeded, match="last seen: nothing"):
        Deadline.after(0, "it").check("nothing")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(deadline, "time", clock)
    return clock


def test_attempts_pause_longer_and_longer(clock: Clock) -> None:
    """The pauses between attempts double up to the longest."""
    list(Deadline.after(0.875, "it").attempts(first=0.125, most=0.25))
    assert clock.slept == [0.125, 0.25, 0.25, 0.25]


def test_attempts_end_at_the_deadline(clock: Clock) -> None:
    """The last attempt is at the deadline, not a pause behind it."""
    times = [clock.now for _ in Deadline.after(0.75, "it").attempts(first=0.5, most=8)]
    assert times == [0, 0.5, 0.75]


def test_attempts_really_sleep() -> None:
    """The pauses are slept."""
    began = time.monotonic()
    assert list(Deadline.after(0.05, "it").attempts(first=1)) == [0, 1]
    assert time.monotonic() - began >= 0.05


def test_expired_deadline_gives_one_attempt() -> None:
    """There is always one attempt: what is asked at the last moment is still asked."""
    assert list(Deadline.after(0, "it").attempts()) == [0]
