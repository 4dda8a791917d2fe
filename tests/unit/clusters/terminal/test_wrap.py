"""Wrap: messages fit a terminal, and scripts read them in one line."""

import io

import pytest

from chaos_harness.clusters.terminal.wrap import wrap, wrap_for

_WORDS = "error: a.yaml:1:2: claims.0.with.how: " + "no step does this; " * 8


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [80, 60, 200])
def test_lines_fit(width: int) -> None:
    """No line is longer than the terminal is wide, none is lost, and what goes on is indented."""
    lines = wrap(f"{_WORDS}\nsecond\n", width).split("\n")

    assert all(len(line) < width for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(f"{_WORDS} second".split())
    assert [line for line in lines if not line.startswith("  ")] == [lines[0], "second", ""]


def test_a_command_stays_whole() -> None:
    """What is to be copied, and is longer than the line, is not broken."""
    assert f"/{'a' * 300}" in wrap(f"see /{'a' * 300} there", 80).split("\n  ")


def test_only_terminals_get_short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log, and what reads standard error by lines, keeps a message in its line."""
    monkeypatch.setenv("COLUMNS", "80")
    assert wrap_for(io.StringIO(), _WORDS) == _WORDS
    assert "\n" in wrap_for(_Terminal(), _WORDS)
