"""Retrying: what is done again, after which pauses, for how long, and what is told of it."""

import logging
from collections.abc import Callable

import pytest

from chaos_harness.clusters import deadline as deadline_module
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused, BadScenario, CommandFailed, DeadlineExceeded
from chaos_harness.clusters.retrying import retry
from tests.fakes.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(deadline_module, "time", clock)
    return clock


def passing(error: Exception) -> bool:
    return isinstance(error, CommandFailed | ApiRefused)


def refused(*errors: BaseException) -> Callable[[], str]:
    """Return an action that raises these errors, one an attempt, and then succeeds."""
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return action


def test_what_is_refused_for_a_passing_reason_is_done_again(clock: Clock) -> None:
    """The outcome is the action's; the pauses double up to the longest."""
    action = refused(*[CommandFailed("busy")] * 4)
    assert retry(action, Deadline.after(60, "it"), passes=passing, first=0.125, most=0.25) == "done"
    assert clock.slept == [0.125, 0.25, 0.25, 0.25]


def test_a_server_is_left_alone_for_as_long_as_it_asks(clock: Clock) -> None:
    """Retry-After makes a pause longer, never shorter."""
    action = refused(ApiRefused(429, "no", retry_after=7.0), ApiRefused(503, "no", retry_after=0.0))
    retry(action, Deadline.after(60, "it"), passes=passing, first=0.5)
    assert clock.slept == [7.0, 1.0]


def test_no_pause_goes_past_the_deadline(clock: Clock) -> None:
    """Whatever the server asks for, the last attempt is at the deadline, and the line before says so."""
    lines: list[str] = []
    action = refused(*[ApiRefused(429, "no", retry_after=3600.0)] * 2)
    with pytest.raises(DeadlineExceeded):
        retry(action, Deadline.after(10, "it"), passes=passing, say=lines.append)
    assert clock.slept == [10.0]
    assert lines == ["   it: attempt 1 refused, next in 10.0 s: the API server: 429 no"]


def test_another_error_is_raised_as_it_is(clock: Clock) -> None:
    """What does not pass is no matter of patience."""
    error = BadScenario("no such thing")
    with pytest.raises(BadScenario) as caught:
        retry(refused(error), Deadline.after(60, "it"), passes=passing)
    assert (caught.value, clock.slept) == (error, [])


def test_an_interrupt_is_never_asked_about(clock: Clock) -> None:
    """Ctrl-C, which tenacity catches, too, goes on, whatever `passes` says."""
    with pytest.raises(KeyboardInterrupt):
        retry(refused(KeyboardInterrupt()), Deadline.after(60, "it"), passes=lambda _: True)
    assert clock.slept == []


def test_an_expired_deadline_gives_one_attempt(clock: Clock) -> None:
    """What is asked at the last moment is still asked."""
    assert retry(refused(), Deadline.after(0, "it"), passes=passing) == "done"
    with pytest.raises(DeadlineExceeded):
        retry(refused(CommandFailed("busy")), Deadline.after(0, "it"), passes=passing)
    assert clock.slept == []


def test_the_error_says_what_was_refused_last_and_how_often(clock: Clock) -> None:
    """The last refusal is also the cause."""
    errors = CommandFailed("first"), CommandFailed("second"), CommandFailed("third")
    said = r"^waited 3 s for it; last seen: third \(attempts: 3, in .* s\)$"
    with pytest.raises(DeadlineExceeded, match=said) as error:
        retry(refused(*errors), Deadline.after(3, "it"), passes=passing, first=1.0, most=2.0)
    assert error.value.__cause__ is errors[-1]


def test_each_retry_is_told(clock: Clock) -> None:
    """A line before each pause and one at the end, safe for a terminal; nothing if the first attempt succeeds."""
    lines: list[str] = []
    retry(refused(), Deadline.after(60, "the pull"), passes=passing, say=lines.append)
    assert lines == []
    action = refused(CommandFailed("docker:\nbusy\x1b[2J"))
    retry(action, Deadline.after(60, "the pull"), passes=passing, first=0.5, say=lines.append)
    assert lines[0] == "   the pull: attempt 1 refused, next in 0.5 s: busy\\x1b[2J"
    assert lines[1].startswith("   the pull: succeeded at attempt 2, after ")
    assert len(lines) == 2


def test_it_is_told_to_the_log_unless_somebody_listens(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The log is named after the module, so that it can be switched on alone."""
    with caplog.at_level(logging.INFO, logger="chaos_harness.clusters.retrying"):
        retry(refused(CommandFailed("100% busy")), Deadline.after(60, "the pull"), passes=passing)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "   the pull: attempt 1 refused",
        "   the pull: succeeded at attempt 2",
    ]
    assert "100% busy" in caplog.records[0].getMessage()
