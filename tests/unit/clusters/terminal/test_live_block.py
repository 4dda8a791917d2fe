"""Live block: what a reader has on a terminal of 80 or of 40 columns, and in a pipe."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminals import Screen, run_on_terminal

_ROOT = Path(__file__).parents[4]
_LONG = """
import threading
from chaos_harness.clusters.terminal import progress
progress._TICK_SECONDS = 0.02
shown = progress.Progress.terminal()
pause = threading.Event().wait
with shown.step("build kind v0.33.0 and helm v4.1.0, " + "with much to tell " * 4) as outer:
    outer.count(30, 40, "1,234 packages compiled of at most 1,645")
    with shown.step("hold for 60 s", lambda: "Always-image_present-killed: canary 280 ok, 3 lost", 0.5):
        pause(0.3)
    try:
        with shown.step("deploy Gatekeeper"):
            raise ValueError
    except ValueError:
        pass
    shown.say("   plan: gatekeeper: pulled by its tag, docker.io/opa/gatekeeper:v3.23.1, which is long")
"""

_ERASED = "\r\x1b[K\x1b[A\r\x1b[K"
"""What takes a block of two lines away."""


def _environment(**more: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**kept, "TERM": "xterm", **more}


@pytest.mark.parametrize("columns", [80, 40])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    """However often the block was drawn, one line is left of each step; while it runs it shows bars and times."""
    status, written = run_on_terminal([sys.executable, "-c", _LONG], columns=columns, env=_environment(), cwd=_ROOT)
    assert status == 0
    screen = Screen(columns).feed(written).text().splitlines()
    assert max(map(len, screen)) < columns
    assert [line[:7] for line in screen if line.startswith((" ✓", " ✗"))] == [" ✓ hold", " ✗ depl", " ✓ buil"]
    assert len(screen) <= 8
    running = Screen(columns).feed(written.partition(" \x1b[32m✓")[0].rpartition(_ERASED)[0]).text().splitlines()
    assert [line[:8] for line in running] == [" • build", " • hold "]
    assert "████████░░  75%" in running[0]
    assert running[1].endswith("280 ok, 3 lost") is (columns > 40)
    assert all(re.search(r" \d+\.\d", line) for line in running)


def test_colours_are_left_out_on_demand() -> None:
    """NO_COLOR says so; what draws the block stays."""
    _, plain = run_on_terminal([sys.executable, "-c", _LONG], columns=80, env=_environment(NO_COLOR="1"), cwd=_ROOT)
    _, coloured = run_on_terminal([sys.executable, "-c", _LONG], columns=80, env=_environment(), cwd=_ROOT)
    assert ("\x1b[32m" in coloured, "\x1b[32m" in plain) == (True, False)


def test_a_pipe_is_never_drawn_on() -> None:
    """It gets whole lines, whatever COLUMNS says, and no control character."""
    done = subprocess.run(
        [sys.executable, "-c", _LONG],
        env=_environment(COLUMNS="40", CI=""),
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [character for character in done.stderr if not character.isprintable() and character != "\n"] == []
    assert any(len(line) > 100 for line in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) == 7
