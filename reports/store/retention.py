"""Retention: forgets old runs, and never one with a verdict that today's checks would still count."""

from dataclasses import dataclass

from chaos_harness.harness import judging
from chaos_harness.reports.store.database import Database
from chaos_harness.reports.store.schema import BY_RUN

__all__ = ["forget"]

_DAY_SECONDS = 86_400.0
_OLD = "SELECT run FROM runs WHERE started < ? AND ending <> 'running' ORDER BY started, run"
_JUDGED = "SELECT DISTINCT run, claim, judge FROM verdicts WHERE outcome <> 'broken' AND claim <> ''"
_UNUSED = (
    "DELETE FROM cells WHERE cell NOT IN (SELECT cell FROM verdicts UNION SELECT cell FROM experiments)",
    "DELETE FROM claims WHERE claim NOT IN (SELECT claim FROM verdicts)",
)


@dataclass(frozen=True)
class Forgotten:
    """The runs that were forgotten, and the old ones that stay because today's checks gave one of their verdicts."""

    runs: tuple[str, ...]
    evidence: tuple[str, ...]


def forget(database: Database, days: int, now: float) -> Forgotten:
    """Forget the runs that began more than so many days before this moment (unix seconds), but no evidence.

    Evidence is a run with a verdict whose digest is that of today's checks (`harness.judging.today`): the truth table
    counts it. A run that still runs, whose begin is not known, or began after `now` because a clock was wrong, stays.
    Raises StoreUnreadable if the database cannot be written.
    """
    old = [run for (run,) in database.rows(_OLD, now - days * _DAY_SECONDS)]
    judged = database.rows(_JUDGED)
    today = {claim: judging.today(claim) for claim in {claim for _, claim, _ in judged}}
    counting = {run for run, claim, judge in judged if judge == today[claim]}
    forgotten = [run for run in old if run not in counting]
    with database.transaction():
        for table in BY_RUN:
            database.rows(f"DELETE FROM {table} WHERE run IN (SELECT unnest(?::VARCHAR[]))", forgotten)  # noqa: S608 - the names are ours
        for statement in _UNUSED:
            database.rows(statement)
    return Forgotten(tuple(forgotten), tuple(run for run in old if run in counting))
