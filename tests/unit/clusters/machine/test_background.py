"""Tests of clusters.machine.background: work in a thread whose failure is not lost."""

import threading

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded
from chaos_harness.clusters.machine.background import BackgroundTask


def fail() -> None:
    raise CommandFailed("kind ended with status 1")


def test_work_goes_on_while_its_beginner_does_other_things() -> None:
    """It has begun when the constructor returns, and is done when it has ended."""
    go_on = threading.Event()
    work = BackgroundTask(go_on.wait, "kind")
    assert not work.done
    work.check()
    go_on.set()
    work.finish(Deadline.after(5, "the work"))
    assert work.done


def test_what_the_work_raised_is_raised_where_it_is_waited_for() -> None:
    """By finish, and afterwards by every check."""
    work = BackgroundTask(fail, "kind")
    with pytest.raises(CommandFailed, match="status 1"):
        work.finish(Deadline.after(5, "the work"))
    with pytest.raises(CommandFailed, match="status 1"):
        work.check()


def test_work_that_does_not_end_in_time_is_told() -> None:
    """The deadline's error names it."""
    go_on = threading.Event()
    work = BackgroundTask(go_on.wait, "kind")
    with pytest.raises(DeadlineExceeded, match="kind still running"):
        work.finish(Deadline.after(0.05, "the work"))
    go_on.set()
    work.finish(Deadline.after(5, "the work"))
