"""Calling: how a program that fails is told."""

import sys
from pathlib import Path

import pytest

from chaos_harness.harness.errors import HarnessError
from chaos_harness.reports.html.programs import run_program


def test_program_runs_where_and_with_what_it_is_told(tmp_path: Path) -> None:
    """Its directory and what is added to its environment are as asked; nothing is read from the terminal."""
    script = "import os, sys, pathlib; pathlib.Path('told').write_text(os.environ['MORE'] + sys.stdin.read())"
    run_program("nothing", [sys.executable, "-c", script], tmp_path, 60, {"MORE": "more"})

    assert (tmp_path / "told").read_text(encoding="utf-8") == "more"


@pytest.mark.parametrize(
    ("script", "ending"),
    [
        ("import sys; sys.exit(4)", "ended with 4: nothing was said"),
        ("import sys; sys.exit('a\\n\\nb\\nc\\nd')", "ended with 1: b / c / d"),
        ("print('on stdout'); raise SystemExit(2)", "ended with 2: on stdout"),
        ("import time; time.sleep(60)", "timed out after 0.1 seconds"),
    ],
)
def test_failure_is_one_line(tmp_path: Path, script: str, ending: str) -> None:
    """What cannot be had, how the program ended and the last it said are one line."""
    seconds = 0.1 if "sleep" in script else 60
    with pytest.raises(HarnessError, match=rf"^no picture: .*{ending}$") as raised:
        run_program("no picture", [sys.executable, "-c", script], tmp_path, seconds)

    assert "\n" not in str(raised.value)


def test_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message says which program is missing."""
    with pytest.raises(HarnessError, match=r"no picture: .*No such file or directory: '/nowhere/x'"):
        run_program("no picture", ["/nowhere/x"], tmp_path, 1)
