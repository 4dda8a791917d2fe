"""Importer: brings runs into the store, one importer at a time, so that neither a kill nor a full disk loses any."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.harness import private
from chaos_harness.harness.errors import BadScenario, HarnessError, StoreUnreadable
from chaos_harness.reports.store.database import Database, is_database, open_database
from chaos_harness.reports.store.history_rows import history_rows
from chaos_harness.reports.store.run_files import StoredRun, digest_of, find_runs, read_runs
from chaos_harness.reports.store.schema import BY_HISTORY, BY_RUN, SCHEMA, migrate

__all__ = ["add_runs", "change_store", "import_runs", "read_places"]

_SECONDS = 600.0
_OF_RUNS = ("cells", "claims", "experiments", "verdicts", "figures")
_KEYS = {"cells": "cell", "claims": "claim"}
"""The tables whose rows several runs share, and by which column; the first run that has a row gives it."""

Say = Callable[[str], object]


@dataclass(frozen=True)
class Imported:
    """What became of a run, or of a directory that could not be read (`run` is its path): why, if it was refused."""

    run: str
    outcome: Literal["new", "grown", "already there", "refused"]
    verdicts: int = 0
    why: str = ""


def import_runs(
    store: Path, places: Sequence[Path], say: Say, clock: Callable[[], float] = time.time
) -> list[Imported]:
    """Bring the runs of these directories, or below them, into the store; return what became of each.

    A run that is there is left as it is, and replaced if it went on since. One by the same id with other verdicts is
    refused, and so is what cannot be read below a directory. Raises BadScenario, with all problems and before anything
    is changed, if a place has no run, or is a run that cannot be read.
    """
    runs, refused = read_places(places, say)
    results = list(refused)
    with change_store(store, say) as database:
        for run in runs:
            with database.transaction():
                results.append(_add_run(database, run, clock()))
                if results[-1].outcome in ("new", "grown"):
                    _add_histories(database, run, say)
    return results


@contextmanager
def change_store(store: Path, say: Say) -> Iterator[Database]:
    """Give who changes the store a copy of it, which takes its place after the block, complete or not at all.

    One process at a time; who reads the store meanwhile reads what it was. A store that is damaged is set aside, which
    `say` is told, and an empty one begins. Raises DeadlineExceeded if another process changes the store for ten
    minutes, HarnessError if it cannot be written: then it is as it was.
    """
    store = store.absolute()
    name = f"store-{hashlib.sha256(os.fsencode(store)).hexdigest()[:16]}"
    with hold_lock(name, Deadline.after(_SECONDS, f"another importer to be done with {store}")):
        private.directory(store.parent)
        for left in store.parent.glob(f".{store.name}-*"):
            try_remove_folder(left)  # by an importer that was killed
        with tempfile.TemporaryDirectory(prefix=f".{store.name}-", dir=store.parent) as folder:
            copy = Path(folder, store.name)
            before = _copy(store, copy, say)
            try:
                with open_database(copy, write=True) as database:
                    migrate(database, store)
                    yield database
                    database.rows("CHECKPOINT")
            except StoreUnreadable as error:
                raise HarnessError(f"{store} could not be changed, and is as it was: {error}") from error
            _replace(copy, store, before)


def read_places(places: Sequence[Path], say: Say) -> tuple[list[StoredRun], list[Imported]]:
    """Return the runs in these directories, or below them, each once, and what below them could not be read.

    Raises BadScenario with all problems if a place has no run, or is a run that cannot be read, or if one run is there
    twice with other verdicts.
    """
    runs: dict[str, StoredRun] = {}
    refused, problems = [], []
    for place in places:
        folders = find_runs(place)
        if not folders:
            problems.append(f"{place}: no run, and none below it: `ls -d reports/out/*` shows runs")
        for folder in folders:
            try:
                found = read_runs(folder)
            except BadScenario as error:
                if folder == place:
                    problems.append(str(error))
                else:
                    refused.append(Imported(str(folder), "refused", why=str(error)))
                continue
            for run in found:
                _warn(run, say)
                known = runs.get(run.id)
                if known is None or len(known.lines) < len(run.lines):
                    runs[run.id], known = run, known or run
                if not _begins_alike(known, run):
                    problems.append(f"{folder}: run {run.id} is there twice, with other verdicts in another directory")
    if problems:
        raise BadScenario(problems)
    return list(runs.values()), refused


def _warn(run: StoredRun, say: Say) -> None:
    for problem in run.problems:
        say(f"{run.id}: verdicts only, for a history cannot be read: {problem}")
    if run.head["ending"] == "running":
        say(f"{run.id}: it still runs; {len(run.lines)} verdicts so far: import it again when it has ended")


def _begins_alike(one: StoredRun, other: StoredRun) -> bool:
    both = min(len(one.lines), len(other.lines))
    return one.lines[:both] == other.lines[:both]


def add_runs(database: Database, runs: Sequence[StoredRun], now: float) -> None:
    """Add runs at this moment (unix seconds), each with another id and none of them there: one statement a table.

    Raises StoreUnreadable if the database cannot be written.
    """
    for table in _OF_RUNS:
        rows = [row for run in runs for row in run.rows[table]]
        if column := _KEYS.get(table):
            there = {key for (key,) in database.rows(f"SELECT {column} FROM {table}")}  # noqa: S608 - the names are ours
            first: dict[object, tuple[object, ...]] = {}
            for row in rows:
                first.setdefault(row[0], row)
            rows = [row for key, row in first.items() if key not in there]
        database.insert(table, rows)
    database.insert("runs", [run.row(now) for run in runs])


def _add_run(database: Database, run: StoredRun, now: float) -> Imported:
    """Add a run at this moment (unix seconds), if it is not there or went on since; return what became of it.

    One that came in for an earlier schema, and whose histories can all be read still, comes in again.
    """
    count = len(run.lines)
    known = database.rows("SELECT lines, digest, read_as, ending, ended FROM runs WHERE run = ?", run.id)
    if known:
        lines, digest, read_as, *ending = known[0]
        if count < lines or digest_of(run.lines[:lines]) != digest:
            why = f"the store has {lines} verdicts of it that are not the first {lines} of these {count}"
            return Imported(run.id, "refused", why=why)
        whole = read_as == SCHEMA or run.problems or not run.histories
        if count == lines and whole and ending == [run.head["ending"], run.head["ended"]]:
            return Imported(run.id, "already there", count)
        for table in BY_RUN:
            database.rows(f"DELETE FROM {table} WHERE run = ?", run.id)  # noqa: S608 - the names are ours
    add_runs(database, [run], now)
    return Imported(run.id, "grown" if known else "new", count)


def _add_histories(database: Database, run: StoredRun, say: Say) -> None:
    """Add what the histories of a run say beside its verdicts; `say` is told of one that breaks off."""
    for path, recorded in run.histories.items():
        try:
            of_history = history_rows(recorded)
        except HarnessError as error:
            say(f"{run.id}: without the phases and windows of {path}: {error}")
            continue
        for table in BY_HISTORY:
            database.insert(table, [(run.id, path, *row) for row in getattr(of_history, table)])


def _copy(store: Path, copy: Path, say: Say) -> tuple[int, int] | None:
    """Copy the store, if there is one that can be read; return what distinguishes it from a later one.

    One that is damaged is set aside. Raises BadScenario for a file that never was a store.
    """
    if not store.exists():
        return None
    if not is_database(store):
        raise BadScenario(f"{store}: expected a store, or no file, found another kind of file; it is left as it is")
    shutil.copyfile(store, copy)
    try:
        with open_database(copy) as database:
            database.verify()
    except StoreUnreadable as error:
        aside = store.with_name(f"{store.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
        store.rename(aside)
        copy.unlink()
        say(f"{store}: damaged ({error}); it is kept as {aside}, and a new store begins: import its runs again")
        return None
    return _identity(store)


def _identity(store: Path) -> tuple[int, int] | None:
    if not store.exists():
        return None
    status = store.stat()
    return status.st_ino, status.st_mtime_ns


def _replace(copy: Path, store: Path, before: tuple[int, int] | None) -> None:
    copy.chmod(0o600)
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    if _identity(store) != before:
        raise HarnessError(f"{store}: somebody else changed it meanwhile, on another machine: import the runs again")
    copy.replace(store)
