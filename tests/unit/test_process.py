"""Processes: commands end in time, together with what they started, and say what they said."""

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from clusters import process
from clusters.deadline import Deadline
from clusters.errors import CommandFailed, DeadlineExceeded, HarnessError


def soon(seconds: float = 10) -> Deadline:
    return Deadline.after(seconds, "the command")


def gone(pid: int) -> bool:
    """Whether a process ended within a second (or is a zombie that nobody has reaped)."""
    for _ in Deadline.after(1, "the process to end").attempts(0.01, 0.05):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
    return False


def test_output() -> None:
    """What a command prints comes back, both streams apart, with its status."""
    done = process.run(["sh", "-c", "echo out; echo err >&2"], soon())
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 0)


def test_stdin_is_text_or_a_file(tmp_path: Path) -> None:
    """A command reads the text or the file it is given."""
    assert process.run(["cat"], soon(), stdin="text").stdout == "text"
    Path(tmp_path, "file").write_text("in the file")
    with Path(tmp_path, "file").open("rb") as file:
        assert process.run(["cat"], soon(), stdin=file).stdout == "in the file"


def test_stdin_is_not_the_harness_own() -> None:
    """A command that is given nothing reads nothing of what the harness was given."""
    program = (
        "from clusters.process import run; from clusters.deadline import Deadline\n"
        "print(repr(run(['cat'], Deadline.after(60, 'cat')).stdout))\n"
    )
    assert process.run([sys.executable, "-c", program], soon(), stdin="secret").stdout == "''\n"


def test_stderr_to_a_file() -> None:
    """Where standard error goes to a file, the message still has it."""
    with tempfile.TemporaryFile() as file, pytest.raises(CommandFailed, match="no disk"):
        process.run(["sh", "-c", "echo no disk >&2; exit 3"], soon(), stderr=file)


def test_environment_is_added_to() -> None:
    """`env` is added to the environment, not put in its place."""
    done = process.run(["sh", "-c", "echo $HERE $PATH"], soon(), env={"HERE": "there"})
    assert done.stdout == f"there {os.environ['PATH']}\n"


def test_failure() -> None:
    """A command that fails raises what it was, its status and the end of what it said."""
    with pytest.raises(CommandFailed, match=r"(?s)`sh -c .*` ended with status 3:\n.*y$") as caught:
        process.run(["sh", "-c", "yes | head -5000 >&2; exit 3"], soon())
    assert len(str(caught.value)) < 2100


def test_failure_that_is_expected() -> None:
    """With `check` off a failure is a result."""
    assert process.run(["false"], soon(), check=False).returncode == 1


def test_no_such_program() -> None:
    """A program that is not there is named, with the command that tells what is missing."""
    with pytest.raises(HarnessError, match=r"no-such-program: .* `nox -s doctor`"):
        process.run(["no-such-program"], soon())


def test_deadline_ends_the_whole_group() -> None:
    """At the deadline the command ends, and so does what it started."""
    pids: list[int] = []
    with pytest.raises(DeadlineExceeded, match="still running"):
        process.run(["sh", "-c", "sleep 60 & sleep 60"], soon(0.2), on_start=pids.append)
    assert gone(pids[0])
    assert [pid for pid in group(pids[0]) if not gone(pid)] == []


def group(leader: int) -> list[int]:
    """Return the processes whose group is `leader`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == leader:
            found.append(int(stat.parent.name))
    return found


def test_interrupt_ends_the_command() -> None:
    """An interrupt of the harness ends the command before it goes on its way."""
    pids: list[int] = []
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        process.run(["sleep", "60"], soon(), on_start=pids.append)
    timer.join()
    assert gone(pids[0])


def test_end_all() -> None:
    """`end_all` ends commands that other threads run."""
    started = threading.Event()
    results: list[process.Completed] = []

    def work() -> None:
        results.append(process.run(["sleep", "60"], soon(), check=False, on_start=lambda _: started.set()))

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    process.end_all()
    began = time.monotonic()
    thread.join()
    assert time.monotonic() - began < 20
    assert results[0].returncode == -signal.SIGTERM
