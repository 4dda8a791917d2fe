"""Record: an adoption names container ids, is private, and ends."""

from pathlib import Path

import pytest

from chaos_harness.clusters.adoption import record
from chaos_harness.clusters.errors import BadScenario, HarnessError
from tests.fakes.users import adopted


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_what_is_written_is_read_again() -> None:
    """Ids, user, times, shape and fingerprint survive, in a file that nobody else may read."""
    written = adopted()
    record.write(written)
    assert record.read("dev") == written
    folder = record.folder_of("dev")
    assert (folder.stat().st_mode & 0o777, (folder / "adoption.json").stat().st_mode & 0o777) == (0o700, 0o600)


def test_an_adoption_ends() -> None:
    """After its time nothing may be done to the cluster, and what may take longer than is left is not begun."""
    record.write(adopted(left=600))
    assert record.require_live("dev", 300).left > 300
    with pytest.raises(BadScenario, match=r"10 minutes are left, and this may take 15"):
        record.require_live("dev", 900)
    record.write(adopted(left=-1))
    with pytest.raises(BadScenario, match=r"adopted by ada from .* that time is over; `nox -s release -- dev`"):
        record.require_live("dev")
    assert record.read("dev").left < 0, "to heal and to release it stays known"


def test_what_is_not_adopted_is_named() -> None:
    """A name with a typo gets the one that was meant."""
    record.write(adopted())
    with pytest.raises(BadScenario, match=r"'dve' is not adopted; did you mean dev\? adopted is dev"):
        record.read("dve")
    record.forget("dev")
    with pytest.raises(BadScenario, match="adopted is none"):
        record.read("dev")


def test_a_record_that_cannot_be_read_is_told() -> None:
    """It may stand for a cluster that is harmed, so it is not passed over."""
    (record.folder_of("dev") / "adoption.json").write_text("{}")
    with pytest.raises(HarnessError, match=r"adoption\.json: expected the record of an adopted cluster.*rm -r"):
        list(record.records())


@pytest.mark.parametrize("name", ["../runs", "", "a/b", "-x", "A"])
def test_no_name_leads_elsewhere(name: str) -> None:
    """A folder is made for names that kind takes, and for no path."""
    with pytest.raises(BadScenario, match="expected the name of a kind cluster"):
        record.folder_of(name)
