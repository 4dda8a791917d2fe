"""Results: every file of a report is redacted at any moment, and no other user may read it."""

import os
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from chaos_harness.reports.allure.results import ResultWriter, clean_result
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


_HOSTILE = """
HOSTILE = "a\\x1b]52;c;eA==\\x07 \\x9b2J \\ud800 \\uffff \\x00 | \\r\\n# ]]> <b> \\u202e"

def test_hostile(leave):
    claim = {"name": HOSTILE, "expected": "holds", "outcome": "violated", "issue": "javascript:" + HOSTILE,
             "summary": HOSTILE, "evidence": [HOSTILE], "figures": {"a_seconds": 1.0}}
    leave(claims=[claim], environment={HOSTILE: HOSTILE},
          phases=[{"name": HOSTILE, "start": 1.0, "stop": 2.0, "status": "failed", "detail": HOSTILE}])
    print(HOSTILE)
    raise AssertionError(HOSTILE)
"""


def test_what_others_wrote_breaks_no_report(tmp_path: Path) -> None:
    """Escape sequences, half characters and non-characters reach neither terminal nor files, all of which parse."""
    session = run(tmp_path, _HOSTILE, "--tb=no")
    place = session.results.parent
    texts = {path.name: path.read_bytes().decode() for path in place.rglob("*") if path.suffix not in {".gz", ".svg"}
             and path.is_file()}  # fmt: skip
    (result,) = session.load("*-result.json")

    assert session.status == 1
    assert "INTERNALERROR" not in session.output
    assert "the report is not complete" not in session.output
    assert not any(sequence in session.output for sequence in ("\x1b]", "\x07", "\x9b", "\u202e"))
    assert ET.fromstring(texts["junit.xml"].encode()).find(".//failure") is not None
    assert result.get("links", []) == []
    assert [name for name, text in texts.items() if "\x1b" in text or "\ufffe" in text or "\x07" in text] == []
    assert len(texts["environment.properties"].splitlines()) == len(set(texts["environment.properties"].splitlines()))
    assert "\r" not in texts["environment.properties"] + texts["metrics.prom"]


def test_links_that_run_something_are_no_links() -> None:
    """Of a result's links only those to the web stay."""
    links = [{"url": "javascript:alert(1)", "name": "a"}, {"url": "https://x.example/1"}, {"url": "data:text/html,x"}]

    assert clean_result({"links": links})["links"] == [links[1]]


def test_controls_are_written_out() -> None:
    """What a terminal obeys, and what is no character, stands in a result as its escape; line ends stay."""
    assert clean_result({"message": "a\n\x1b]0;x\x07\ud800"}) == {"message": "a\n\\x1b]0;x\\x07\\ud800"}


@pytest.mark.parametrize("body", ["a token=Winter2026planted \ud800", b"\xff token=Winter2026planted"])
def test_an_attachment_of_any_bytes_is_written(tmp_path: Path, body: str | bytes) -> None:
    """What is no UTF-8 does not keep an attachment from being cleaned and written."""
    ResultWriter(str(tmp_path / "results")).report_attached_data(body, "x-attachment.txt")

    text = (tmp_path / "results" / "x-attachment.txt").read_text(encoding="utf-8")
    assert "token=<redacted>" in text


def test_a_picture_is_written_as_it_is(tmp_path: Path) -> None:
    """What is no text is not read as one."""
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff")
    ResultWriter(str(tmp_path / "results")).report_attached_file(str(tmp_path / "a.png"), "x-attachment.png")

    assert (tmp_path / "results" / "x-attachment.png").read_bytes() == b"\x89PNG\xff"
