"""Records: what the harness left of each experiment, read back from pytest's reports."""

import json
import re
from collections.abc import Iterable

import pytest
from pydantic import TypeAdapter

from chaos_harness.clusters.terminal.escape import first_line
from chaos_harness.harness.experiment.record import PROPERTY, Record

__all__ = ["reason_of", "record_in"]

_RECORD = TypeAdapter(Record)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def record_in(user_properties: Iterable[tuple[str, object]]) -> Record | None:
    """Return the record that a test's user properties carry: of the last one, its latest state."""
    carried = [value for name, value in user_properties if name == PROPERTY]
    return _RECORD.validate_json(_whole(str(carried[-1]))) if carried else None


def _whole(text: str) -> str:
    """Return JSON in which no half of a character stands: what others said may have some, and pydantic refuses them."""
    if not _HALF.search(text):
        return text
    whole = json.dumps(json.loads(text), ensure_ascii=False)
    return whole.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def reason_of(report: pytest.TestReport) -> str:
    """Return the first line of why a test failed or was skipped."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return first_line((crash.message if crash else report.longreprtext).strip())
