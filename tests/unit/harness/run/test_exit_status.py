"""Status: each end of a command is one clear line with the next command, and the right exit status."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos_harness.harness.errors import (
    ApiRefused,
    ApiUnreachable,
    BadScenario,
    CheckBroken,
    EngineUnavailable,
    HarnessError,
    ImageUnavailable,
    Inconclusive,
    InvariantViolated,
    PreparationFailed,
    ProbeBroken,
)
from chaos_harness.harness.run.exit_status import TRACEBACK, ExitStatus, run_command, worst
from tests.thorough import thorough

_ROOT = Path(__file__).parents[4]
_PROGRAM = """
import sys
from chaos_harness.harness.run.exit_status import run_command

def work():
    for number in range(5000):
        sys.stdout.write(f"✓ line {number}\\n")
    return 3

sys.exit(run_command(work))
"""


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., tuple[str, str, str]]:
    """Give a way to run the program with a shell's words behind it: to standard output, error and status."""

    def shell(tail: str, **environment: str) -> tuple[str, str, str]:
        script = f'{{ "$@"; echo $? > {tmp_path}/status; }} {tail}'
        words = ["sh", "-c", script, "sh", sys.executable, "-c", _PROGRAM]
        done = subprocess.run(
            words, cwd=_ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        return done.stdout, done.stderr, (tmp_path / "status").read_text(encoding="utf-8").strip()

    return shell


Shell = Callable[..., tuple[str, str, str]]


def test_a_reader_that_goes_away_changes_nothing(shell: Shell) -> None:
    """In `| head -1` the work is done to its end, and its status is the command's."""
    assert shell("| head -1") == ("✓ line 0\n", "", "3")


def test_a_closed_output_changes_nothing(shell: Shell) -> None:
    """Whoever closes standard output or standard error wants nothing told."""
    assert shell(">&- 2>&-") == ("", "", "3")


def test_a_full_disk_below_the_output_is_told(shell: Shell) -> None:
    """If the output could not be written, the verb fails and names the next command."""
    assert shell("> /dev/full; true") == (
        "",
        "error: standard output: No space left on device; see `df`, and type the command again\n",
        "4",
    )


def test_a_small_alphabet_is_no_error(shell: Shell) -> None:
    """What an ASCII terminal lacks is a question mark there."""
    out, err, exit_status = shell("", PYTHONIOENCODING="ascii")
    assert (out.splitlines()[0], len(out.splitlines()), err, exit_status) == ("? line 0", 5000, "", "3")


def _raises(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


def _hidden() -> int:
    try:
        raise KeyboardInterrupt
    finally:
        raise ProbeBroken("late")


def _noted() -> HarnessError:
    error = HarnessError("no node")
    error.add_note("and besides: OSError: full")
    return error


@pytest.mark.parametrize(
    ("work", "expected", "sentence"),
    [
        (_raises(BadScenario(["one", "two"])), 2, "error: one\ntwo\n"),
        (_raises(PreparationFailed("place pods: no worker")), 4, "error: place pods: no worker\n"),
        (_raises(ApiRefused(403, "quota", request="POST /pods")), 4, "error: POST /pods: 403 quota\n"),
        (_raises(ApiUnreachable("GET /pods", OSError("cut"))), 4, "error: GET /pods: no answer: cut\n"),
        (_raises(_noted()), 4, "error: no node\nand besides: OSError: full\n"),
        (_raises(EngineUnavailable("no engine")), 2, "error: no engine\n"),
        (_raises(ImageUnavailable("no image")), 2, "error: no image\n"),
        (_raises(InvariantViolated("pods are gone")), 1, "error: pods are gone\n"),
        (_raises(Inconclusive("nobody looked")), 3, "error: nobody looked\n"),
        (_raises(CheckBroken("KeyError")), 4, "error: KeyError\n"),
        (_hidden, 130, "error: interrupted; what was under way is removed by `nox -s gc` and by the next run\n"),
        (_raises(KeyboardInterrupt()), 130, "error: interrupted; "),
        (
            _raises(OSError(errno.EROFS, "Read-only file system", "/home/a/.local/state/chaos-harness")),
            4,
            "/home/a/.local/state/chaos-harness: Read-only file system: type it again with XDG_STATE_HOME=DIRECTORY",
        ),
        (_raises(OSError(errno.EACCES, "Permission denied", "/home/a/.cache/x")), 4, "XDG_CACHE_HOME=DIRECTORY"),
        (_raises(OSError(errno.EACCES, "Permission denied", "/srv/out")), 4, "denied; see `ls -ld /srv`\n"),
        (
            _raises(OSError(errno.ENOENT, "No such file", "typo.tar")),
            4,
            f"typo.tar: No such file; see `ls -ld {_ROOT}`",
        ),
        (
            _raises(OSError(errno.ENOSPC, "No space left", "/srv/out")),
            4,
            "/srv/out: No space left: free some space, `df",
        ),
        (_raises(OSError(errno.EMFILE, "Too many open files")), 4, "Too many open files (test_exit_status.py:"),
        (_raises(ValueError("two\nlines")), 4, "error: ValueError: two (test_exit_status.py:"),
        (_raises(RecursionError("deep")), 4, "CHAOS_TRACEBACK=1"),
    ],
)
def test_each_end_has_an_answer(
    work: Callable[[], int],
    expected: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was asked wrongly, what the machine refuses and what is our own fault: one message, no traceback."""
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(_ROOT)
    assert run_command(work) == expected
    stderr = capsys.readouterr().err
    assert sentence in stderr
    assert stderr.startswith("error: ")
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], ExitStatus.AS_EXPECTED),
        ([0, 0], ExitStatus.AS_EXPECTED),
        ([0, 5], ExitStatus.NOTHING),
        ([5, 2], ExitStatus.REFUSED),
        ([2, 3], ExitStatus.INCONCLUSIVE),
        ([3, 0, 1], ExitStatus.OTHERWISE),
        ([1, 4, 3], ExitStatus.BROKEN),
        ([4, 130, 1], ExitStatus.INTERRUPTED),
    ],
)
def test_of_several_the_worst_counts(statuses: list[int], expected: ExitStatus) -> None:
    """An interrupt comes first, then what says nothing about the product, then what says that it fails."""
    assert worst(statuses) is expected


def test_a_fault_of_ours_can_be_seen_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reports it can have all calls."""
    monkeypatch.setenv(TRACEBACK, "1")
    assert run_command(_raises(ValueError("odd"))) == 4
    assert "Traceback" in capsys.readouterr().err


@thorough
def test_a_state_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A verb on a machine whose state directory cannot be written to says which variable to set."""
    environment = {**os.environ, "XDG_STATE_HOME": "/dev/null/state", "CHAOS_ENGINE": "system"}
    words = [sys.executable, "-m", "chaos_harness.harness", "images"]
    done = subprocess.run(words, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: /dev/null")
    assert "type it again with XDG_STATE_HOME=DIRECTORY before it, one that you may write to" in done.stderr
