"""Record: what goes into a test's report, and what tests that share an experiment have of it."""

import json

from chaos_harness.harness.experiment.record import Attachment, ClaimRecord, FaultRecord, Phase, Record


def record() -> Record:
    """Return a record with one of everything."""
    claim = ClaimRecord("serves", "holds", "holds", None, "it does", ["seen"], {"ready_seconds": 1.5})
    return Record(
        name="test_a",
        cluster={"name": "c", "shape": {"workers": 2}},
        seed=7,
        history="history.jsonl",
        journal="journal.jsonl",
        phases=[Phase("steady state", 1.0, 2.0, "passed")],
        faults=[FaultRecord("cut registry", 3.0)],
        claims=[claim],
        attachments=[Attachment("events", "events.txt", "text/plain")],
    )


def test_json() -> None:
    """A record is JSON, with everything in it by its name."""
    document = json.loads(record().json())
    assert document["claims"][0]["figures"] == {"ready_seconds": 1.5}
    assert document["faults"] == [
        {"name": "cut registry", "injected_at": 3.0, "proof": "", "healed_at": None, "heal_proof": ""}
    ]


def test_shared() -> None:
    """Another test's record has the same experiment, and claims of its own."""
    first = record()
    second = first.of("test_b")
    assert (second.name, second.claims) == ("test_b", [])
    assert (second.phases, second.history) == (first.phases, first.history)
    second.claims.append(first.claims[0])
    assert len(first.claims) == 1
