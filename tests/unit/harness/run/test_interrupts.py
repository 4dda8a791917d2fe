"""Interruption: an interrupt is found behind the errors that came after it."""

import pytest

from chaos_harness.harness.errors import ProbeBroken, UndoFailed
from chaos_harness.harness.run.interrupts import hides_interrupt


def _raised(*errors: BaseException) -> BaseException:
    """Return what is seen of errors each of which is raised while the one before it is under way."""
    seen = errors[0]
    for error in errors[1:]:
        with pytest.raises(type(error)) as caught:
            _fail_to_end(seen, error)
        seen = caught.value
    return seen


def _fail_to_end(first: BaseException, then: BaseException) -> None:
    try:
        raise first
    finally:
        raise then


@pytest.mark.parametrize(
    "errors",
    [
        [KeyboardInterrupt()],
        [KeyboardInterrupt(), ProbeBroken("late")],
        [KeyboardInterrupt(), ProbeBroken("late"), UndoFailed("gone")],
        [OSError("full"), KeyboardInterrupt(), UndoFailed("gone")],
        [BaseExceptionGroup("two", [KeyboardInterrupt(), ProbeBroken("late")]), UndoFailed("gone")],
    ],
)
def test_hidden(errors: list[BaseException]) -> None:
    """Errors of the healing do not hide the interrupt that it followed."""
    assert hides_interrupt(_raised(*errors))


@pytest.mark.parametrize("errors", [[ProbeBroken("late")], [OSError("full"), UndoFailed("gone")], [SystemExit(1)]])
def test_none(errors: list[BaseException]) -> None:
    """A chain of errors without an interrupt is no interrupt, however long it is."""
    assert not hides_interrupt(_raised(*errors))


def test_circle() -> None:
    """Errors that are each other's cause are gone through once."""
    one, other = ProbeBroken("late"), UndoFailed("gone")
    one.__cause__, other.__cause__ = other, one
    assert not hides_interrupt(one)
