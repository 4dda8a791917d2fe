"""Clean-up: runs all steps at the end, even if some fail."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

__all__ = ["CleanupStack", "note_besides", "raise_first"]

_Entered = TypeVar("_Entered")


class CleanupStack:
    """Steps to run at the end, newest first; a step that fails does not stop the others."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def callback(self, step: Callable[[], object]) -> None:
        """Run `step` at the end."""
        self._steps.append(step)

    def enter_context(self, context: AbstractContextManager[_Entered]) -> _Entered:
        """Enter `context` now and exit it at the end, as after a block without an error; return its value."""
        value = context.__enter__()
        self._steps.append(lambda: context.__exit__(None, None, None))
        return value

    def close(self) -> None:
        """Run all steps. Raises the first error, with the others in its notes (`raise_first`)."""
        errors: list[BaseException] = []
        while self._steps:
            step = self._steps.pop()
            try:
                step()
            except BaseException as error:  # noqa: BLE001 - raised when all steps were tried
                errors.append(error)
        raise_first(errors)


def raise_first(errors: Sequence[BaseException]) -> None:
    """Raise the first of `errors`, if there is any, with the messages of the others in its notes.

    An interrupt comes before any other error: a run that was stopped must not look like a failure.
    """
    if not errors:
        return
    first = next((error for error in errors if not isinstance(error, Exception)), errors[0])
    note_besides(first, errors)
    raise first


def note_besides(first: BaseException, errors: Iterable[BaseException]) -> None:
    """Put what other errors say into the notes of the `first` one, each once."""
    said = {str(first)}
    for other in errors:
        if other is not first and str(other) not in said:
            said.add(str(other))
            notes = "".join(f"\n{note}" for note in getattr(other, "__notes__", ()))
            first.add_note(f"and besides: {type(other).__name__}: {other}{notes}")
