"""Schema: an older store gets today's tables and keeps its rows, and a later one is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.reports.store.database import Database, open_database
from chaos_harness.reports.store.queries import read_store
from chaos_harness.reports.store.schema import MIGRATIONS, SCHEMA, migrate, schema_of

_PLACE = Path("store.duckdb")
_NEXT = "ALTER TABLE claims ADD COLUMN group_name VARCHAR DEFAULT 'none'"


@pytest.fixture
def database() -> Iterator[Database]:
    """Return an empty database."""
    with open_database(None) as opened:
        yield opened


def test_an_empty_database_gets_all_tables(database: Database) -> None:
    """It had schema 0; a second time nothing is done."""
    assert (schema_of(database), migrate(database, _PLACE)) == (0, 0)
    of_histories = ["coverage", "phases", "windows"]
    others = ["cells", "claims", "experiments", "figures", "runs", "store", "verdicts"]
    assert database.tables() == sorted([*others, *of_histories])
    assert migrate(database, _PLACE) == SCHEMA == schema_of(database)


def test_each_step_is_done_once_and_keeps_rows(database: Database) -> None:
    """A store of today becomes one of tomorrow: only the new step is done."""
    migrate(database, _PLACE)
    database.insert("claims", [("undisturbed()", "pods are undisturbed")])
    assert migrate(database, _PLACE, (*MIGRATIONS, _NEXT)) == SCHEMA
    assert database.rows("SELECT * FROM claims") == [("undisturbed()", "pods are undisturbed", "none")]
    assert schema_of(database) == SCHEMA + 1


def test_a_later_schema_is_refused(database: Database) -> None:
    """Nothing of it is changed."""
    migrate(database, _PLACE, (*MIGRATIONS, _NEXT))
    with pytest.raises(BadScenario, match=rf"schema {SCHEMA + 1}, which a later harness wrote"):
        migrate(database, _PLACE)
    assert schema_of(database) == SCHEMA + 1


@pytest.mark.parametrize(("schema", "words"), [(SCHEMA - 1, "brings it up"), (SCHEMA + 1, "use that harness")])
def test_who_reads_says_what_to_do(tmp_path: Path, schema: int, words: str) -> None:
    """An older store needs an import, a later one its own harness."""
    store = tmp_path / "store.duckdb"
    with open_database(store, write=True) as opened:
        migrate(opened, store)
        opened.rows("UPDATE store SET schema = ?", schema)
    with pytest.raises(BadScenario, match=words), read_store(store):
        pass
