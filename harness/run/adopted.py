"""Adopted: lends a cluster of the user's to a run, and heals what killed runs left broken on such clusters."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from chaos_harness.clusters.adoption.opening import open_adopted, what_changed, while_unused
from chaos_harness.clusters.adoption.record import Adoption, folder_of, records
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.garbage import JOURNAL
from chaos_harness.harness.errors import BadScenario, HarnessError, UndoFailed
from chaos_harness.harness.undo import journal

__all__ = ["borrow", "describe_pending", "heal", "heal_adopted"]

_SECONDS = 60.0


@contextmanager
def borrow(engine: Engine, adoption: Adoption, run: str, remarks: list[str]) -> Iterator[Cluster]:
    """Lend an adopted cluster to a run for the block; it is neither paused nor removed at the end.

    What could not be undone becomes a remark. Raises BadScenario if another process uses it, and what `open_adopted`
    raises.
    """
    with while_unused(adoption.name) as free:
        if not free:
            raise BadScenario(f"{adoption}: another run uses it now; one run at a time")
        cluster = open_adopted(engine, adoption, run)
        try:
            yield cluster
        finally:
            if pending := describe_pending(cluster.directory / JOURNAL):
                remarks.append(f"kind cluster {adoption.name}: {pending}; `{command_line('gc')}` tries again")


def describe_pending(path: Path) -> str | None:
    """Return a text about pending undos of an experiment, or None; a journal without any is removed."""
    try:
        undone = journal.pending(path) if path.exists() else []
        if not undone:
            path.unlink(missing_ok=True)
            return None
    except (HarnessError, OSError) as error:
        return str(error)
    return f"not undone: {', '.join(map(str, undone))}"


def heal_adopted(engine: Engine) -> list[str]:
    """Undo what killed runs left on adopted clusters of an engine, expired or not; return what was undone, as texts.

    A cluster that a run uses is left alone. Raises HarnessError with all that could not be undone, after the rest was.
    """
    undone, problems = [], []
    for adoption in records():
        if adoption.engine != engine.id or not (folder_of(adoption.name) / JOURNAL).exists():
            continue
        with while_unused(adoption.name) as free:
            try:
                undone += heal(engine, adoption) if free else []
            except HarnessError as error:
                problems.append(f"{adoption}: {error}")
    if problems:
        raise HarnessError("\n".join(problems))
    return undone


def heal(engine: Engine, adoption: Adoption) -> list[str]:
    """Undo what the journal of an adopted cluster holds, in no other containers than the recorded ones.

    What was done to containers that are all gone went with them. Raises UndoFailed with all that could not be undone.
    """
    path = folder_of(adoption.name) / JOURNAL
    pending = journal.pending(path) if path.exists() else []
    if not pending:
        path.unlink(missing_ok=True)
        return []
    changed = what_changed(engine, adoption, Deadline.after(_SECONDS, f"the containers of {adoption.name}"))
    if not changed.alive:
        path.unlink()
        return [f"on kind cluster {adoption.name}, with its containers ({changed}): {undo}" for undo in pending]
    try:
        undone = journal.replay(path, replace(engine, adopted=adoption.ids))
    except UndoFailed as error:
        if not (words := str(changed)):
            raise
        raise UndoFailed(f"{words}: these are not adopted, and nothing is done to them\n{error}") from error
    path.unlink(missing_ok=True)
    return [f"on kind cluster {adoption.name}: {words}" for words in undone]
