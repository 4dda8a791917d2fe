"""Retention: old runs are forgotten, and none that today's checks count."""

import json
import time
from pathlib import Path

import pytest

from chaos_harness.harness import judging
from chaos_harness.reports.store.importer import import_runs
from chaos_harness.reports.store.queries import read_store, summaries
from chaos_harness.run_store import main
from tests.fakes.runs import SHAPE, RunFolder, verdict

_CLAIM = "undisturbed()"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return where the store is; keep locks in a place of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "store.duckdb"


def _run(
    place: Path, id_: str, days_ago: float, judge: str, *, ended: bool = True, gatekeeper: str = "v3.23.1"
) -> Path:
    folder = RunFolder(place / id_)
    began = time.time() - days_ago * 86_400
    line = verdict(run=id_, id=_CLAIM, judge=judge, shape={**SHAPE, "gatekeeper": gatekeeper})
    folder.verdicts([json.loads(json.dumps(vars(line)))])
    folder.state(started=began, ended=began + 60, status=0)
    return folder.place


@pytest.mark.parametrize(
    ("days_ago", "judge", "stays"),
    [(40, "other", False), (40, "today", True), (20, "other", True), (-400, "other", True)],
    ids=["old", "old evidence", "young", "by a clock that was wrong"],
)
def test_what_is_forgotten(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str], days_ago: float, judge: str, stays: bool
) -> None:
    """A run is forgotten if it is old and no verdict of it is by today's checks; another one stays what it was."""
    digest = judging.today(_CLAIM) if judge == "today" else judge
    other = _run(tmp_path, "20261128T010203Z-abcd", 1, "other", gatekeeper="v3.20.1")
    import_runs(store, [other, _run(tmp_path, "20261001T010203Z-abcd", days_ago, digest)], str)
    assert main(["forget", "--days", "30", "--store", str(store), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == ([] if stays else ["20261001T010203Z-abcd"])
    assert told["evidence"] == (["20261001T010203Z-abcd"] if judge == "today" else [])
    with read_store(store) as database:
        assert len(summaries(database)) == 1 + stays
        assert database.value("SELECT count(*) FROM cells") == 1 + stays
        assert database.value("SELECT count(*) FROM claims") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["forget"], "no store of runs"),
        (["show", "--days", "3"], "--days is of `store forget` alone"),
        (["forget", "reports/out"], "expected no RUN, found reports/out"),
    ],
)
def test_bad_input(store: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    """It is refused, and no store begins."""
    assert main([*words, "--store", str(store)]) == 2
    assert said in capsys.readouterr().err
    assert not store.exists()
