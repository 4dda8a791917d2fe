"""Results folders: processes do not share one by chance, nor by choice at the same time."""

import os
from pathlib import Path

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.run.results_folder import hold_folder, make_work_folder, new_folder


def test_two_that_begin_in_the_same_second_have_a_folder_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though kind, time and words are the same; naming makes none."""
    monkeypatch.setattr("time.strftime", lambda _: "now")
    first = new_folder("incidents", "repro", "a" * 300)
    monkeypatch.setattr(os, "getpid", lambda: 1)

    assert new_folder("incidents", "repro", "a" * 300) == Path(f"reports/out/incidents/now-1-repro-{'a' * 100}")
    assert first != new_folder("incidents", "repro", "a" * 300)
    assert not first.exists()


def test_a_folder_is_held_by_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However its path is written; another folder is free, and so is this one afterwards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    with hold_folder(tmp_path / "a"):
        with pytest.raises(BadScenario, match=r"^a: another process makes its runs; wait for it, or end it$"):
            hold_folder(Path("a")).__enter__()
        with hold_folder(Path("b")):
            pass
    with hold_folder(Path("a")):
        pass


def test_a_work_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """With what is in its way, and what to type."""
    (tmp_path / "a").touch()
    with pytest.raises(BadScenario, match="work: cannot be made: Not a directory; type the command where"):
        make_work_folder(tmp_path / "a")
    assert make_work_folder(tmp_path / "b").is_dir()
