"""Sentence: what a reader is told before any picture."""

from dataclasses import replace
from typing import Any

import pytest

from chaos_harness.harness.experiment.record import ClaimRecord, Phase, Record
from chaos_harness.reports.picture.read_history import read_story
from chaos_harness.reports.picture.summary_text import render_page, reproduction_command, shorten_message, summarise
from tests.fakes.histories import HistoryBuilder

_SHAPE = {"kubernetes": "v1.36.4", "gatekeeper": "v3.23.1", "install": "manifest", "workers": 2}
_RECORD = Record("x", {"name": "c", "shape": _SHAPE}, 7, "history.jsonl", "journal.jsonl")
_CLAIM = ClaimRecord(
    "pods serve", "holds", "violated", None, "p does not serve", ["p: ErrImagePull"], {"ready_seconds": 3}
)
_SURPRISE = {"expected": "violated", "surprise": True, "because": ("image pull failed",)}
_NODE = "scenarios/test_a.py::test_b[c d]"


def _story() -> HistoryBuilder:
    history = (
        HistoryBuilder()
        .fault(10, 14, 80)
        .harm(15, "killed", "p")
        .canaries(0, 50)
        .event(20, "Failed", "p", "no <image>")
    )
    history.add(60, "invoke", "canary 0", "create mutable pod").add(
        61, "fail", "canary 0", "create mutable pod", {"outcome": "unmutated"}
    )
    return history


def test_sentence_says_what_was_done_what_was_lost_and_what_broke() -> None:
    """Versions, faults with their moments, losses with theirs, and the claim that broke, in plain words."""
    text = summarise(replace(_RECORD, claims=[_CLAIM]), read_story(_story().recorded()))

    assert text == (
        "Gatekeeper v3.23.1 (manifest) on Kubernetes v1.36.4 with 2 workers: cut registry from 10.0 s, proved, "
        "healed at 80.0 s; harmed: 1 killed, in 80 s. Of 101 canary requests 1 was lost, at 60.0 s "
        "(1 'create mutable pod'). 0 of 1 claims came out as expected; “pods serve” is violated: p does not serve."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcome": "holds"}, "1 of 1 claims came out as expected."),
        ({"expected": "violated", "issue": "a/gatekeeper#1"}, "known upstream defect gatekeeper#1 reproduces."),
        ({"outcome": "holds", "expected": "violated", "issue": "g#1"}, "holds though it is known to be violated (g#1)"),
        ({"outcome": "inconclusive"}, "“pods serve” is inconclusive"),
        (_SURPRISE, "“pods serve” is violated, but not by what is known to violate it (image pull failed)"),
    ],
)
def test_each_way_a_claim_can_come_out_has_its_words(changes: dict[str, Any], words: str) -> None:
    """A known defect, one that no longer reproduces, and what could not be judged are not the same."""
    claim = replace(_CLAIM, **changes)

    assert words in summarise(replace(_RECORD, claims=[claim]), read_story(_story().recorded()))


def test_page_has_the_sentence_first_and_the_command_last() -> None:
    """A page goes from the verdict over picture, evidence, chain and phases to the command that does it again."""
    record = replace(_RECORD, claims=[_CLAIM], phases=[Phase("hold", 1.0, 61.0, "passed"), Phase("heal", 61.0)])
    written = render_page(record, read_story(_story().recorded()), _NODE, fact="A pod serves.", picture="data:x")
    order = ["A pod serves.", "is violated", "data:x", "p: ErrImagePull", "What happened", "not ended", "nox -s chaos"]

    assert [written.index(part) for part in order] == sorted(written.index(part) for part in order)
    assert "no &lt;image&gt;" in written
    assert "60.0 s" in written
    assert "pods serve: violated (expected holds): p does not serve" in written


def test_page_says_when_a_claim_was_violated() -> None:
    """The moment that the picture marks stands in words, too; that of a claim that holds is no moment."""
    record = replace(_RECORD, claims=[replace(_CLAIM, at=15.0), replace(_CLAIM, outcome="inconclusive", at=80.0)])
    written = render_page(record, read_story(_story().recorded()), _NODE)

    assert "pods serve: violated at 15.0 s (expected holds)" in written
    assert "pods serve: inconclusive (expected holds)" in written


def test_page_without_a_history_still_tells() -> None:
    """If there is nothing to read, the page says so and shows what the record knows."""
    written = render_page(_RECORD, None, _NODE)

    assert "there is no history to read" in written
    assert "<img" not in written


def test_command_runs_the_same_test_again() -> None:
    """It names the test, the seed and the versions, quoted for a shell."""
    command = f"nox -s chaos -- '{_NODE}' --seed 7 --kubernetes v1.36.4 --gatekeeper v3.23.1"

    assert reproduction_command([_NODE], _RECORD.seed, _RECORD.cluster["shape"]) == command


def test_a_baseline_has_no_gatekeeper() -> None:
    """The sentence says that there is none, and the command names no version of it."""
    bare = replace(_RECORD, cluster={"name": "c", "shape": {**_SHAPE, "gatekeeper": None}})

    assert summarise(bare, None).startswith("No Gatekeeper on Kubernetes v1.36.4 with 2 workers: ")
    assert "gatekeeper" not in reproduction_command(["a"], 7, bare.cluster["shape"])


def test_page_holds_no_secret() -> None:
    """Whatever an error message carried, a page does not."""
    claim = replace(_CLAIM, summary="Authorization: Bearer planted-0123456789abcdef", evidence=["token: planted"])

    assert "planted" not in render_page(replace(_RECORD, claims=[claim]), read_story(_story().recorded()), _NODE)


def test_link_of_the_chain_is_one_line() -> None:
    """What a kubelet says can be long; a page shows its begin and its end, the attached events all of it."""
    history = _story().event(30, "Failed", "p", "x" * 500)
    written = render_page(_RECORD, read_story(history.recorded()), _NODE)

    assert "x" * 80 not in written
    assert "x" * 60 in written
    assert "x" * 200 not in written


def test_error_leaves_room_for_the_sentence() -> None:
    """Of a long evidence an error shows the begin, and its own end, which tells its kind; short ones stay."""
    lines = [
        "Violated: c: expected holds, found violated: x",
        *(f"  {number} s: lost" for number in range(9)),
        "no longer",
    ]

    claim = replace(_CLAIM, evidence=[f"{number} s: lost" for number in range(9)])

    assert shorten_message("\n".join(lines), [claim]).splitlines() == [
        *lines[:4],
        "  and 6 lines more, in the description and the claim's step",
        "no longer",
    ]
    indented = "AssertionError: assert [1] == [2]\n" + "  is no evidence\n" * 9 + "end"
    for message in ("one line", "\n".join(lines[:5]), indented):
        assert shorten_message(message, [claim]) == message
