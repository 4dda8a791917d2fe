"""Invariants: what the bundle says of its parts, in histories made by hand."""

import pytest

from chaos_harness.harness.checks import Check, invariants
from chaos_harness.harness.checks.invariants import gatekeeper_invariants
from chaos_harness.harness.history import History
from chaos_harness.harness.invariants import INVARIANTS
from chaos_harness.harness.judging import check_of
from chaos_harness.harness.verdict import Outcome, Verdict
from tests.fakes.replica_histories import ReplicaHistory

_EMPTY = ReplicaHistory().recorded()


def _said(monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome) -> None:
    """Let the parts say this, in their order; the others hold."""
    said = dict(zip(INVARIANTS, (*outcomes, *["holds"] * len(INVARIANTS)), strict=False))
    made = {
        name: lambda name=name, outcome=outcome: (
            lambda _: Verdict(outcome, f"{name} was seen", (f"a line of {name}",), {f"{name}_seconds": 1.0}, 7.0)
        )
        for name, outcome in said.items()
    }
    monkeypatch.setattr(invariants, "_MADE", made)


@pytest.mark.parametrize(
    ("outcomes", "joint"),
    [
        (("holds", "holds"), "holds"),
        (("holds", "violated"), "violated"),
        (("inconclusive", "holds"), "inconclusive"),
        (("inconclusive", "violated", "inconclusive"), "violated"),
    ],
)
def test_the_worst_part_decides(outcomes: tuple[Outcome, ...], joint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is violated if one part is, else inconclusive if one is."""
    _said(monkeypatch, *outcomes)
    assert gatekeeper_invariants()(_EMPTY).outcome == joint


def test_each_part_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each verdict is a line, before what the parts themselves say; the summary names the parts that decide."""
    _said(monkeypatch, "holds", "violated", "inconclusive")
    verdict = gatekeeper_invariants(["has_generator"])(_EMPTY)
    first, second, third, *_ = INVARIANTS
    assert verdict.evidence[:3] == (
        f"{first}: holds: {first} was seen",
        f"{second}: violated: {second} was seen",
        f"{third}: inconclusive: {third} was seen",
    )
    assert f"a line of {first}" in verdict.evidence
    assert verdict.summary == f"1 of 5 parts: violated: {second}: {second} was seen (left out: has_generator)"
    assert verdict.figures[f"{third}_seconds"] == 1
    assert verdict.at == 7


def test_who_is_left_out_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that does not apply decides nothing; without any part nothing is known."""
    _said(monkeypatch, "violated")
    assert gatekeeper_invariants([INVARIANTS[0]])(_EMPTY).summary == f"5 of 5 parts: holds (left out: {INVARIANTS[0]})"
    assert gatekeeper_invariants(INVARIANTS)(_EMPTY).outcome == "inconclusive"


def test_what_each_part_is() -> None:
    """Each part is the check of its name with its defaults, and says of an empty history what that check says."""
    verdict = gatekeeper_invariants()(_EMPTY)
    parts = {name: check_of(f"{name}()")(_EMPTY) for name in INVARIANTS}
    assert verdict.evidence[: len(parts)] == tuple(
        f"{name}: {one.outcome}: {one.summary}" for name, one in parts.items()
    )
    assert verdict.outcome == "inconclusive"


def test_a_part_that_raises_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are judged all the same, and the error is told."""

    def raising(_: History) -> Verdict:
        raise ValueError("a bug")

    _said(monkeypatch)
    made = {**invariants._MADE, "replicas_agree": lambda: Check(raising)}
    monkeypatch.setattr(invariants, "_MADE", made)
    verdict = gatekeeper_invariants()(_EMPTY)
    assert (verdict.outcome, bool(verdict.broken)) == ("inconclusive", True)


def test_its_id_names_what_is_left_out() -> None:
    """A claim that leaves another part out is another claim; the id alone is enough to make it again."""
    check = gatekeeper_invariants(["replicas_agree", "has_generator"])
    assert check.id == "gatekeeper_invariants(without=[has_generator, replicas_agree])"
    assert check_of(check.id).id == check.id
    assert gatekeeper_invariants().id == "gatekeeper_invariants()"
