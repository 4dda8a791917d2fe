"""Width: what fits stays as it is, what does not is cut or broken at spaces."""

import io

import pytest

from chaos_harness.clusters.terminal.width import columns_of, cut, cut_left, terminal_columns, text_columns, wrap


@pytest.mark.parametrize(
    ("text", "columns", "kept"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a bcd", 3, "a…"), ("abc", 0, ""), ("日本語", 4, "日…"), ("é́a", 2, "é́a")],
)
def test_what_is_too_long_ends_with_an_ellipsis(text: str, columns: int, kept: str) -> None:
    """Wide characters take two columns, and combining ones none."""
    assert cut(text, columns) == kept
    assert text_columns(kept) <= columns


def test_the_end_can_be_what_stays() -> None:
    """Numbers stand at the end of a line, and none is cut."""
    assert cut_left("experiment: 280 ok", 8) == "…280 ok"
    assert cut_left("experiment: 280 ok", 5) == "…ok"
    assert cut_left("experiment", 6) == ""


def test_a_line_is_broken_at_spaces_and_indented() -> None:
    """The lines below show what they belong to, and a path that is too long can be copied."""
    assert wrap("  expected this: /a/long/path/of/a/file", 16) == "  expected this:\n    /a/long/path/of/a/file"
    assert wrap("one\ntwo", 16) == "one\ntwo"
    assert wrap("one two", None) == "one two"


def test_a_pipe_has_no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever COLUMNS says: a log gets its lines whole."""
    monkeypatch.setenv("COLUMNS", "40")
    assert columns_of(io.StringIO()) is None
    assert terminal_columns(io.StringIO()) == 40
    monkeypatch.delenv("COLUMNS")
    assert terminal_columns(io.StringIO()) == 80
    monkeypatch.setenv("COLUMNS", "3")
    assert terminal_columns(io.StringIO()) == 20
