"""Nights: cells as processes, kept in a ledger, gone on with after a kill, repeated when they flip."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from chaos_harness import nights
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.nightly import night
from tests.thorough import thorough

_ROOT = Path(__file__).parents[4]
_FAKE = (sys.executable, str(_ROOT / "tests/fakes/cell_run.py"))
_MATRIX = "schema: 1\nrun: [test_a.py, test_b.py]\nwithoutFault: test_healthy.py\nrate: {width: 0.9}\n"
_REPEATS = 3
"""How many repeats have an interval of at most 0.9 with 95 %."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a matrix of two files, in which the fake runs; nights of this test alone lock each other."""
    for name in ("test_a.py", "test_b.py", "test_healthy.py"):
        (tmp_path / name).touch()
    (tmp_path / "matrix.yaml").write_text(_MATRIX, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAKE_CELLS", str(tmp_path / "cells.json"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    _come_to(tmp_path)
    return tmp_path


def _come_to(place: Path, **outcomes: Sequence[int | str]) -> None:
    cells: dict[str, Any] = {f"test_{name}.py": {"outcomes": outcomes.get(name, [0])} for name in ("a", "b", "healthy")}
    (place / "cells.json").write_text(json.dumps(cells), encoding="utf-8")


def _night(*arguments: str) -> int:
    return nights.main(list(arguments), _FAKE)


def _new(place: Path, name: str = "one", *arguments: str) -> tuple[int, dict[str, Any]]:
    folder = place / "reports/out/nights" / name
    status = _night("matrix.yaml", "--out", str(folder), *arguments)
    return status, json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def _ran(place: Path) -> list[str]:
    log = place / "cells.log"
    return [line.split()[0] for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def _outcomes(summary: Mapping[str, Any]) -> dict[str, str]:
    return {cell["target"]: cell["outcome"] for cell in summary["cells"]}


@pytest.mark.parametrize(
    ("outcome", "told", "status"),
    [
        (0, "as expected", 0),
        (1, "otherwise", 1),
        (2, "refused", 3),
        (3, "inconclusive", 3),
        (4, "broken", 4),
        ("no verdict", "broken", 4),
    ],
)
def test_what_a_cell_comes_to(place: Path, outcome: int | str, told: str, status: int) -> None:
    """The status of a run is the outcome of its cell, and the worst of them that of the night, which goes on."""
    _come_to(place, a=[outcome])
    ended, summary = _new(place)
    assert (ended, _outcomes(summary)["test_a.py"], _outcomes(summary)["test_b.py"]) == (status, told, "as expected")
    assert _ran(place)[0] == "test_healthy.py"


def test_a_violation_without_a_fault_is_ours(place: Path) -> None:
    """What comes out otherwise though nothing was harmed says that the harness is wrong."""
    _come_to(place, healthy=[1])
    status, summary = _new(place)
    assert (status, _outcomes(summary)["healthy/test_healthy.py"]) == (4, "false alarm")


def test_a_cell_that_flips_is_repeated_and_stays_red(place: Path) -> None:
    """It is repeated until its rate is known, without the run that led to that; nothing turns it green."""
    _come_to(place, a=[1, 0])
    status, summary = _new(place)
    (cell,) = (cell for cell in summary["cells"] if cell["target"] == "test_a.py")
    assert (status, cell["outcome"], cell["repeats_missing"]) == (1, "otherwise", 0)
    assert _ran(place).count("test_a.py") == 1 + _REPEATS
    assert cell["rate"]["estimate"] == 0.0
    assert cell["rate"]["high"] - cell["rate"]["low"] <= 0.9
    assert len({run["seed"] for run in cell["runs"]}) == 1 + _REPEATS


def test_a_prediction_that_was_wrong_waits_for_the_others(place: Path) -> None:
    """Repeats of a cell that no night has run come last; those of a cell that held in the last night come at once."""
    _come_to(place, a=[1, 0])
    _new(place, "one", "--jobs", "1")
    assert _ran(place) == ["test_healthy.py", "test_a.py", "test_b.py", *["test_a.py"] * _REPEATS]
    (place / "cells.log").unlink()
    _come_to(place, b=[1, 0])
    _new(place, "two", "--jobs", "1")
    ran = _ran(place)
    first = ran.index("test_b.py")
    assert ran[first : first + 1 + _REPEATS] == ["test_b.py"] * (1 + _REPEATS)
    assert "test_a.py" in ran


@thorough
def test_the_last_night_says_what_changed(place: Path) -> None:
    """What held in the last night and is violated is told; what came out so before is not repeated again."""
    _new(place, "one")
    _come_to(place, b=[1])
    _, summary = _new(place, "two")
    (changed,) = (claim for cell in summary["cells"] for claim in cell["changed"])
    assert (changed["test"], changed["before"], changed["outcome"]) == ("test_b.py::test_a", "holds", "violated")
    before = len(_ran(place))
    status, summary = _new(place, "three")
    assert (status, len(_ran(place)) - before) == (1, 3)
    (cell,) = (cell for cell in summary["cells"] if cell["target"] == "test_b.py")
    assert (cell["nights"], round(cell["flakes"]["estimate"], 2)) == (3, 0.67)


@thorough
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_night_that_was_stopped_goes_on(place: Path, number: signal.Signals, status: int) -> None:
    """After a kill or Ctrl-C in the middle of a cell the resumed night runs that cell, and no other."""
    _come_to(place, b=["wait", 0])
    folder = place / "reports/out/nights/one"
    source = f"import sys; from chaos_harness import nights; sys.exit(nights.main(sys.argv[1:], {_FAKE!r}))"
    words = [sys.executable, "-c", source, "matrix.yaml", "--out", str(folder), "--jobs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT / "src")}
    killed = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    deadline = Deadline.after(120, "the cell that waits to begin")
    for _ in deadline.attempts():
        if "test_b.py" in _ran(place):
            break
    assert _night("matrix.yaml", "--out", str(place / "other")) == 2
    killed.send_signal(number)
    assert killed.wait(deadline.remaining) == status
    with (folder / "night.jsonl").open("a", encoding="utf-8") as ledger:
        ledger.write('{"kind": "ended", "cell"')
    for _ in Deadline.after(30, "the lock to be free").attempts():
        if (resumed := _night("--resume", str(folder))) != 2:
            break
    assert resumed == 0
    assert _ran(place) == ["test_healthy.py", "test_a.py", "test_b.py", "test_b.py"]
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert [len(cell["runs"]) for cell in summary["cells"]] == [1, 1, 1]


def test_a_night_of_another_matrix_is_not_gone_on_with(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cells that the night does not know would be lost in it."""
    _new(place)
    (place / "matrix.yaml").write_text(_MATRIX.replace("test_b.py", "test_healthy.py"), encoding="utf-8")
    assert _night("--resume", "reports/out/nights/one") == 2
    assert "another matrix" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--only", "nope", "--out", "new/er"], "--only 'nope': is no cell of the matrix"),
        (["--out", "matrix.yaml"], "matrix.yaml is a file; expected a folder, or one to be made: --out DIR"),
        (["--out", "matrix.yaml/new"], "matrix.yaml is a file; expected a folder, or one to be made: --out DIR"),
        (["--out", "a" * 300], "cannot be a night's folder: File name too long"),
        (["--lock", "nope.yaml", "--out", "new"], "nope.yaml: cannot be read: No such file"),
        (["--lock", "matrix.yaml", "--plan"], "matrix.yaml: run: "),
        (["--merge", "new", "--lock", "matrix.yaml"], "--merge: lock: nothing is run; leave them out"),
        (["--merge", "new", "--out", "matrix.yaml"], "matrix.yaml is a file; expected a folder, or one to be made"),
    ],
)
def test_what_is_refused_leaves_nothing(
    place: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    """Neither a folder nor anything in one; the state has the lock of all nights."""
    before = {path.name for path in place.iterdir()}
    given = [] if "--merge" in options else ["matrix.yaml"]
    assert _night(*given, *options) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "go on" not in said
    assert {path.name for path in place.iterdir()} - {"state"} == before


def test_a_folder_that_was_there_stays(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what is in it, when a night in it is refused; a night can begin in it."""
    (place / "mine").mkdir()
    (place / "mine/notes").touch()
    assert _night("matrix.yaml", "--out", "mine", "--only", "nope") == 2
    assert (place / "mine/notes").exists()
    assert _night("matrix.yaml", "--out", "mine") == 0
    assert "when stopped, go on: " in capsys.readouterr().err


def test_the_budget_leaves_the_rest_for_the_next_night(place: Path) -> None:
    """A cell that would end too late does not begin; the next night has it before those that were run."""
    status, summary = _new(place, "one", "--budget", "3m")
    assert (status, list(_outcomes(summary).values())) == (0, ["as expected", "as expected", "as expected"])
    (place / "cells.log").unlink()
    cells = json.loads((place / "cells.json").read_text(encoding="utf-8"))
    (place / "test_c.py").touch()
    (place / "cells.json").write_text(json.dumps({**cells, "test_c.py": {"seconds": 3000}}), encoding="utf-8")
    (place / "matrix.yaml").write_text(_MATRIX.replace("test_b.py", "test_b.py, test_c.py"), encoding="utf-8")
    status, summary = _new(place, "two", "--budget", "3m")
    assert (status, _outcomes(summary)["test_c.py"]) == (0, "not run")
    assert "test_c.py" not in _ran(place)


def test_what_was_not_run_is_told_by_cluster(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The clusters stand there once, with all files that were not run on them, also in the page of a CI job."""
    cells = {f"test_{name}.py": {"seconds": 3000} for name in "cdefgh"}
    for name in cells:
        (place / name).touch()
    known = json.loads((place / "cells.json").read_text(encoding="utf-8"))
    (place / "cells.json").write_text(json.dumps({**known, **cells}), encoding="utf-8")
    (place / "matrix.yaml").write_text(_MATRIX.replace("test_b.py", ", ".join(cells)), encoding="utf-8")
    _new(place, "one", "--budget", "3m")
    told = " ".join(capsys.readouterr().out.split())
    page = (place / "reports/out/nights/one/summary.md").read_text(encoding="utf-8")
    assert told.count("not run (") == page.count("not run (") == 1
    assert [name for name in cells if name not in told or name.replace("_", "\\_") not in page] == []


def test_a_full_disk_stops_the_night(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too little room no cell begins; the summary says so, and the status is not one of Gatekeeper's."""
    monkeypatch.setattr(night, "_LEAST_FREE_MIB", 2**40)
    status, summary = _new(place)
    assert (status, _ran(place)) == (4, [])
    assert "MiB free" in summary["told"][0]


def test_a_clock_that_jumps_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds are those of a clock that nobody sets, and what the other did meanwhile is told."""
    moments = iter(range(0, 10**6, 3600))
    monkeypatch.setattr("chaos_harness.harness.nightly.night.time.time", lambda: float(next(moments)))
    _, summary = _new(place)
    assert all(run["seconds"] < 600 for cell in summary["cells"] for run in cell["runs"])
    assert any("+3" in words for words in summary["told"])


def test_the_numbers_are_openmetrics(place: Path) -> None:
    """A parser of another project reads them; labels are those of cells, and nothing of the night or the machine."""
    _new(place)
    text = (place / "reports/out/nights/one/metrics.txt").read_text(encoding="utf-8")
    families = {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    assert families["chaos_night_status"].samples[0].value == 0
    labels = {name for sample in families["chaos_night_cell_seconds"].samples for name in sample.labels}
    assert labels == {"target", "kubernetes", "gatekeeper", "install", "failure_policy", "values"}


def test_lines_fit_a_terminal(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan and the summary are at most 80 columns wide, and cells that are left out have their reason."""
    (place / "matrix.yaml").write_text(f'{_MATRIX}kubernetes: ["1.36", "1.99"]\n', encoding="utf-8")
    assert _night("matrix.yaml", "--plan", "--budget", "3m", "--jobs", "1") == 0
    planned = capsys.readouterr().out
    _new(place)
    lines = (planned + capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(planned.split()).count("1.99 has no") == 1, "a reason stands there once, for all its files"
    assert "over the budget: test_b.py" in " ".join(planned.split())
    assert _ran(place).count("test_a.py") == 1


def test_shards_are_merged(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each cell is in one shard; together they are the night. A lost one is told, and one given twice counts once."""
    for shard in (1, 2):
        assert _new(place, f"../shard-{shard}", "--shard", f"{shard}/2")[0] == 0
    capsys.readouterr()
    assert sorted(_ran(place)) == ["test_a.py", "test_b.py", "test_healthy.py"]
    shards = [str(place / f"reports/out/shard-{shard}") for shard in (1, 2)]
    assert _night("--merge", *shards, shards[0], "--out", str(place / "merged"), "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert [(cell["outcome"], len(cell["runs"])) for cell in summary["cells"]] == [("as expected", 1)] * 3
    assert any("2 times" in words for words in summary["told"])
    assert _night("--merge", shards[1], "--out", str(place / "half"), "--json") == 3
    summary = json.loads(capsys.readouterr().out)
    assert summary["lost_shards"] == [1]
    assert "lost" in _outcomes(summary).values()


@thorough
def test_a_second_answer_does_not_make_a_cell_green(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a shard that answered twice the first answer counts; what is of another version is refused."""
    _come_to(place, a=[1], b=[1])
    _new(place, "../first", "--shard", "1/1")
    _come_to(place)
    _new(place, "../second", "--shard", "1/1")
    capsys.readouterr()
    folders = [str(place / "reports/out" / name) for name in ("second", "first")]
    assert _night("--merge", *folders, "--out", str(place / "merged")) == 1
    ledger = Path(folders[0], "night.jsonl")
    text = ledger.read_text(encoding="utf-8")
    ledger.write_text(text.replace('"harness":"', '"harness":"9.', 1), encoding="utf-8")
    assert _night("--merge", *folders, "--out", str(place / "refused")) == 2
    assert "version 9." in capsys.readouterr().err
