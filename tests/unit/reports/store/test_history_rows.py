"""History rows: phases, windows and what was seen come into the store with a run, and into one of an older schema."""

import json
from pathlib import Path

import pytest

from chaos_harness.reports.store.database import open_database
from chaos_harness.reports.store.history_rows import history_rows
from chaos_harness.reports.store.importer import change_store, import_runs
from chaos_harness.reports.store.queries import read_store
from chaos_harness.reports.store.schema import MIGRATIONS, SCHEMA, migrate
from tests.fakes.histories import HistoryBuilder
from tests.fakes.runs import RunFolder, verdict

_ID = "20261128T010203Z-abcd"


@pytest.fixture(autouse=True)
def own_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep locks in a place of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def _built() -> HistoryBuilder:
    built = HistoryBuilder().add(0.0, "mark", "experiment", "begin", "steady state")
    built.add(5.0, "mark", "experiment", "end", "steady state").add(5.0, "mark", "experiment", "begin", "fault")
    for second in range(20):
        if not 8 <= second < 14:
            seq = {"seq": second, "policy": "labels"}
            built.add(second + 0.1, "invoke", "canary 1", "create", seq)
            built.add(second + 0.2, "fail", "canary 1", "create", seq)
    return built.fault(6.0, 7.0, 12.0)


def _folder(place: Path) -> RunFolder:
    folder = RunFolder(place)
    folder.experiment("one", _built().recorded(), verdict(run=_ID, id="undisturbed()"))
    folder.state(ended=1_800_000_100.0, status=0)
    return folder


def test_what_a_history_says() -> None:
    """A phase that did not end has no end; a fault has its moments; six seconds without a question were not seen."""
    found = history_rows(_built().recorded())
    assert found.phases == [(0, "steady state", 0.0, 5.0), (1, "fault", 5.0, None)]
    assert found.windows == [("fault 1", "cut registry", False, 6.0, 7.0, 12.0, None, 12.0, None)]
    ((stream, seen, _known, longest_unseen, every),) = found.coverage
    assert (stream, every) == ("asked labels", pytest.approx(1.0, abs=0.1))
    assert seen == pytest.approx(13, abs=1.5)
    assert longest_unseen == pytest.approx(6, abs=1.5)


def test_they_come_in_with_the_run(tmp_path: Path) -> None:
    """Each row names its run and its history; the second import adds nothing."""
    store, folder = tmp_path / "store.duckdb", _folder(tmp_path / "a")
    for _ in range(2):
        import_runs(store, [folder.place], str)
        with read_store(store) as database:
            assert database.rows("SELECT run, phase FROM phases ORDER BY number") == [
                (_ID, "steady state"),
                (_ID, "fault"),
            ]
            assert database.rows("SELECT history, healed - injected FROM windows") == [
                ("experiments/1/one/history.jsonl", 6.0)
            ]
            assert database.value("SELECT count(*) FROM coverage") == 1


def test_a_store_of_the_schema_before_gets_them(tmp_path: Path) -> None:
    """It keeps its runs, and one whose history is there still gets its rows by the next import, each once."""
    store, folder = tmp_path / "store.duckdb", _folder(tmp_path / "a")
    import_runs(store, [folder.place], str)
    with change_store(store, str) as database:
        for table in ("phases", "windows", "coverage"):
            database.rows(f"DROP TABLE {table}")
        database.rows("ALTER TABLE runs DROP COLUMN read_as")
        database.rows("UPDATE store SET schema = 1")
    with open_database(None) as database:
        migrate(database, store, MIGRATIONS[:1])
        before = database.tables()
    with open_database(store) as database:
        assert database.tables() == before
    with change_store(store, str) as database:
        assert database.rows("SELECT run, read_as FROM runs") == [(_ID, 1)]
    (grown,) = import_runs(store, [folder.place], str)
    assert grown.outcome == "grown"
    with read_store(store) as database:
        assert database.rows("SELECT count(*), any_value(read_as) FROM runs") == [(1, SCHEMA)]
        assert database.value("SELECT count(*) FROM windows") == 1
    (again,) = import_runs(store, [folder.place], str)
    assert again.outcome == "already there"


def test_a_history_that_breaks_off_in_the_middle_is_said(tmp_path: Path) -> None:
    """Its verdicts come in all the same; nothing of what could be read of it is taken for the whole."""
    folder = _folder(tmp_path / "a")
    (path,) = folder.place.glob("experiments/*/*/history.jsonl")
    lines = path.read_text("utf-8").splitlines()
    lines[3] = json.dumps("no entry")
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    said: list[str] = []
    (result,) = import_runs(tmp_path / "store.duckdb", [folder.place], said.append)
    assert result.outcome == "new"
    assert [line.startswith(f"{_ID}: without the phases and windows of") for line in said] == [True]
    with read_store(tmp_path / "store.duckdb") as database:
        assert database.value("SELECT count(*) FROM phases") == 0
