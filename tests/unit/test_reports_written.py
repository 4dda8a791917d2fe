"""Written: what is on the disk of a report is clean at any moment, and nobody else may read it."""

import os
import stat
from pathlib import Path

import pytest

from reports.written import Writer, clean
from tests.sessions import run

_PLANTED = "Winter2026planted"
_KILLED = '''
"""Scenarios of which the second is killed."""
import os, logging, pytest, allure

SECRET = "Winter" + "2026planted"

@pytest.mark.parametrize("password", [SECRET], ids=["a"])
def test_first(leave, password, tmp_path):
    secret = "Authorization: Bearer " + SECRET
    leave(environment={"proxy": f"http://a:{SECRET}@b"})
    print(secret)
    logging.warning(secret)
    (tmp_path / "x.txt").write_text(secret)
    allure.attach.file(str(tmp_path / "x.txt"))
    allure.attach(f"token: {SECRET}", "said", "text/plain")
    allure.attach(f"<p>password={SECRET}</p>", "page", allure.attachment_type.HTML)
    raise AssertionError(secret)

def test_second():
    os.kill(os.getpid(), 9)
'''


def test_a_kill_leaves_nothing_in_clear(tmp_path: Path) -> None:
    """After kill -9 in the second test no token of the first is on the disk, and only the owner may read what is."""
    before = os.umask(0o022)
    try:
        session = run(tmp_path, _KILLED)
    finally:
        os.umask(before)
    place = session.results.parent
    files = [path for path in place.rglob("*") if path.is_file()]

    assert session.status == -9
    assert len(session.load("*-result.json")) == 1
    assert len(list(session.results.glob("*-attachment.*"))) >= 5
    assert [path.name for path in files if _PLANTED.encode() in path.read_bytes()] == []
    assert {stat.S_IMODE(path.stat().st_mode) for path in (place, session.results)} == {0o700}
    open_ = [
        path.name for path in files if stat.S_IMODE(path.stat().st_mode) != 0o600 and path.name != "verdicts.jsonl"
    ]
    assert open_ == []


def test_links_that_run_something_are_no_links() -> None:
    """Of a result's links only those to the web stay."""
    links = [{"url": "javascript:alert(1)", "name": "a"}, {"url": "https://x.example/1"}, {"url": "data:text/html,x"}]

    assert clean({"links": links})["links"] == [links[1]]


def test_controls_are_written_out() -> None:
    """What a terminal obeys, and what is no character, stands in a result as its escape; line ends stay."""
    assert clean({"message": "a\n\x1b]0;x\x07\ud800"}) == {"message": "a\n\\x1b]0;x\\x07\\ud800"}


@pytest.mark.parametrize("body", ["a token=Winter2026planted \ud800", b"\xff token=Winter2026planted"])
def test_an_attachment_of_any_bytes_is_written(tmp_path: Path, body: str | bytes) -> None:
    """What is no UTF-8 does not keep an attachment from being cleaned and written."""
    Writer(str(tmp_path / "results")).report_attached_data(body, "x-attachment.txt")

    text = (tmp_path / "results" / "x-attachment.txt").read_text(encoding="utf-8")
    assert "token=<redacted>" in text


def test_a_picture_is_written_as_it_is(tmp_path: Path) -> None:
    """What is no text is not read as one."""
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff")
    Writer(str(tmp_path / "results")).report_attached_file(str(tmp_path / "a.png"), "x-attachment.png")

    assert (tmp_path / "results" / "x-attachment.png").read_bytes() == b"\x89PNG\xff"
