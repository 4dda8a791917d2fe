"""Queries: what the store says of its runs; who reads takes no lock and delays nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.harness.errors import BadScenario, StoreUnreadable
from chaos_harness.reports.store.database import Database, open_database
from chaos_harness.reports.store.schema import SCHEMA, schema_of

__all__ = ["RunSummary", "read_store", "summaries"]

_SUMMARIES = """
SELECT r.run, r.name, r.project_commit, r.ending, r.started,
       coalesce(string_agg(DISTINCT c.kubernetes, ' ' ORDER BY c.kubernetes), ''),
       coalesce(string_agg(DISTINCT c.gatekeeper, ' ' ORDER BY c.gatekeeper), ''),
       count(DISTINCT v.cell),
       count(*) FILTER (v.outcome = 'holds'), count(*) FILTER (v.outcome = 'violated'),
       count(*) FILTER (v.outcome = 'inconclusive'), count(*) FILTER (v.outcome = 'broken'),
       count(*) FILTER (v.outcome IN ('holds', 'violated') AND (v.outcome <> v.expected OR v.surprise))
FROM runs r JOIN verdicts v USING (run) LEFT JOIN cells c ON c.cell = v.cell AND c.kubernetes <> 'none'
GROUP BY ALL ORDER BY r.started DESC NULLS LAST, r.run DESC
"""


@dataclass(frozen=True)
class RunSummary:
    """One run of the store: what it ran on, and how many verdicts came out how; `started` is unix seconds.

    `otherwise` counts verdicts that say the opposite of what was expected, or name another defect.
    """

    run: str
    name: str
    commit: str
    ending: str
    started: float | None
    kubernetes: str
    gatekeeper: str
    cells: int
    holds: int
    violated: int
    inconclusive: int
    broken: int
    otherwise: int


@contextmanager
def read_store(store: Path) -> Iterator[Database]:
    """Give who reads the store its database as it is now; an importer may replace the file meanwhile.

    Raises BadScenario, with the next command, if there is none, it is damaged, or another harness wrote it.
    """
    if not store.is_file():
        raise BadScenario(f"{store}: no store of runs; `chaos-harness store import RUN` begins one")
    try:
        with open_database(store) as database:
            schema = schema_of(database)
            if schema < SCHEMA:
                raise BadScenario(
                    f"{store}: schema {schema}, this harness reads {SCHEMA}: `chaos-harness store import` brings it up"
                )
            if schema > SCHEMA:
                raise BadScenario(
                    f"{store}: schema {schema}, which a later harness wrote; this one reads {SCHEMA}: use that harness"
                )
            yield database
    except StoreUnreadable as error:
        raise BadScenario(
            f"{error}; `chaos-harness store import RUN` sets the file aside, and begins a new one"
        ) from error


def summaries(database: Database) -> list[RunSummary]:
    """Return all runs, the latest first."""
    return [RunSummary(*row) for row in database.rows(_SUMMARIES)]
