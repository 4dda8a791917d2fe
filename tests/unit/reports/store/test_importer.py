"""Importer: which runs come into the store, and that it keeps what it has, whatever happens to an importer."""

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.history import SCHEMA, Entry, Header, History
from chaos_harness.reports.store.database import open_database
from chaos_harness.reports.store.importer import add_runs, change_store, import_runs, read_places
from chaos_harness.reports.store.queries import read_store, summaries
from chaos_harness.reports.store.run_files import find_runs
from chaos_harness.reports.store.schema import migrate
from tests.fakes.runs import RunFolder, verdict
from tests.thorough import thorough

_ID = "20261128T010203Z-abcd"


@pytest.fixture(autouse=True)
def own_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep locks in a place of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where the store is."""
    return tmp_path / "out" / "store.duckdb"


def _lines(*outcomes: str, run: str = _ID, **more: Any) -> list[dict[str, Any]]:
    return [
        json.loads(json.dumps(vars(verdict(outcome, test=f"test_a[{number}]", run=run, id="undisturbed()", **more))))
        for number, outcome in enumerate(outcomes)
    ]


def _run(place: Path, *outcomes: str, run: str = _ID, **more: Any) -> Path:
    folder = RunFolder(place)
    folder.verdicts(_lines(*outcomes, run=run, **more))
    folder.state(ended=1_800_000_100.0, status=0)
    return place


def _outcomes(store: Path, *places: Path, say: Callable[[str], object] = str) -> list[str]:
    return [result.outcome for result in import_runs(store, places, say)]


def _counts(store: Path) -> dict[str, tuple[int, int]]:
    with read_store(store) as database:
        return {run.run: (run.holds, run.violated) for run in summaries(database)}


def test_a_run_comes_in_once(tmp_path: Path, store: Path) -> None:
    """The second time it is there already, from whatever directory; the store is its owner's alone."""
    run = _run(tmp_path / "a", "holds", "violated")
    assert _outcomes(store, run) == ["new"]
    assert _outcomes(store, run) == ["already there"]
    assert _outcomes(store, run.rename(tmp_path / "b")) == ["already there"]
    assert _counts(store) == {_ID: (1, 1)}
    assert store.stat().st_mode & 0o777 == 0o600


def test_a_run_that_went_on_replaces_itself(tmp_path: Path, store: Path) -> None:
    """With more verdicts behind the same ones, or with an end, it is the same run."""
    run = _run(tmp_path / "a", "holds")
    RunFolder(run).state()
    assert _outcomes(store, run) == ["new"]
    RunFolder(run).state(ended=1_800_000_100.0)
    assert _outcomes(store, run) == ["grown"]
    _run(run, "holds", "violated")
    assert _outcomes(store, run) == ["grown"]
    assert _counts(store) == {_ID: (2, 1)}


@pytest.mark.parametrize("outcomes", [["violated", "holds"], ["holds"]], ids=["others", "fewer"])
def test_a_run_that_says_something_else_is_refused(tmp_path: Path, store: Path, outcomes: list[str]) -> None:
    """A shard that answered twice, or a file that was cut, takes nothing away that is in."""
    _outcomes(store, _run(tmp_path / "a", "holds", "violated"))
    (refused,) = import_runs(store, [_run(tmp_path / "b", *outcomes)], str)
    assert (refused.outcome, refused.why) == (
        "refused",
        f"the store has 2 verdicts of it that are not the first 2 of these {len(outcomes)}",
    )
    assert _counts(store) == {_ID: (1, 1)}


def test_the_same_run_in_two_places_counts_once(tmp_path: Path, store: Path) -> None:
    """Of two copies the longer one is taken; two that contradict each other are refused before anything is changed."""
    short, long = _run(tmp_path / "a", "holds"), _run(tmp_path / "b", "holds", "violated")
    assert _outcomes(store, short, long) == ["new"]
    assert _counts(store) == {_ID: (1, 1)}
    with pytest.raises(BadScenario, match=rf"{_ID} is there twice"):
        import_runs(store.with_name("other"), [long, _run(tmp_path / "c", "violated")], str)
    assert not store.with_name("other").exists()


def test_runs_below_a_directory_are_found(tmp_path: Path, store: Path) -> None:
    """Three levels down, links aside; what cannot be read there is refused, and the others come in."""
    _run(tmp_path / "night" / "1", "holds")
    _run(tmp_path / "night" / "truth" / "v3.20.1", "holds", run="20261128T020203Z-abcd")
    (tmp_path / "night" / "latest").symlink_to("1")
    broken = tmp_path / "night" / "2" / "verdicts.jsonl"
    broken.parent.mkdir()
    broken.write_text("{}\n")
    results = import_runs(store, [tmp_path / "night"], str)
    assert sorted(result.outcome for result in results) == ["new", "new", "refused"]
    assert [result.run for result in results if result.outcome == "refused"] == [str(broken.parent)]


def test_runs_are_found_while_others_come_and_go(tmp_path: Path, store: Path) -> None:
    """Whatever a run that ends removes at that moment, and whatever is half done: that has a name with a dot."""
    _run(tmp_path / "nights" / "1", "holds")
    _run(tmp_path / "nights" / ".report-a", "holds", run="20261128T020203Z-abcd")
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            for number in range(10):
                (tmp_path / "nights" / f"x{number}" / "report").mkdir(parents=True)
            for number in range(10):
                shutil.rmtree(tmp_path / "nights" / f"x{number}")

    others = threading.Thread(target=come_and_go)
    others.start()
    try:
        found = [find_runs(tmp_path) for _ in range(300)]
    finally:
        ended.set()
        others.join()
    assert found == [[tmp_path / "nights" / "1"]] * 300
    assert _outcomes(store, tmp_path) == ["new"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no run, and none below it"),
        ("", "no verdict, not even that a test broke"),
        ("{}\n", ":1: expected a verdict, found"),
        (json.dumps(_lines("holds", run="")[0]) + "\n", ":1: written by a harness whose runs had no id"),
    ],
    ids=["nothing", "empty", "another schema", "no id"],
)
def test_all_problems_come_before_any_change(tmp_path: Path, store: Path, content: str | None, words: str) -> None:
    """One error has each named run that cannot be read, and what could be read does not come in."""
    bad = tmp_path / "bad"
    bad.mkdir()
    if content is not None:
        (bad / "verdicts.jsonl").write_text(content)
    good = _run(tmp_path / "good", "holds")
    with pytest.raises(BadScenario) as refused:
        import_runs(store, [bad, tmp_path / "nothing", good], str)
    first, second = refused.value.problems
    assert words in first
    assert second.startswith(f"{tmp_path / 'nothing'}: no run")
    assert not store.exists()


def test_what_is_known_of_an_experiment(tmp_path: Path, store: Path) -> None:
    """Its cell, history and figures come in, and its run says what it ran on and how it ended."""
    folder = RunFolder(tmp_path / "a")
    recorded = History(Header(SCHEMA, "one", 1_800_000_000.0, "0.1.0"), [Entry(0, "mark", "x", "y", 1, 0.0, 1.8e9)])
    history = folder.experiment("one", recorded, verdict(run=_ID, id="undisturbed()", figures={"lost_percent": 2.5}))
    folder.state(ended=1_800_000_100.0, status=1, chosen=3)
    _outcomes(store, folder.place)
    with read_store(store) as database:
        (shown,) = summaries(database)
        assert (shown.kubernetes, shown.gatekeeper, shown.ending) == ("v1.36.4", "v3.23.1", "ended")
        assert database.rows("SELECT figure, value FROM figures") == [("lost_percent", 2.5)]
        assert database.rows("SELECT history, started, complete, harness FROM experiments") == [
            (history, 1_800_000_000.0, True, "0.1.0")
        ]
        assert database.rows("SELECT claim, name FROM claims") == [("undisturbed()", "policy is enforced")]


def test_runs_at_once_are_the_same_as_one_after_another(tmp_path: Path) -> None:
    """Whatever others lack, each run has its rows; a cell or a claim of several is there once, as the first says it."""
    _run(tmp_path / "runs/1", "holds", claim="said first", figures={"lost": 2, "share": 0.5}, seed=2**40)
    _run(tmp_path / "runs/2", "violated", "inconclusive", run=f"{_ID}2", claim="said later", issue="gatekeeper#3839")
    RunFolder(tmp_path / "runs/3").verdicts(_lines("holds", run="of no known time", shape={"workers": 2}, seconds=3))
    runs, _ = read_places([tmp_path / "runs"], str)
    kept = []
    for parts in ([runs], [[run] for run in runs]):
        with open_database(None) as database:
            migrate(database, tmp_path)
            for part in parts:
                add_runs(database, part, 0.5)
            kept.append({table: database.rows(f"SELECT * FROM {table}") for table in database.tables()})  # noqa: S608
    at_once, one_by_one = kept

    assert at_once == one_by_one
    assert {table: len(rows) for table, rows in at_once.items() if rows} == {
        **dict.fromkeys(("claims", "store"), 1),
        **dict.fromkeys(("cells", "figures"), 2),
        "runs": 3,
        "verdicts": 4,
    }
    assert at_once["claims"] == [("undisturbed()", "said first")]


@pytest.mark.parametrize("history", ["../other/history.jsonl", "gone.jsonl"])
def test_a_history_that_cannot_be_read_is_said(tmp_path: Path, store: Path, history: str) -> None:
    """It is outside of the run, or gone: its verdicts come in all the same."""
    said: list[str] = []
    assert _outcomes(store, _run(tmp_path / "a", "holds", history=history), say=said.append) == ["new"]
    assert [line.startswith(f"{_ID}: verdicts only") for line in said] == [True]


def test_what_never_was_a_store_is_left_as_it_is(tmp_path: Path, store: Path) -> None:
    """A file of somebody's that was named by mistake is neither moved away nor replaced."""
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_text("my notes", encoding="utf-8")
    with pytest.raises(BadScenario, match="expected a store, or no file, found another kind of file"):
        _outcomes(store, _run(tmp_path / "a", "holds"))
    assert store.read_text(encoding="utf-8") == "my notes"
    assert list(store.parent.glob("*.damaged-*")) == []


def test_a_damaged_store_is_set_aside(tmp_path: Path, store: Path) -> None:
    """It keeps its content under another name, which is said, and what was to come in is in a new store."""
    _outcomes(store, _run(tmp_path / "a", "holds"))
    content = bytearray(store.read_bytes())
    for place in range(4096, len(content), 512):
        content[place] ^= 0xFF
    store.write_bytes(content)
    with pytest.raises(BadScenario, match=r"`chaos-harness store import RUN` sets the file aside"):
        _counts(store)
    said: list[str] = []
    assert _outcomes(store, _run(tmp_path / "b", "holds", run="20261129T000000Z-abcd"), say=said.append) == ["new"]
    (aside,) = store.parent.glob("store.duckdb.damaged-*")
    assert aside.read_bytes() == bytes(content)
    assert str(aside) in said[0]
    assert list(_counts(store)) == ["20261129T000000Z-abcd"]


_FILLED = """
import resource, sys
from pathlib import Path
from chaos_harness.reports.store.importer import import_runs
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
import_runs(Path(sys.argv[1]), [Path(sys.argv[2])], print)
"""


@thorough
@pytest.mark.parametrize("more", [-1, 1], ids=["no room for a copy", "no room for the run"])
def test_a_full_disk_loses_nothing(tmp_path: Path, store: Path, more: int) -> None:
    """The importer fails, its copy is gone, and the store is as it was, byte by byte."""
    _outcomes(store, _run(tmp_path / "a", "holds"))
    before = store.read_bytes()
    big = _run(tmp_path / "b", *["holds"] * 300, run="20261129T000000Z-abcd", summary="a long summary " * 50)
    words = [sys.executable, "-c", _FILLED, str(store), str(big), str(len(before) + more)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert "File too large" in done.stderr
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.iterdir()] == [store.name]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_killed_importer_leaves_the_store_as_it_was(tmp_path: Path, store: Path) -> None:
    """What it left beside the store the next importer removes."""
    _outcomes(store, _run(tmp_path / "a", "holds"))
    child = os.fork()
    if not child:
        with change_store(store, str) as database:
            database.rows("DELETE FROM runs")
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert len(list(store.parent.iterdir())) == 2
    assert _counts(store) == {_ID: (1, 0)}
    assert _outcomes(store, tmp_path / "a") == ["already there"]
    assert [path.name for path in store.parent.iterdir()] == [store.name]


def test_a_reader_has_the_store_of_its_begin(tmp_path: Path, store: Path) -> None:
    """An importer waits for no reader, and no reader for an importer."""
    _outcomes(store, _run(tmp_path / "a", "holds"))
    with read_store(store) as database:
        assert _outcomes(store, _run(tmp_path / "b", "holds", run="20261129T000000Z-abcd")) == ["new"]
        assert [run.run for run in summaries(database)] == [_ID]
    assert len(_counts(store)) == 2


def test_a_store_that_another_machine_changed_is_not_overwritten(tmp_path: Path, store: Path) -> None:
    """Locks are one machine's: a store on a shared disk that is not what was copied is left alone."""
    _outcomes(store, _run(tmp_path / "a", "holds"))
    other = store.with_name("other")
    other.write_bytes(store.read_bytes())
    with pytest.raises(HarnessError, match="somebody else changed it meanwhile"), change_store(store, str):
        other.replace(store)
    assert _counts(store) == {_ID: (1, 0)}


def test_without_duckdb_there_is_one_clear_error(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra: the error has the command that installs it."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(BadScenario, match=r'pip install "chaos-harness\[store\]"'):
        import_runs(store, [_run(tmp_path / "a", "holds")], str)
    assert not store.exists()
