"""Promises: the undos of one fault, journalled before the harm and done when it heals."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from clusters.engine import Engine
from harness.errors import UndoFailed
from harness.undo.actions import Action, identity
from harness.undo.journal import Journal, Undo

__all__ = ["Undos", "merged", "standing"]

_PLANES = ("control_plane", "others")


class Undos:
    """What takes one fault's harm back."""

    def __init__(self) -> None:
        self._promised: list[tuple[int, Undo, Action]] = []

    @property
    def pending(self) -> bool:
        """Whether something is registered and not done yet."""
        return bool(self._promised)

    def register(
        self, journal: Journal, action: Action, /, *, harm: Mapping[str, Any] | None = None, **arguments: Any
    ) -> None:
        """Journal that `action`, marked by `@undo`, takes back what is about to be done; it is on the disk then.

        With a `harm`, other faults may harm the same target meanwhile, and whoever heals last gives back what was
        there before the first of them: the arguments say that (see `standing`). `harm` is what this fault does
        instead, in the undo's own arguments; it is empty if all do the same. Raises HarnessError.
        """
        entry = Undo(identity(action), arguments, harm)
        self._promised.append((journal.record(entry), entry, action))

    def run(self, engine: Engine, journal: Journal) -> list[Mapping[str, Any]]:
        """Do all that is registered and not done yet, newest first, and note it in the journal.

        Where another fault still harms the same target, what that one does is left, or put there. Returns the arguments
        of what was done. Every undo is tried before UndoFailed tells all that failed, or could not be noted.
        """
        done: list[Mapping[str, Any]] = []
        failed: list[Exception] = []
        for promise in reversed(self._promised[:]):
            number, entry, action = promise
            try:
                arguments = _beside_others(journal, number, entry)
                if arguments is not None:
                    action(engine, **arguments)
                    done.append(arguments)
                journal.done(number)
            except Exception as error:  # noqa: BLE001 - whatever it was, it must not keep the others from being tried
                failed.append(error)
            else:
                self._promised.remove(promise)
        if failed:
            problems = "\n".join(f"{type(error).__name__}: {error}" for error in failed)
            undos = f"{len(failed)} undos" if len(failed) > 1 else "an undo"
            raise UndoFailed(f"{undos} could not be done or noted:\n{problems}\n`nox -s gc` tries again") from failed[0]
        return done


def standing(journal: Journal, action: Action, /, **target: Any) -> list[Undo]:
    """Return the undos by `action` of a target that are not done, oldest first: it is harmed already.

    Their arguments say what was there before; what can be read of the target now is their harm.
    """
    return [
        each for each in journal.promised(identity(action)).values() if target.items() <= dict(each.arguments).items()
    ]


def merged(into: Any, patch: Any) -> Any:
    """Return two merge patches as one, by which the second counts more; what it takes out (null) stays in it."""
    if not isinstance(into, Mapping) or not isinstance(patch, Mapping):
        return patch
    return {**into, **{name: merged(into.get(name), value) for name, value in patch.items()}}


def _beside_others(journal: Journal, number: int, entry: Undo) -> Mapping[str, Any] | None:
    """Return the arguments with which to do an undo while others may harm its target, None if one does the same."""
    if entry.harm is None:
        return entry.arguments
    free = (*_PLANES, *entry.harm)
    target = {name: value for name, value in entry.arguments.items() if name not in free}
    others = [
        each
        for other, each in journal.promised(entry.action).items()
        if other != number and each.harm is not None and target.items() <= dict(each.arguments).items()
    ]
    if others and not entry.harm:
        return None
    return reduce(merged, (each.harm for each in others), entry.arguments)
