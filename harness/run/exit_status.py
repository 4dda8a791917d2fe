"""Exit status: decides how a command ends, in one place, with one line that says why."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from enum import IntEnum
from pathlib import Path
from typing import TextIO

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.machine import signals
from chaos_harness.clusters.terminal.escape import escape_controls, first_line
from chaos_harness.clusters.terminal.lossy_stream import LossyStream
from chaos_harness.clusters.terminal.width import columns_of, wrap
from chaos_harness.harness.errors import (
    BadScenario,
    ChaosError,
    CheckBroken,
    EngineUnavailable,
    ImageUnavailable,
    Inconclusive,
    InvariantViolated,
)
from chaos_harness.harness.run.interrupts import hides_interrupt

__all__ = ["CANNOT_TELL", "TRACEBACK", "ExitStatus", "run_command", "worst"]


class ExitStatus(IntEnum):
    """How a command of the tool ends, for scripts: the same for each verb and each nox session.

    AS_EXPECTED: all claims came out as expected, the incident was reproduced, or the verb did what it was asked.
    OTHERWISE: a claim came out otherwise, the incident was not reproduced, a verdict changed, B is worse than A.
    REFUSED: the input cannot be used, no engine answers, an image cannot be had, nobody agreed to what must be
    installed, or doctor says that no run can start; no cluster was touched.
    INCONCLUSIVE: not enough was seen.
    BROKEN: the harness or its surroundings failed, which says nothing about the product. NOTHING: there was nothing to
    run. INTERRUPTED: by Ctrl-C, SIGTERM or SIGHUP.
    """

    AS_EXPECTED = 0
    OTHERWISE = 1
    REFUSED = 2
    INCONCLUSIVE = 3
    BROKEN = 4
    NOTHING = 5
    INTERRUPTED = 130


_WORST_FIRST = (
    *(ExitStatus.INTERRUPTED, ExitStatus.BROKEN, ExitStatus.OTHERWISE, ExitStatus.INCONCLUSIVE),
    *(ExitStatus.REFUSED, ExitStatus.NOTHING, ExitStatus.AS_EXPECTED),
)

CANNOT_TELL = 125
"""What `git bisect run` takes for a commit that cannot be judged: it skips it."""

TRACEBACK = "CHAOS_TRACEBACK"
"""Environment variable: if it is set, an error of the harness itself is reported with its traceback."""

_HOMES = {"XDG_STATE_HOME": Path(".local", "state"), "XDG_CACHE_HOME": Path(".cache")}
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run_command(work: Callable[[], int]) -> int:
    """Run the work of a command and return the exit status; SIGTERM and SIGHUP interrupt it like Ctrl-C.

    The status is what `work` returns, or that of the error it raised (see `ExitStatus`), whose text goes to standard
    error. If its output could not be written it is BROKEN. If the reader of standard output goes away (`| head -1`),
    the work still runs to its end.
    """
    stdout, stderr = sys.stdout, sys.stderr
    output, complaints = LossyStream(stdout or _nowhere()), LossyStream(stderr or _nowhere())
    sys.stdout, sys.stderr = output.as_text(), complaints.as_text()
    restore = signals.install_handlers()
    try:
        exit_status = _run(work)
        output.flush()
        if isinstance(output.lost, OSError) and not isinstance(output.lost, BrokenPipeError):
            why = f"standard output: {output.lost.strerror}; see `df`, and type the command again"
            exit_status = worst([exit_status, _fail(why, ExitStatus.BROKEN)])
        complaints.flush()
        return exit_status
    finally:
        restore()
        sys.stdout, sys.stderr = stdout, stderr


def worst(statuses: Iterable[int]) -> ExitStatus:
    """Return the status of several together: interrupted, broken, otherwise, inconclusive, refused, nothing to run.

    It is AS_EXPECTED if all of them are, or there is none.
    """
    there = set(statuses)
    return next((status for status in _WORST_FIRST if status in there), ExitStatus.AS_EXPECTED)


def _run(work: Callable[[], int]) -> int:
    try:
        return work()
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # noqa: BLE001 - the one place in which a command ends
        return _interrupted() if hides_interrupt(error) else _fail(_message_of(error), _status_of(error))


def _status_of(error: Exception) -> ExitStatus:
    if isinstance(error, BadScenario | EngineUnavailable | ImageUnavailable):
        return ExitStatus.REFUSED
    if isinstance(error, InvariantViolated):
        return ExitStatus.OTHERWISE
    if isinstance(error, Inconclusive) and not isinstance(error, CheckBroken):
        return ExitStatus.INCONCLUSIVE
    return ExitStatus.BROKEN


def _message_of(error: Exception) -> str:
    if isinstance(error, ChaosError):
        return _full_message(error)
    return _describe_os_error(error) if isinstance(error, OSError) else _describe_own_error(error)


def _interrupted() -> int:
    why = f"interrupted; what was under way is removed by `{command_line('gc')}` and by the next run"
    return _fail(why, ExitStatus.INTERRUPTED)


def _full_message(error: Exception) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def _describe_os_error(error: OSError) -> str:
    """Return what the operating system refused, and the command that helps."""
    said = error.strerror or str(error)
    if error.filename is None:
        return f"{said}{_where(error)}; `{command_line('doctor')}` reports what this machine lacks"
    path = Path(os.fsdecode(error.filename)).absolute()
    if error.errno in _FULL:
        return f"{path}: {said}: free some space, `df {path.parent}` shows how much there is; then type it again"
    if error.errno in _UNWRITABLE:
        for variable, below in _HOMES.items():
            home = Path(os.environ.get(variable) or Path.home() / below)
            if path.is_relative_to(home) or home.is_relative_to(path):
                return f"{path}: {said}: type it again with {variable}=DIRECTORY before it, one that you may write to"
    return f"{path}: {said}; see `ls -ld {path.parent}`"


def _describe_own_error(error: Exception) -> str:
    if os.environ.get(TRACEBACK):
        return "".join(traceback.format_exception(error)).rstrip()
    said = first_line(f"{type(error).__name__}: {error}")
    return (
        f"{said}{_where(error)}: this is a fault of the harness, please report it; type it again with {TRACEBACK}=1 "
        f"before it for a traceback, and `{command_line('gc')}` removes what is left"
    )


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _fail(message: str, exit_status: ExitStatus) -> int:
    said = f"error: {escape_controls(message, lines=True)}"
    sys.stderr.write(f"{wrap(said, columns_of(sys.stderr))}\n")
    return exit_status
