"""Processes: commands end in time, together with what they started, and say what they said."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded, HarnessError
from chaos_harness.clusters.machine import process
from chaos_harness.clusters.machine.guardian import find_guardian
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.machine.orphans import members


def soon(seconds: float = 10) -> Deadline:
    return Deadline.after(seconds, "the command")


def gone(pid: int, seconds: float = 20) -> bool:
    """Whether a process ended within that time (or is a zombie that nobody has reaped)."""
    for _ in Deadline.after(seconds, "the process to end").attempts(0.01, 0.05):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
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
        "from chaos_harness.clusters.machine.process import run; from chaos_harness.clusters.deadline import Deadline\n"
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
    assert caught.value.said == str(caught.value).partition(":\n")[2]


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


def test_a_command_that_no_signal_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs in the kernel, as on a dead disk, is waited for as any other; its number is told."""
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.1)
    monkeypatch.setattr(process, "kill", lambda _: True)
    commands: list[subprocess.Popen[bytes]] = []
    end = process._end

    def record(command: subprocess.Popen[bytes]) -> DeadlineExceeded | None:
        commands.append(command)
        return end(command)

    monkeypatch.setattr(process, "_end", record)
    began = time.monotonic()
    with monkeypatch.context() as deaf:
        deaf.setattr(os, "killpg", lambda *_: None)
        with pytest.raises(DeadlineExceeded, match="still running") as error:
            process.run(["sleep", "20"], soon(0.1))
    assert time.monotonic() - began < 15
    (note,) = error.value.__notes__
    assert f"for process {commands[0].pid} to end, which was killed; last seen: it is there; see `ps " in note
    commands[0].kill()
    commands[0].wait(10)


def group(leader: int) -> list[int]:
    """Return the processes whose group is `leader`."""
    pids = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == leader:
            pids.append(int(stat.parent.name))
    return pids


def test_interrupt_ends_the_command() -> None:
    """An interrupt of the harness ends the command before it goes on its way."""
    pids: list[int] = []
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))

    def begun(pid: int) -> None:
        pids.append(pid)
        timer.start()

    with pytest.raises(KeyboardInterrupt):
        process.run(["sleep", "60"], soon(), on_start=begun)
    timer.join()
    assert gone(pids[0])


def test_end_all() -> None:
    """`end_all` ends commands that other threads run."""
    started = threading.Event()
    results: list[process.CommandResult] = []

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


_HARNESS = """
import sys
import threading
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.guardian import find_guardian
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.machine.process import run

with try_lock("orphans"):
    run(["true"], Deadline.after(60, "a first command"))
    words = ["sh", "-c", "sleep 61 & (exec setpriv --pdeathsig clear sleep 62) & set -m; sleep 63 & echo $$; wait"]
    deadline = Deadline.after(60, "a command")
    threading.Thread(target=run, args=(words, deadline), kwargs={"stdout": sys.stdout.buffer}, daemon=True).start()
    for _ in sys.stdin:
        run(["true"], deadline)
        print("ran", flush=True)
"""


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Give a process that holds a lock and runs a command with children, and the session of these.

    It runs another command for each line that it reads, and says so.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    root = Path(__file__).parents[4]
    words = [sys.executable, "-c", _HARNESS]
    with subprocess.Popen(words, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout
        session = int(running.stdout.readline())
        for _ in soon().attempts(0.01):
            if len(members(session)) == 4:
                break
        yield running, session
        running.kill()
    for pid in members(session):
        os.kill(pid, signal.SIGKILL)


def guardian(of: int) -> int:
    """Return the process that waits beside another one; one just begun has no words for a moment (see execve(2))."""
    for _ in soon().attempts(0.01):
        if found := find_guardian(of):
            return found
    raise AssertionError(f"nobody waits beside {of}")


def test_a_kill_ends_all_that_was_started(harness: tuple[subprocess.Popen[bytes], int]) -> None:
    """After kill -9 no process of a command is left, whatever its group is, and neither is who ended them."""
    running, session = harness
    beside = guardian(running.pid)
    running.kill()
    running.wait()
    assert gone(beside)
    assert members(session) == []


_KILLED_AT_ONCE = """
import os
import signal
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine import process

process.guard = lambda session: (print(session, flush=True), os.kill(os.getpid(), signal.SIGKILL))
process.run(["sh", "-c", "sleep 61 & set -m; sleep 62 & wait"], Deadline.after(60, "a command"))
"""


def test_a_command_that_was_just_started_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before it could say which session is its command's, a process leaves nothing behind either."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    words = [sys.executable, "-c", _KILLED_AT_ONCE]
    killed = subprocess.run(words, cwd=Path(__file__).parents[4], stdout=subprocess.PIPE, check=False)
    session = int(killed.stdout)
    since = time.monotonic()
    for _ in soon().attempts(0.01):
        if members(session):
            since = time.monotonic()
        elif time.monotonic() - since > 0.6:
            break
    assert members(session) == []


def test_a_lock_is_free_when_all_have_ended(harness: tuple[subprocess.Popen[bytes], int]) -> None:
    """A killed process's lock stays taken while a child of it lives, which may still write where nobody else must."""
    running, session = harness
    beside = guardian(running.pid)
    os.kill(beside, signal.SIGSTOP)
    running.kill()
    running.wait()
    assert members(session)
    with try_lock("orphans") as free:
        assert not free
    os.kill(beside, signal.SIGCONT)
    assert gone(beside)
    with try_lock("orphans") as free:
        assert free


def test_linux_itself_ends_the_command_when_nobody_waits_beside(harness: tuple[subprocess.Popen[bytes], int]) -> None:
    """The command's first process dies with the harness, though its guardian was killed before."""
    running, session = harness
    os.kill(guardian(running.pid), signal.SIGKILL)
    running.kill()
    running.wait()
    assert gone(session)


def test_an_ending_command_ends_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the deadline nothing of a command's session is left, what ignores TERM and has a group of its own included."""
    pids: list[int] = []
    words = ["sh", "-c", "set -m; (trap '' TERM; sleep 64; sleep 65) & wait"]
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.3)
    with pytest.raises(DeadlineExceeded):
        process.run(words, soon(0.5), on_start=pids.append)
    assert members(pids[0]) == []


def test_a_guardian_that_was_ended_is_replaced() -> None:
    """The very next command is guarded again."""
    process.run(["true"], soon())
    ended = guardian(os.getpid())
    os.kill(ended, signal.SIGKILL)
    assert gone(ended)
    process.run(["true"], soon())
    assert guardian(os.getpid()) != ended


def test_a_new_guardian_knows_what_runs(harness: tuple[subprocess.Popen[bytes], int]) -> None:
    """What was begun under a guardian that was ended is ended by the next one."""
    running, session = harness
    ended = guardian(running.pid)
    os.kill(ended, signal.SIGKILL)
    assert gone(ended)
    assert running.stdin
    assert running.stdout
    running.stdin.write(b"\n")
    running.stdin.flush()
    assert running.stdout.readline() == b"ran\n"
    beside = guardian(running.pid)
    running.kill()
    running.wait()
    assert gone(beside)
    assert members(session) == []


def test_what_is_detached_lives_on(tmp_path: Path) -> None:
    """A daemon in a session of its own, such as the private engine, is nobody's child."""
    program = (
        "from chaos_harness.clusters.machine.process import run; from chaos_harness.clusters.deadline import Deadline\n"
        "words = ['setsid', '--fork', 'sh', '-c', 'echo $$ > pid; exec sleep 66 > /dev/null 2>&1']\n"
        "run(words, Deadline.after(60, 'it'), "
        f"cwd=__import__('pathlib').Path({str(tmp_path)!r}))\n"
    )
    process.run([sys.executable, "-c", program], soon(60))
    for _ in soon().attempts(0.01):
        if (tmp_path / "pid").exists() and (pid := (tmp_path / "pid").read_text()):
            break
    assert not gone(int(pid), 1)
    os.kill(int(pid), signal.SIGKILL)
