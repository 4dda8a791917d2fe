"""Processes: runs one command with a deadline, and reports its output when it fails."""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded, HarnessError
from chaos_harness.clusters.machine.guardian import announce, guard, release
from chaos_harness.clusters.machine.orphans import MARK, kill, members

__all__ = ["CommandResult", "end_all", "require_success", "run", "start_command"]

_TAIL = 2000
_GRACE_SECONDS = 10
_running: set["subprocess.Popen[bytes]"] = set()


@dataclass(frozen=True)
class CommandResult:
    """The output of a command, as text, and its exit status."""

    stdout: str
    stderr: str
    returncode: int


def run(
    argv: Sequence[str | Path],
    deadline: Deadline,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
    check: bool = True,
    on_start: Callable[[int], None] | None = None,
) -> CommandResult:
    """Run `argv` to its end and return its output.

    `env` is added to the environment. `stdin` is text to send or a file to read from; `stdout` and `stderr` are files
    to write to instead of collecting (`stderr` must be readable, too). The command gets a session of its own. All of it
    is ended, TERM then KILL, when the deadline passes or this process is interrupted, and killed when this process is.

    Raises CommandFailed (status other than 0, unless `check` is false), DeadlineExceeded, HarnessError (no such
    program).
    """
    words = [str(word) for word in argv]
    text = stdin.encode() if isinstance(stdin, str) else None
    source = stdin if stdin is not None and not isinstance(stdin, str) else subprocess.DEVNULL
    files = subprocess.PIPE if text is not None else source, stdout or subprocess.PIPE, stderr or subprocess.PIPE
    with start_command(words, *files, env=env, cwd=cwd) as process:
        if on_start:
            on_start(process.pid)
        try:
            out, err = process.communicate(text, timeout=deadline.remaining)
        except subprocess.TimeoutExpired:
            raise deadline.error(f"`{' '.join(words)}` still running") from None
    if stderr is not None:
        stderr.seek(0)
        err = stderr.read()
    done = CommandResult((out or b"").decode(errors="replace"), err.decode(errors="replace"), process.returncode)
    if check:
        require_success(words, done)
    return done


def require_success(words: Sequence[str], done: CommandResult) -> None:
    """Raise CommandFailed if a command ended with a status other than 0; the message has the end of its output."""
    if done.returncode != 0:
        tail = (done.stderr.strip() or done.stdout.strip())[-_TAIL:]
        raise CommandFailed(f"`{' '.join(words)}` ended with status {done.returncode}:\n{tail}", said=tail)


@contextlib.contextmanager
def start_command(
    words: Sequence[str],
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in a session of its own during the block, with files or pipes as `subprocess.Popen` takes them.

    `env` is added to the environment. If the command still runs at the end of the block or after an error, all of its
    session is ended, TERM then KILL; also if this process is killed or one of its threads calls `end_all`.

    Raises HarnessError (no such program), DeadlineExceeded if it does not end although it was killed.
    """
    environment = {**os.environ, **(env or {})}
    with contextlib.ExitStack() as starting:
        mark = starting.enter_context(announce())
        try:
            process = subprocess.Popen(
                [*_kill_with_parent(words[0], environment.get("PATH"), cwd), *words],
                env={**environment, MARK: mark},
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise HarnessError(
                f"{words[0]}: no such program on PATH; `{command_line('doctor')}` tells what is missing"
            ) from error
        _running.add(process)
        try:
            guard(process.pid)
            starting.close()
            yield process
        except BaseException as error:
            if problem := _end(process):
                error.add_note(str(problem))
            raise
        else:
            if process.poll() is None and (problem := _end(process)):
                raise problem
        finally:
            _running.discard(process)
            if process.poll() is None:
                kill(process.pid)  # and it stays with the guardian
            else:
                release(process.pid)
            for pipe in (process.stdout, process.stderr, process.stdin):
                if pipe:
                    pipe.close()


def end_all() -> None:
    """End every command of every thread: an interrupt reaches the main thread only."""
    for process in list(_running):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> DeadlineExceeded | None:
    """End a command and its session; return an error if it still exists long after KILL, as on a dead disk."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = Deadline.after(_GRACE_SECONDS, f"process {process.pid} to end, which was killed")
        for _ in deadline.attempts(first=0.01, most=0.2):
            left = kill(process.pid) if number == signal.SIGKILL else bool(members(process.pid))
            if process.poll() is not None and not left:
                return None
    return deadline.error(f"it is there; see `ps -o stat,wchan:30,cmd --sid {process.pid}`")


def _kill_with_parent(program: str, path: str | None, cwd: Path | None) -> list[str]:
    """Return a command prefix with which Linux itself kills the command when this process is killed.

    It works where the guardian was killed, too. For a missing program it returns nothing, so that the error names the
    right program.
    """
    there = (cwd or Path()) / program if os.sep in program else shutil.which(program, path=path)
    return [*_setpriv()] if there and Path(there).exists() else []


@functools.cache
def _setpriv() -> tuple[str, ...]:
    """Return the setpriv command if it supports --pdeathsig; not every version does."""
    setpriv = shutil.which("setpriv")
    words = (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()
    able = words and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    return words if able else ()
