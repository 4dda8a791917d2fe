"""Promises: the undos of one fault, journaled before the harm and done when it is healed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import CommandDenied, UndoDenied, UndoFailed
from chaos_harness.harness.undo.actions import Action, identity
from chaos_harness.harness.undo.denials import do_all
from chaos_harness.harness.undo.journal import Journal, Undo

__all__ = ["RegisteredUndo", "Undos", "merge_patches"]

_PLANES = ("control_plane", "others")


@dataclass(eq=False)
class RegisteredUndo:
    """One undo in the journal.

    `given` are the arguments that say what the target is restored to: first as registered, then as the undo was done.
    `kept`: nothing was done, because another fault keeps the target harmed in the same way. `moot`: nothing was done,
    because the target itself had been taken away.
    """

    number: int
    entry: Undo
    action: Action
    given: Mapping[str, Any]
    kept: bool = False
    moot: bool = False


class Undos:
    """The undos of one fault, or of one preparation."""

    def __init__(self, engine: Engine, journal: Journal) -> None:
        self._engine = engine
        self._journal = journal
        self._registered: list[RegisteredUndo] = []

    def register(self, action: Action, /, *, harm: Mapping[str, Any] | None = None, **arguments: Any) -> RegisteredUndo:
        """Journal that `action`, marked by `@undo`, undoes the harm that follows; it is on disk when this returns.

        With a `harm`, other faults may harm the same target at the same time, and the last one to heal restores the
        state from before the first: the arguments must describe that state (see `standing`). `harm` is what this fault
        does, in arguments of the same action; it is empty if all faults do the same. Raises HarnessError.
        """
        return self._register(action, Undo(identity(action), arguments, harm))

    def register_within(self, within: int | None, action: Action, /, **arguments: Any) -> RegisteredUndo:
        """Journal an undo of which nothing is left to do once the one of number `within` is done, if there is one.

        That one takes the target itself away (see `numbered`). Raises HarnessError.
        """
        return self._register(action, Undo(identity(action), arguments, within=within))

    def standing(self, action: Action, /, **target: Any) -> list[Undo]:
        """Return all pending undos by `action` of a target, oldest first, of any fault: the target is harmed already.

        Their arguments describe the state before the harm; the state that can be read now is harmed.
        """
        return list(self.numbered(action, **target).values())

    def numbered(self, action: Action, /, **target: Any) -> dict[int, Undo]:
        """Return what `standing` returns, by the numbers in the journal."""
        entries = self._journal.pending_with(identity(action))
        return {number: entry for number, entry in entries.items() if target.items() <= dict(entry.arguments).items()}

    def run(self, *, patient: bool = False) -> None:
        """Do all registered undos that are not done, newest first, and note them in the journal.

        If another fault still harms the same target, its harm is left in place, or put there. Every undo is tried, and
        if they are `patient`, again if policies denied it that others may delete; then UndoFailed lists all that failed
        or could not be noted. It is UndoDenied if policies denied all of these.
        """
        failed = [error for _, error in do_all(self._registered[::-1], self._do, patient=patient)]
        if not failed:
            return
        problems = "\n".join(f"{type(error).__name__}: {error}" for error in failed)
        undos = f"{len(failed)} undos" if len(failed) > 1 else "an undo"
        said = f"{undos} could not be done or noted:\n{problems}\n`{command_line('gc')}` tries again"
        denied = [error.by for error in failed if isinstance(error, CommandDenied)]
        if len(denied) == len(failed):
            raise UndoDenied(said, by=", ".join(dict.fromkeys(denied))) from failed[0]
        raise UndoFailed(said) from failed[0]

    def _register(self, action: Action, entry: Undo) -> RegisteredUndo:
        promise = RegisteredUndo(self._journal.record(entry), entry, action, entry.arguments)
        self._registered.append(promise)
        return promise

    def _do(self, promise: RegisteredUndo) -> None:
        arguments = _adjust_to_others(self._journal, promise.number, promise.entry)
        promise.moot = self._journal.is_moot(promise.entry)
        if arguments is None or promise.moot:
            promise.kept = arguments is None
        else:
            promise.action(self._engine, **arguments)
            promise.given = arguments
        self._journal.done(promise.number)
        self._registered.remove(promise)


def merge_patches(into: Any, patch: Any) -> Any:
    """Return two merge patches as one; the second takes precedence, and a field that it removes stays null."""
    if not isinstance(into, Mapping) or not isinstance(patch, Mapping):
        return patch
    return {**into, **{name: merge_patches(into.get(name), value) for name, value in patch.items()}}


def _adjust_to_others(journal: Journal, number: int, entry: Undo) -> Mapping[str, Any] | None:
    """Return the arguments for an undo whose target others may still harm; None if another one does the same harm."""
    if entry.harm is None:
        return entry.arguments
    free = (*_PLANES, *entry.harm)
    target = {name: value for name, value in entry.arguments.items() if name not in free}
    others = [
        undo
        for other, undo in journal.pending_with(entry.action).items()
        if other != number and undo.harm is not None and target.items() <= dict(undo.arguments).items()
    ]
    if others and not entry.harm:
        return None
    return reduce(merge_patches, (undo.harm for undo in others), entry.arguments)
