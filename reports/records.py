"""Records: what the harness left of each experiment, read back from pytest's reports."""

from collections.abc import Iterable

import pytest
from pydantic import TypeAdapter

from harness.record import PROPERTY, Record

__all__ = ["reason_of", "record_in"]

_RECORD = TypeAdapter(Record)


def record_in(user_properties: Iterable[tuple[str, object]]) -> Record | None:
    """Return the record that a test's user properties carry: of the last one, its latest state."""
    found = [value for name, value in user_properties if name == PROPERTY]
    return _RECORD.validate_json(str(found[-1])) if found else None


def reason_of(report: pytest.TestReport) -> str:
    """Return the first line of why a test failed or was skipped."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else report.longreprtext).strip().partition("\n")[0]
