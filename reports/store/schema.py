"""Schema: the tables of the store, and the steps by which an older store gets those of today."""

from collections.abc import Sequence
from pathlib import Path

from chaos_harness.harness.errors import BadScenario
from chaos_harness.reports.store.database import Database

__all__ = ["BY_HISTORY", "BY_RUN", "MIGRATIONS", "SCHEMA", "migrate", "schema_of"]

BY_HISTORY = ("phases", "windows", "coverage")
"""The tables with what histories say beside verdicts."""

BY_RUN = (*BY_HISTORY, "figures", "verdicts", "experiments", "runs")
"""The tables with rows of a run, in the order in which those go."""

_FIRST = """
CREATE TABLE store (schema INTEGER NOT NULL);
INSERT INTO store VALUES (0);
CREATE TABLE runs (
    run VARCHAR PRIMARY KEY, name VARCHAR, project_commit VARCHAR, harness VARCHAR, host VARCHAR, ending VARCHAR,
    started DOUBLE, ended DOUBLE, status INTEGER, chosen INTEGER, lines INTEGER, digest VARCHAR, imported DOUBLE
);
CREATE TABLE cells (
    cell VARCHAR PRIMARY KEY, kubernetes VARCHAR, gatekeeper VARCHAR, install VARCHAR, own VARCHAR,
    control_planes INTEGER, workers INTEGER, shape VARCHAR
);
CREATE TABLE experiments (
    run VARCHAR, history VARCHAR, cell VARCHAR, seed BIGINT, seconds DOUBLE, started DOUBLE, complete BOOLEAN,
    history_schema INTEGER, harness VARCHAR, problem VARCHAR
);
CREATE TABLE claims (claim VARCHAR PRIMARY KEY, name VARCHAR);
CREATE TABLE verdicts (
    run VARCHAR, number INTEGER, test VARCHAR, claim VARCHAR, cell VARCHAR, history VARCHAR, expected VARCHAR,
    outcome VARCHAR, issue VARCHAR, surprise BOOLEAN, broken VARCHAR, judge VARCHAR, known VARCHAR, because VARCHAR,
    decided DOUBLE, until DOUBLE, seed BIGINT, seconds DOUBLE, summary VARCHAR
);
CREATE TABLE figures (run VARCHAR, number INTEGER, figure VARCHAR, value DOUBLE);
"""

_SEEN = """
CREATE TABLE phases (
    run VARCHAR, history VARCHAR, number INTEGER, phase VARCHAR, began DOUBLE, ended DOUBLE
);
CREATE TABLE windows (
    run VARCHAR, history VARCHAR, fault VARCHAR, name VARCHAR, one_shot BOOLEAN, injected DOUBLE, proved DOUBLE,
    healing DOUBLE, undone DOUBLE, healed DOUBLE, given_up DOUBLE
);
CREATE TABLE coverage (
    run VARCHAR, history VARCHAR, stream VARCHAR, seen DOUBLE, known DOUBLE, longest_unseen DOUBLE, every DOUBLE
);
ALTER TABLE runs ADD COLUMN read_as INTEGER DEFAULT 1;
"""
"""Moments are seconds of a history. `read_as` is the schema of the store for which a run's histories were read."""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SEEN)
"""The step to each schema from the one before it; a step that was ever used is never changed."""

SCHEMA = len(MIGRATIONS)
"""The schema of today."""


def schema_of(database: Database) -> int:
    """Return the schema of a database; 0 for an empty one."""
    return int(database.value("SELECT schema FROM store")) if "store" in database.tables() else 0


def migrate(database: Database, path: Path, migrations: Sequence[str] = MIGRATIONS) -> int:
    """Give a database the tables of today, and return the schema that it had.

    Raises BadScenario if a later harness wrote it.
    """
    before = schema_of(database)
    if before > len(migrations):
        raise BadScenario(
            f"{path}: schema {before}, which a later harness wrote; this one knows {len(migrations)} at most: use that "
            f"harness, or `--store` with another file"
        )
    for step in migrations[before:]:
        database.rows(step)
    database.rows("UPDATE store SET schema = ?", len(migrations))
    return before
