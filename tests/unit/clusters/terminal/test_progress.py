"""Progress: a line a step."""

import io
import re
import threading

import pytest

from chaos_harness.clusters.terminal import progress
from chaos_harness.clusters.terminal.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "CI", "GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def test_plain_step() -> None:
    """In a log a step is a line when it begins and one when it ends, with how far and how long."""
    stream = io.StringIO()
    with Progress(stream).step("Build") as step:
        step.detail = "3 of 3"
    assert re.fullmatch(r" • Build …\n ✓ Build \(3 of 3\) 0\.\d s\n", stream.getvalue())


def test_failed_step() -> None:
    """A step that raises ends with ✗, and the error goes on."""
    stream = io.StringIO()
    with pytest.raises(ValueError, match="no"), Progress(stream).step("Build"):
        raise ValueError("no")
    assert stream.getvalue().splitlines()[-1].startswith(" ✗ Build")


def test_terminal_shows_how_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the line of the running step is written anew while it runs."""
    monkeypatch.setattr(progress, "_TICK_SECONDS", 0.01)
    stream = Terminal()
    with Progress(stream).step("Build") as step:
        step.detail = "1 of 3"
        threading.Event().wait(0.1)
    assert "\r\033[K • Build (1 of 3)" in stream.getvalue()
    assert "…" not in stream.getvalue()


def test_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks are coloured on a terminal, unless NO_COLOR is set."""
    stream = Terminal()
    with Progress(stream).step("Build"):
        pass
    assert "\033[32m✓\033[0m" in stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    with Progress(stream).step("Build"):
        pass
    assert "\033[32m" not in stream.getvalue()


def test_log_shows_long_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a log a long step is heard of now and then."""
    monkeypatch.setattr(progress, "_PLAIN_TICK_SECONDS", 0.01)
    stream = io.StringIO()
    with Progress(stream).step("Build"):
        threading.Event().wait(0.1)
    assert len(stream.getvalue().splitlines()) > 2


def test_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """A quiet progress shows nothing."""
    quiet = Progress.quiet()
    quiet.say("hello")
    with quiet.step("Build"):
        pass
    assert capfd.readouterr() == ("", "")


def test_say() -> None:
    """`say` is one line."""
    stream = io.StringIO()
    Progress(stream).say("hello")
    assert stream.getvalue() == "hello\n"


def test_say_once() -> None:
    """What holds for the whole run is one line, whoever finds it out again."""
    stream = io.StringIO()
    progress = Progress(stream)
    for text in ("nobody tried it", "another", "nobody tried it"):
        progress.say_once(text)
    assert stream.getvalue() == "nobody tried it\nanother\n"


def test_what_goes_on_meanwhile_stands_beside() -> None:
    """Each line asks anew what to tell behind the time."""
    stream, details = io.StringIO(), iter(["1 lost"])
    with Progress(stream).step("hold", lambda: next(details)):
        pass
    assert re.fullmatch(r" ✓ hold 0\.\d s \| 1 lost", stream.getvalue().splitlines()[-1])


def test_what_others_wrote_is_shown() -> None:
    """A name, how far, what goes on beside it, and what is said, may have others' words in them: none is obeyed."""
    stream, evil = Terminal(), "\x1b]52;c;cm0=\x07\x1b[2J"
    display = Progress(stream)
    with display.step(evil, lambda: evil) as step:
        step.detail = evil
    display.say(f"one\n{evil}")
    visible = re.sub(r"\r\x1b\[K|\x1b\[\d+m", "", stream.getvalue())

    assert visible.count(r"\x1b]52;c;cm0=\x07\x1b[2J") == 4
    assert all(line.isprintable() for line in visible.splitlines())
