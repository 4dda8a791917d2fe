"""Ledger: what a killed comparison left is taken up, and what is no ledger is refused."""

from pathlib import Path

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.ab.ledger import Head, Ledger
from chaos_harness.harness.incident.ab.order import Slot, slots
from chaos_harness.harness.incident.bundle.write import Reason, Replay

_HEAD = Head(arms=("v3.18.3", "v3.20.1"), files=("a.yaml",), digests=("x", "y"), pairs=3, seed=7)
_SLOTS = list(slots(3, 1, 7))


def _replay(reason: Reason | None = None) -> Replay:
    return Replay(directory="runs/1", seen="broken" if reason else "reproduced", seconds=1.0, reason=reason)


def _done(ledger: Ledger) -> list[Slot]:
    return [slot for slot in _SLOTS if ledger.has(slot)]


def test_resumed(tmp_path: Path) -> None:
    """Runs that were noted are done, except those that the harness broke; a line that was cut off is not there."""
    path = tmp_path / "comparison.jsonl"
    ledger = Ledger.begin(path, _HEAD)
    reasons: tuple[Reason | None, ...] = (None, "broken", "inconclusive", "refused")
    for slot, reason in zip(_SLOTS, reasons, strict=False):
        ledger.note(slot, _replay(reason))
    with path.open("a") as file:
        file.write('{"slot":5,"seen":"repro')

    again = Ledger.resume(path)

    assert again.head == _HEAD
    assert _done(again) == _done(ledger) == [_SLOTS[0], _SLOTS[2], _SLOTS[3]]
    again.note(_SLOTS[4], _replay())
    assert _done(Ledger.resume(path)) == [_SLOTS[0], _SLOTS[2], _SLOTS[3], _SLOTS[4]]


def test_read_only(tmp_path: Path) -> None:
    """Reading leaves a line that was cut off where it is: another process may be writing it."""
    path = tmp_path / "comparison.jsonl"
    Ledger.begin(path, _HEAD).note(_SLOTS[0], _replay())
    with path.open("a") as file:
        file.write('{"slot":1,"seen":"repro')
    before = path.read_bytes()

    assert _done(Ledger.read(path)) == [_SLOTS[0]]
    assert path.read_bytes() == before
    assert _done(Ledger.resume(path)) == [_SLOTS[0]]
    assert path.read_bytes() == before[: before.rindex(b"\n") + 1]


@pytest.mark.parametrize("content", [None, "", "{}\n", '{"slot":1}\n', "\x1b[2J\n", f"{_HEAD.model_dump_json()}\n7\n"])
def test_refused(tmp_path: Path, content: str | None) -> None:
    """What is no ledger is one line that can be shown, with what to do."""
    path = tmp_path / "comparison.jsonl"
    if content is not None:
        path.write_text(content)

    with pytest.raises(BadScenario, match=r"is no ledger of a comparison: .*leave out --resume") as refused:
        Ledger.resume(path)
    assert str(refused.value).isprintable()
