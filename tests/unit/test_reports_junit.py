"""JUnit: the file that continuous integration reads, of a real session."""

from pathlib import Path
from xml.etree import ElementTree as ET

from reports.junit import clean
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
    found = {each.get("name"): each.get("value") for each in properties}

    assert found == {
        "seed": "7",
        "claim: pods ready within 60 s": "violated, expected violated (open-policy-agent/gatekeeper#3839): "
        "0 of 4 ready after 60 s",
        "figure: pods ready within 60 s: asked_seconds": "1.5",
        "figure: pods ready within 60 s: recovered_seconds": "62",
    }
    assert "chaos-record" not in (every_kind.results.parent / "junit.xml").read_text(encoding="utf-8")


def test_file_that_is_cut_off_is_removed(tmp_path: Path) -> None:
    """What nobody can read, and was not cleaned, does not stay; a file that is not there is no error."""
    (tmp_path / "junit.xml").write_text('<testsuites><testsuite name="token: planted', encoding="utf-8")
    clean(tmp_path / "junit.xml", {})
    clean(tmp_path / "junit.xml", {})

    assert list(tmp_path.iterdir()) == []
