"""JUnit: the file that continuous integration reads, of a real session."""

import stat
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.reports.junit import clean_xml, write_when_clean
from tests.sessions import Session


def _cases(session: Session) -> dict[str, ET.Element]:
    tree = ET.parse(session.results.parent / "junit.xml")
    return {case.get("name", ""): case for case in tree.iter("testcase")}


def test_each_test_has_its_outcome(every_kind: Session) -> None:
    """Failures, errors of the harness and skipped tests are what pytest says that they are."""
    cases = _cases(every_kind)

    assert len(cases) == 7
    assert cases["test_pods_restart[Always]"].find("failure") is None
    assert cases["test_product[Always-present]"].find("failure") is not None
    assert cases["test_skipped"].find("skipped") is not None


def test_claims_are_properties_in_place_of_records(every_kind: Session) -> None:
    """A claim and its figures can be read without knowing our JSON, and no record is left in raw form."""
    properties = _cases(every_kind)["test_pods_restart[Always]"].iter("property")
    values = {element.get("name"): element.get("value") for element in properties}

    assert values == {
        "seed": "7",
        "claim: pods ready within 60 s": "violated, expected violated (open-policy-agent/gatekeeper#3839): "
        "0 of 4 ready after 60 s",
        "figure: pods ready within 60 s: asked_seconds": "1.5",
        "figure: pods ready within 60 s: recovered_seconds": "62",
    }
    assert "chaos-record" not in (every_kind.results.parent / "junit.xml").read_text(encoding="utf-8")


_HOSTILE = "\x1b]0;x\x07 \ud800 \uffff \x00 <![CDATA[ ]]> &amp; \r\n token: Winter2026x"
_WRITTEN = b"""<testsuites><testsuite><testcase classname="a.test_b" name="test_c[1]"><properties>
<property name="chaos-record" value="{}"/></properties><failure message="password=Winter2026x">x</failure>
<system-out>token: Winter2026x</system-out></testcase></testsuite></testsuites>"""


def test_whatever_a_claim_says_it_is_xml_without_secrets() -> None:
    """Controls, escape sequences, half characters and what is none are written out; nothing planted is left."""
    claim = ClaimRecord(_HOSTILE, "holds", "violated", _HOSTILE, _HOSTILE, [], {_HOSTILE: 1.0})
    record = Record("test_c[1]", {}, 7, "", "", claims=[claim])
    cleaned = clean_xml(_WRITTEN, {"a/test_b.py::test_c[1]": record})
    values = [element.get("value") or "" for element in ET.fromstring(cleaned).iter("property")]

    assert len(values) == 3
    assert "\\x1b]0;x\\x07 \\ud800 \\uffff \\x00 <![CDATA[ ]]> &amp;" in values[1]
    assert b"Winter2026x" not in cleaned


def test_what_is_cut_off_is_not_told() -> None:
    """What nobody can read, and was not cleaned, is empty."""
    assert clean_xml(b'<testsuites><testsuite name="token: planted', {}) == b"<testsuites/>\n"


def test_nothing_is_on_the_disk_before_it_is_clean(tmp_path: Path) -> None:
    """The writer of pytest writes into memory; the file comes afterwards, for its owner, where it was asked for."""
    writer = SimpleNamespace(logfile=str(tmp_path / "new" / "junit.xml"))
    with write_when_clean(writer, {}):
        Path(writer.logfile).write_bytes(_WRITTEN)
        assert list(tmp_path.iterdir()) == []
    path = tmp_path / "new" / "junit.xml"

    assert writer.logfile == str(path)
    assert b"Winter2026x" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_pytest_did_not_write_is_not_there(tmp_path: Path) -> None:
    """No file comes of a writer that wrote none, or of none at all."""
    with write_when_clean(None, {}), write_when_clean(SimpleNamespace(logfile=str(tmp_path / "junit.xml")), {}):
        pass

    assert list(tmp_path.iterdir()) == []
