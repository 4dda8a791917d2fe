"""Records: what is read back from pytest's reports."""

import json

from chaos_harness.harness.experiment.record import PROPERTY, Record
from chaos_harness.reports.records import read_record


def test_half_of_a_character_does_not_keep_a_record_from_being_read() -> None:
    """What a cluster said may not be Unicode; its record is read all the same, whole characters as they were."""
    record = Record("a\ud800 \U0001f600 é\\ud", {"name": "x"}, 7, "", "")

    read_back = read_record([(PROPERTY, record.json())])
    assert read_back is not None
    assert read_back.name.startswith("a\ufffd")
    assert read_back.name.endswith(" \U0001f600 é\\ud")
    json.dumps(read_back.json()).encode()
