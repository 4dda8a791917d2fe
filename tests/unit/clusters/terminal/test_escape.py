"""What others wrote is escaped before anybody sees it."""

import time
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos_harness.clusters.terminal.escape import escape_controls, first_line, last_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gatekeeper läßt zu, 日本 ✓", "Gatekeeper läßt zu, 日本 ✓"),
        ("\x1b]52;c;cm0gLXJm\x07", r"\x1b]52;c;cm0gLXJm\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("txt\u202egpj", r"txt\u202egpj"),
        ("a\u200bb\ufeff\u2028", r"a\u200bb\ufeff\u2028"),
        ("\ud800\uffff\0", r"\ud800\uffff\x00"),
        ("C:\\new", "C:\\new"),
    ],
)
def test_what_a_terminal_obeys_or_a_reader_does_not_see_is_written_out(text: str, expected: str) -> None:
    """Controls, OSC, C1, line ends, direction marks, zero widths, surrogates and non-characters are escaped."""
    assert escape_controls(text) == expected


def test_line_ends_stay_where_a_text_has_lines() -> None:
    """With `lines`, a text of several lines stays one, and a carriage return is none of them."""
    assert escape_controls("one\ntwo\r\x1b[2K", lines=True) == "one\ntwo\\r\\x1b[2K"


def test_a_long_text_is_cut() -> None:
    """No more of a text is shown than was asked for."""
    assert escape_controls("x" * 2_000_000, most=5) == "xxxxx…"
    assert escape_controls("xxxxx", most=5) == "xxxxx"


@given(st.text(st.characters(codec=None, categories=None)))
def test_whatever_it_was_it_is_printable_afterwards_and_stays_so(text: str) -> None:
    """Any text comes out printable, can be encoded, fits into XML, and is the same when it is shown again."""
    escaped = escape_controls(text)
    assert escaped.isprintable()
    assert escape_controls(escaped) == escaped
    assert len(escaped) <= 10 * len(text)
    escaped.encode()
    element = ET.Element("a")
    element.text = escaped
    assert ET.fromstring(ET.tostring(element)).text == (escaped or None)


def test_it_takes_time_in_proportion_to_the_text() -> None:
    """A million characters that are all escaped take less than two seconds of the processor."""
    began = time.process_time()
    escape_controls("\x1b" * 1_000_000)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [("one", "one", "one"), ("one\ntwo\nthree\n", "one", "three"), ("", "", ""), ("one\n\n", "one", "one")],
)
def test_one_line_of_a_message(words: str, first: str, last: str) -> None:
    """A place that has room for one line shows the first, or, of what a program said, the last that is not empty."""
    assert (first_line(words), last_line(words)) == (first, last)
