"""Ending: steps that are all tried at an end, whatever becomes of the others."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

__all__ = ["CleanupStack", "raise_first"]

_Entered = TypeVar("_Entered")


class CleanupStack:
    """What is to be done at an end, newest first; one step that fails does not keep another from being tried."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def callback(self, step: Callable[[], object]) -> None:
        """Do `step` at the end."""
        self._steps.append(step)

    def enter_context(self, context: AbstractContextManager[_Entered]) -> _Entered:
        """Enter `context` now and leave it at the end, as a block does that was gone through well; return its value."""
        value = context.__enter__()
        self._steps.append(lambda: context.__exit__(None, None, None))
        return value

    def close(self) -> None:
        """Do all steps. Raises the first error, with the others in its notes (`raise_first`)."""
        errors: list[BaseException] = []
        while self._steps:
            step = self._steps.pop()
            try:
                step()
            except BaseException as error:  # noqa: BLE001 - raised when all steps were tried
                errors.append(error)
        raise_first(errors)


def raise_first(errors: Sequence[BaseException]) -> None:
    """Raise the first of `errors`, if there is one, with what the others say in its notes.

    An interrupt among them is raised before any other: whoever stopped the run must not be taken for a failure.
    """
    if not errors:
        return
    first = next((error for error in errors if not isinstance(error, Exception)), errors[0])
    said = {str(first)}
    for other in errors:
        if other is not first and str(other) not in said:
            said.add(str(other))
            notes = "".join(f"\n{note}" for note in getattr(other, "__notes__", ()))
            first.add_note(f"and besides: {type(other).__name__}: {other}{notes}")
    raise first
