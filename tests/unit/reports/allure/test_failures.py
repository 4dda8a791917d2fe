"""Failures: what a terminal shows of a test that failed."""

from pathlib import Path

from tests.sessions import run

_FAILING = """
import logging
import pytest

SECRET = "Winter" + "2026planted"

@pytest.fixture
def broken():
    raise OSError("set-up: Bearer " + SECRET)

def test_fails(leave):
    password = SECRET
    print("\\x1b]52;c;eA==\\x07 token=" + SECRET)
    logging.warning("password: %s", SECRET)
    try:
        raise ValueError("http://a:" + SECRET + "@b")
    except ValueError as error:
        raise AssertionError("\\x1b[2J \\x9b Authorization: Basic YTpXaW50ZXI=, Bearer " + SECRET) from error

def test_broken(broken):
    pass

def test_skipped():
    pytest.skip("token=" + SECRET)
"""


def test_a_terminal_gets_neither_secrets_nor_what_it_obeys(tmp_path: Path) -> None:
    """Traces, messages, values of locals, captured output and reasons are cleaned; what remains tells the failure."""
    session = run(tmp_path, _FAILING, "-ra", "-l")

    assert session.status == 1
    assert "Winter2026planted" not in session.output
    assert not any(sequence in session.output for sequence in ("\x1b]", "\x1b[2J", "\x07", "\x9b"))
    assert "INTERNALERROR" not in session.output
    assert "AssertionError: \\x1b[2J \\x9b Authorization: Basic <redacted>" in session.output
    assert "ValueError: http://<redacted>@b" in session.output
    assert "1 failed, 1 skipped, 1 error" in session.output
