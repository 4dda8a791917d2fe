"""Interrupts: the first signal stops, none breaks off what puts things right, and each is answered."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaos_harness.clusters.machine import signals
from chaos_harness.clusters.machine.signals import (
    announce_cleanup,
    defer_interrupts,
    end_uninterrupted,
    exit_uninterrupted,
)

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in _SIGNALS]
    yield
    assert [signal.getsignal(number) for number in _SIGNALS] == before


@pytest.fixture
def messages(tmp_path: Path) -> Iterator[Path]:
    """Give the file that interrupts are told in, while they are installed."""
    path = tmp_path / "told"
    with path.open("wb") as file:
        restore = signals.install_handlers(file.fileno())
        yield path
        restore()


def send(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", _SIGNALS)
def test_the_first_stops_and_later_ones_are_told(messages: Path, number: signal.Signals) -> None:
    """Only the first raises; what is still owed is named with the sum of its seconds, and what breaks it off."""
    with announce_cleanup("remove the cluster", 100.0), announce_cleanup("heal", 20.0):
        with pytest.raises(KeyboardInterrupt):
            send(number)
        assert messages.read_bytes() == b""
        send(number)
    text = messages.read_text(encoding="ascii")
    assert "still running, for 120 s at most: heal, then remove the cluster\n" in text
    assert f"type: kill -9 {os.getpid()}; nox -s gc\n" in text


def test_a_block_is_done_to_its_end(messages: Path) -> None:
    """A signal within raises at the end of the outermost block, once."""
    done = []

    def end() -> None:
        with defer_interrupts("end", 10.0):
            with defer_interrupts("heal", 5.0):
                send()
                done.append("healed")
            send(signal.SIGHUP)
            done.append("ended")

    with pytest.raises(KeyboardInterrupt):
        end()
    assert done == ["healed", "ended"]
    assert messages.read_text(encoding="ascii").count("still running") == 2
    with defer_interrupts("another", 5.0):
        send()


def test_a_block_needs_nobody_to_have_installed_anything(capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever uses an experiment in a program of his own has it healed, too, time after time."""
    done = []

    def heal() -> None:
        with defer_interrupts("heal", 5.0):
            send(signal.SIGTERM)
            done.append("healed")

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            heal()
    assert done == ["healed"] * 2
    assert capfd.readouterr().err.count("heal\n") == 2


def test_a_context_is_left_to_its_end(messages: Path) -> None:
    """What a block has brought about is taken back whole, whether a signal comes in the block or afterwards."""
    done = []

    @contextmanager
    def prepared() -> Iterator[str]:
        try:
            yield "there"
        finally:
            send()
            done.append("taken back")

    def prepare(*, interrupted: bool) -> None:
        with exit_uninterrupted(prepared(), "take it back", 5.0) as proof:
            done.append(proof)
            if interrupted:
                send()

    for interrupted in (False, True):
        restore = signals.install_handlers()
        with pytest.raises(KeyboardInterrupt):
            prepare(interrupted=interrupted)
        restore()
    assert done == ["there", "taken back"] * 2


def test_a_block_ends_as_it_says(messages: Path) -> None:
    """Its end runs whole, whether a signal comes in the block, in its end, or the block fails; then it is told."""
    done = []

    def end() -> None:
        send()
        done.append("ended")

    def block(problem: type[BaseException] | None = None) -> None:
        with end_uninterrupted(end, "give it back", 5.0):
            if problem:
                raise problem

    for problem in (None, KeyboardInterrupt, ValueError):
        restore = signals.install_handlers()
        with pytest.raises(KeyboardInterrupt):
            block(problem)
        restore()
    assert done == ["ended"] * 3


def test_what_is_ignored_stays_ignored(messages: Path) -> None:
    """`nohup` has a run go on when the terminal closes."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        restore = signals.install_handlers()
        with defer_interrupts("heal", 5.0):
            send(signal.SIGHUP)
        send(signal.SIGHUP)
        restore()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert messages.read_bytes() == b""


def test_another_thread_is_left_alone() -> None:
    """No signal reaches it, and it may not set handlers."""
    done = []

    def work() -> None:
        restore = signals.install_handlers()
        with announce_cleanup("heal", 1.0), defer_interrupts("heal", 1.0):
            done.append("healed")
        restore()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["healed"]
