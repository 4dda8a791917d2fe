"""Ledger: what was tried is known to who goes on, also after a kill in the middle of a line."""

from pathlib import Path

import pytest

from chaos_harness.harness.crashtest.ledger import FILE, Ledger, Trial, TrialKey, TrialOutcome, Variant
from chaos_harness.harness.errors import BadScenario

KEY = TrialKey(sample="kill_node", moment="lasting")


def trial(outcome: TrialOutcome = "zero", key: TrialKey = KEY) -> Trial:
    return Trial(key=key, outcome=outcome, left=(("changed: a", "restarts"),), declared=("restarts",), proved=1.5)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Every field of every trial, in order."""
    written = Ledger(tmp_path / FILE)
    for each in (trial(), trial("differs", KEY.model_copy(update={"moment": "undoing"}))):
        written.add(each)
    assert Ledger.read(tmp_path / FILE).trials == written.trials


def test_a_line_that_a_kill_cut_off(tmp_path: Path) -> None:
    """It is left out; who goes on removes it, so that the next line is whole. Its trial is made again."""
    ledger = Ledger(tmp_path / FILE)
    ledger.add(trial())
    whole = (tmp_path / FILE).read_text(encoding="utf-8")
    (tmp_path / FILE).write_text(cut := whole + whole[:20], encoding="utf-8")
    assert Ledger.read(tmp_path / FILE).done == {KEY}
    assert (tmp_path / FILE).read_text(encoding="utf-8") == cut
    again = Ledger.resume(tmp_path / FILE)
    assert again.done == {KEY}
    again.add(trial("differs"))
    assert [each.outcome for each in Ledger.read(tmp_path / FILE).trials] == ["zero", "differs"]


def test_what_was_broken_is_tried_again() -> None:
    """It says nothing of the fault; all else is done, another time and another way of undoing are not."""
    ledger = Ledger(Path(FILE), [trial("broken"), trial("not proved", KEY.model_copy(update={"moment": "harming"}))])
    assert ledger.done == {KEY.model_copy(update={"moment": "harming"})}
    others = [KEY.model_copy(update=changed) for changed in ({"time": 2}, {"variant": "no undo"})]
    assert not Ledger(Path(FILE), [trial()]).done & set(others)


@pytest.mark.parametrize(
    ("outcome", "variant", "wanted"),
    [
        ("zero", "harness", True),
        ("differs", "harness", False),
        ("zero", "guardian", True),
        ("differs", "guardian", False),
        ("zero", "no undo", False),
        ("differs", "no undo", True),
    ],
)
def test_as_wanted(outcome: TrialOutcome, variant: Variant, wanted: bool) -> None:
    """Without undos a difference is what is wanted; what came to nothing never is."""
    key = KEY.model_copy(update={"variant": variant})
    assert trial(outcome, key).as_wanted == wanted
    assert not trial("not reached", key).as_wanted
    assert not trial("broken", key).as_wanted


@pytest.mark.parametrize("text", ["{}\n", '{"key": 1}\n', "x\n", '{"key":{"sample":"a","moment":"never"}}\n'])
def test_what_is_no_ledger(tmp_path: Path, text: str) -> None:
    """It is refused, with its name."""
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(BadScenario, match=f"{FILE}: is no ledger of a crash test"):
        Ledger.read(tmp_path / FILE)
    with pytest.raises(BadScenario, match="cannot be read"):
        Ledger.read(tmp_path / "none")
