"""Records: reads the harness's records of experiments from pytest's reports."""

import json
import re
from collections.abc import Iterable

import pytest
from pydantic import TypeAdapter

from chaos_harness.clusters.terminal.escape import first_line
from chaos_harness.harness.experiment.record import PROPERTY, Record

__all__ = ["read_record", "reason_of"]

_RECORD = TypeAdapter(Record)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def read_record(user_properties: Iterable[tuple[str, object]]) -> Record | None:
    """Return the record in a test's user properties: the last one, which is the latest state."""
    carried = [value for name, value in user_properties if name == PROPERTY]
    return _RECORD.validate_json(_without_surrogates(str(carried[-1]))) if carried else None


def _without_surrogates(text: str) -> str:
    """Return JSON without unpaired surrogates, which text of others may contain and pydantic refuses."""
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
