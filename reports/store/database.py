"""Database: the one module that opens DuckDB's files, and makes its errors ours."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from chaos_harness.clusters.terminal.escape import first_line
from chaos_harness.harness.errors import BadScenario, StoreUnreadable

__all__ = ["Database", "is_database", "open_database"]

_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "default_block_size": "16384",
    "enable_external_access": "false",
    "memory_limit": "1GB",
    "threads": "2",
}
"""Nothing is downloaded, a small store is a small file, and somebody else's file cannot make it read other files."""

_TABLES = "SELECT table_name FROM duckdb_tables() ORDER BY table_name"


class Database:
    """An open database; `path` is None if it is in memory."""

    def __init__(self, connection: Any, path: Path | None, errors: type[Exception]) -> None:
        self._connection = connection
        self._path = path
        self._errors = errors

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raises StoreUnreadable if what it needs of the file is damaged."""
        try:
            found: list[tuple[Any, ...]] = self._connection.execute(sql, parameters).fetchall()
        except self._errors as error:
            raise _failed(self._path, error) from error
        return found

    def value(self, sql: str, *parameters: object) -> Any:
        """Return the first value of the first row, or None without a row; raises as `rows` does."""
        found = self.rows(sql, *parameters)
        return found[0][0] if found else None

    def insert(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Add rows to a table, in the order of its columns: one statement for all of them, which is a column a list.

        Raises StoreUnreadable if the database cannot be written, as when the disk is full.
        """
        if rows:
            types = [column[1] for column in self.rows(f"DESCRIBE {table}")]
            columns = ", ".join(f"unnest(?::{type_}[])" for type_ in types)
            self.rows(f"INSERT INTO {table} SELECT {columns}", *map(list, zip(*rows, strict=True)))

    def tables(self) -> list[str]:
        """Return the names of all tables."""
        return [name for (name,) in self.rows(_TABLES)]

    def verify(self) -> None:
        """Read every value of every table. Raises StoreUnreadable if one is damaged."""
        for table in self.tables():
            self.rows(f"SELECT bit_xor(hash(t)) FROM {table} t")  # noqa: S608 - the name is one of ours

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep what is done in the block, or, after an error, nothing of it."""
        self.rows("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self.rows("COMMIT")


@contextmanager
def open_database(path: Path | None, *, write: bool = False) -> Iterator[Database]:
    """Open a database file, or one in memory (None), which is closed after the block.

    Raises BadScenario if DuckDB is not installed, with the command; StoreUnreadable if the file cannot be used.
    """
    duckdb = _library()
    place = ":memory:" if path is None else str(path)
    try:
        connection = duckdb.connect(place, read_only=path is not None and not write, config=_SETTINGS)
    except duckdb.Error as error:
        raise _failed(path, error) from error
    try:
        yield Database(connection, path, duckdb.Error)
    except BaseException:
        connection.close()
        raise
    try:
        connection.close()
    except duckdb.Error as error:
        raise _failed(path, error) from error


def is_database(path: Path) -> bool:
    """Whether a file begins as one of DuckDB's, readable or not."""
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == b"DUCK"
    except OSError:
        return False


def _library() -> ModuleType:
    try:
        return import_module("duckdb")  # 66 MB, which only those load who compare runs
    except ImportError as error:
        raise BadScenario(
            'the store of runs needs DuckDB: `pip install "chaos-harness[store]"` installs it; runs and reports do not'
        ) from error


def _failed(path: Path | None, error: Exception) -> StoreUnreadable:
    return StoreUnreadable(f"{path or 'the database in memory'}: {first_line(str(error))}")
