"""Records: what is read back from pytest's reports."""

import json

from chaos_harness.harness.experiment.record import PROPERTY, Record
from chaos_harness.reports.records import record_in


def test_half_of_a_character_does_not_keep_a_record_from_being_read() -> None:
    """What a cluster said may not be Unicode; its record is read all the same, whole characters as they were."""
    record = Record("a\ud800 \U0001f600 é\\ud", {"name": "x"}, 7, "", "")

    found = record_in([(PROPERTY, record.json())])
    assert found is not None
    assert found.name.startswith("a\ufffd")
    assert found.name.endswith(" \U0001f600 é\\ud")
    json.dumps(found.json()).encode()
