"""Rescue: what a killed run still tells."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.history import HistoryWriter
from chaos_harness.reports import run_directory
from chaos_harness.reports.allure.killed_runs import rescue
from chaos_harness.reports.trends import quality_gate

_KILLED = """
import os, sys
from pathlib import Path
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.reports import run_directory
run = Path(sys.argv[1])
run_directory.record_start(run)
for name in ("done", "open"):
    run_directory.record_test(run, f"test_{name}")
    place = run / "experiments" / "r" / name
    place.mkdir(parents=True)
    history = HistoryWriter(place / "history.jsonl")
    history.append("invoke", "canary 0", "q")
    history.append("fail", "canary 0", "q", {"said": "admitted, token: planted0123"})
    if name == "done":
        run_directory.record_test(run, "test_done", str(place / "history.jsonl"))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Make the directory of a run that died while its second test ran."""
    (tmp_path / "results").mkdir()
    root = str(Path(__file__).parents[4])
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], cwd=root, check=False)
    assert done.returncode == -9
    return tmp_path


def _load(run: Path, pattern: str) -> list[Any]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in (run / "results").glob(pattern)]


def test_killed_run_says_so_and_shows_what_was_open(killed: Path) -> None:
    """The kill is an error of the run; the experiment that was open is a broken result with timeline and history."""
    messages = rescue(killed)
    (wide,), (result,) = _load(killed, "*-globals.json"), _load(killed, "*-result.json")

    assert messages[0] == wide["errors"][0]["message"]
    assert "was killed while it ran test_open" in messages[0]
    assert [(rule.met, rule.message) for rule in quality_gate.read(killed)] == [(False, messages[0])]
    assert (result["name"], result["status"]) == ("open (killed)", "broken")
    assert [attachment["name"] for attachment in result["attachments"]] == ["timeline", "history"]
    picture = (killed / "results" / result["attachments"][0]["source"]).read_text(encoding="utf-8")
    assert "0 good, 1 lost" in picture
    assert not any(b"planted" in path.read_bytes() for path in (killed / "results").iterdir())


def test_rescuing_again_adds_nothing(killed: Path) -> None:
    """A report may be made twice."""
    rescue(killed)
    before = sorted(path.name for path in (killed / "results").iterdir())
    rescue(killed)

    assert sorted(path.name for path in (killed / "results").iterdir()) == before


def test_broken_history_does_not_hinder_the_rest(killed: Path) -> None:
    """An experiment whose history cannot be read is still named, with the reason."""
    (killed / "experiments/r/open/history.jsonl").write_text("{}\n", encoding="utf-8")
    rescue(killed)
    (result,) = _load(killed, "*-result.json")

    assert "cannot be read" in result["statusDetails"]["message"]


def test_run_that_ended_or_goes_on_is_left_alone(tmp_path: Path) -> None:
    """Only the dead are rescued."""
    (tmp_path / "results").mkdir()
    assert rescue(tmp_path) == []
    run_directory.record_start(tmp_path)
    (tmp_path / "experiments/r/x").mkdir(parents=True)
    HistoryWriter(tmp_path / "experiments/r/x/history.jsonl").close()
    assert rescue(tmp_path) == []
    run_directory.record_end(tmp_path, 0)
    assert rescue(tmp_path) == []
    assert list((tmp_path / "results").iterdir()) == []


def test_a_number_that_another_process_has_now_is_not_the_run(killed: Path) -> None:
    """A process that reuses a killed run's number, with another start time, does not hide that run."""
    document = json.loads((killed / "run.json").read_text(encoding="utf-8"))
    (killed / "run.json").write_text(json.dumps({**document, "pid": os.getpid()}), encoding="utf-8")

    assert "was killed" in rescue(killed)[0]


@pytest.mark.parametrize(("seconds", "lives"), [(10, True), (3600, False)])
def test_a_run_that_cannot_be_seen_lives_while_it_writes(killed: Path, seconds: int, lives: bool) -> None:
    """Of another machine's run, or one from before the start was noted, the files tell whether it goes on."""
    document = json.loads((killed / "run.json").read_text(encoding="utf-8"))
    (killed / "run.json").write_text(json.dumps({**document, "boot_id": "another"}), encoding="utf-8")
    for path in killed.rglob("*"):
        os.utime(path, (time.time() - seconds, time.time() - seconds))

    assert (rescue(killed) == []) == lives
