"""Guard: a real session on a disk that takes no more."""

import re
from pathlib import Path

import pytest

from chaos_harness.reports.allure.disk_errors import DiskErrorGuard
from tests.sessions import run

_LIMITED = """
import resource
import pytest

@pytest.fixture(scope="session", autouse=True)
def full():
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

def test_before(): pass
def test_long(): pytest.fail("x" * 5_000)
def test_after(): pass
"""


def test_first_trouble_is_kept_and_others_go_on(tmp_path: Path) -> None:
    """An error of the disk is reported once, in words; any other error is still raised."""
    guard = DiskErrorGuard(tmp_path)
    for name in ("first", "second"):
        with guard.catch_errors():
            (tmp_path / name / "nowhere").write_text("x")

    assert guard.first_error.startswith(f"the report is not complete: {tmp_path}/first/nowhere: No such file")
    with pytest.raises(ValueError, match="x"), guard.catch_errors():
        raise ValueError("x")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_run_on_a_full_disk_comes_to_its_end(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Every test is run, the summary is told, the status is pytest's, and one line says that the report is cut."""
    session = run(tmp_path, _LIMITED, *workers)

    assert session.status == 1
    assert re.search(r"= 1 failed, 2 passed in ", session.output)
    assert "= chaos =" in session.output
    assert session.output.count("the report is not complete: ") == 1
    assert "INTERNALERROR" not in session.output
