"""Command line of the bench: how it ends when it cannot measure."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as command


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CHAOS_ENGINE", "system")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def test_without_an_engine_it_is_told_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is one message, as with every other command, and no table."""
    assert command.main(["histories", "--output", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert (captured.err.count("error:"), captured.out) == (1, "")
    assert "docker info" in captured.err
