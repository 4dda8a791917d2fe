"""Judge: when an incident is seen again, and what a claim of it says in an experiment."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.errors import InvariantViolated
from chaos_harness.harness.history import History, read
from chaos_harness.harness.history.vocabulary import HEAL, NOT_HEALED, UNDONE
from chaos_harness.harness.incident.judge import JudgedClaim, claim_all, conclude, judge
from chaos_harness.harness.verdict import Claim, Outcome
from tests.fakes.histories import HistoryBuilder
from tests.fakes.incidents import incident, lived


def _judged(outcome: Outcome, *, symptom: bool = True) -> JudgedClaim:
    return JudgedClaim("a claim", symptom, "holds", outcome, "because", ())


@pytest.mark.parametrize(
    ("symptoms", "others", "expected"),
    [
        (["violated"], ["violated"], "reproduced"),
        (["violated", "violated"], ["inconclusive"], "reproduced"),
        (["violated", "holds"], [], "not reproduced"),
        (["inconclusive", "holds"], [], "not reproduced"),
        (["violated", "inconclusive"], [], "inconclusive"),
        ([], ["violated"], "reproduced"),
        ([], ["holds", "violated"], "not reproduced"),
    ],
)
def test_seen(symptoms: list[Outcome], others: list[Outcome], expected: str) -> None:
    """All symptoms must be violated; if no claim is a symptom, every claim is one."""
    claims = [_judged(outcome) for outcome in symptoms] + [_judged(outcome, symptom=False) for outcome in others]

    assert conclude(claims) == expected


@pytest.mark.parametrize(("answered", "outcome"), [(True, "violated"), (False, "holds")])
def test_judged(tmp_path: Path, answered: bool, outcome: str) -> None:
    """A history is judged by the incident's claims, with what is expected on its versions."""
    loaded = incident(tmp_path)
    _, directory = lived(loaded, tmp_path, answered=answered)
    (judged,) = judge(loaded.incident, loaded.shape, read(directory / "history.jsonl"))

    assert (judged.outcome, judged.expected, judged.symptom) == (outcome, "violated", True)
    assert judged.as_expected == answered


class _Recording:
    """What of an experiment a claim needs: its history, and its cluster's shape."""

    def __init__(self, path: Path, loaded: Any) -> None:
        self._recorded = read(path)
        self.cluster = loaded
        self.claimed: list[str] = []
        self.known: list[str | None] = []

    def claim(self, check: Any, *, expected: Any, issue: str | None, because: Any, known: Any) -> None:
        self.claimed.append(check.__name__)
        self.known.append(known)
        Claim(check, expected, issue, tuple(because)).judge(self._recorded)


def test_claimed(tmp_path: Path) -> None:
    """All claims are told, the first that is not as expected is raised, and one without an expectation is not made.

    Whether a version has a defect that others have found is known, whatever a run shows.
    """
    checks = [
        {"check": "no_request_during", "expect": "holds"},
        {"check": "no_request_during", "expect": [{"verdict": "holds", "gatekeeper": "<3"}]},
        {
            "check": "no_request_during",
            "expect": [{"verdict": "violated", "gatekeeper": ">3"}],
            "issue": "gatekeeper#1",
        },
    ]
    loaded = incident(tmp_path, claims=checks)
    _, directory = lived(loaded, tmp_path)
    recording = _Recording(directory / "history.jsonl", loaded)

    with pytest.raises(InvariantViolated, match="expected holds, found violated"):
        claim_all(loaded, recording)  # type: ignore[arg-type]
    assert len(recording.claimed) == 2
    assert recording.known == [None, "version"]


def test_a_race_is_not_known_by_its_version(tmp_path: Path) -> None:
    """A defect that does not show in every run is a prediction; that it is mended on other versions is known."""

    def claimed(**more: object) -> dict[str, object]:
        by_version = [{"verdict": "violated", "gatekeeper": ">=3.18"}, {"verdict": "holds"}]
        return {"check": "no_request_during", "expect": by_version, "issue": "gatekeeper#1", **more}

    raced = incident(tmp_path, claims=[claimed(race=True), claimed()]).incident.claims

    assert [claim.known("violated") for claim in raced] == [None, "version"]
    assert [claim.known("holds") for claim in raced] == ["version", "version"]


def test_every_outcome_is_marked() -> None:
    """A verdict is as expected if it is the expected one, or nothing was expected."""
    for expected, outcome in product(("holds", "violated", None), ("holds", "violated", "inconclusive")):
        judged = JudgedClaim("a", True, expected, outcome, "", ())  # type: ignore[arg-type]
        assert judged.as_expected == (expected is None or expected == outcome)


def _unhealed(*names: str) -> History:
    """Return a history of faults that are undone and do not heal."""
    history = HistoryBuilder()
    for number, name in enumerate(names):
        value, process = {"name": name}, f"fault {number + 1}"
        history.fault(200 * number, 200 * number + 1, None, name=name, process=process)
        history.add(200 * number + 9, "invoke", process, HEAL, value)
        history.add(200 * number + 10, "ok", process, UNDONE, {**value, "within": 120.0})
        history.add(200 * number + 131, "fail", process, NOT_HEALED, {**value, "said": "it is away"})
    return history.recorded()


def test_a_history_makes_claims_of_its_own(tmp_path: Path) -> None:
    """Each fault that lasts claims to heal, beside what the file claims; the incident is not seen again by that."""
    loaded = incident(tmp_path, claims=[{"check": "no_request_during"}])
    own, *implied = judge(loaded.incident, loaded.shape, _unhealed("cut registry", "kill node"))
    assert [(judged.id, judged.outcome, judged.expected, judged.implied) for judged in implied] == [
        ("heals(120, cut registry)", "violated", "holds", True),
        ("heals(120, kill node)", "inconclusive", "holds", True),
    ]
    assert (own.implied, implied[0].symptom) == (False, False)
    assert conclude([own, *implied]) == conclude([own])


def test_what_a_file_claims_of_healing_is_claimed_once(tmp_path: Path) -> None:
    """A fault whose healing the file speaks of makes no claim by itself; it may be the symptom."""
    spoken = {"check": "heals", "with": {"seconds": 60, "fault": "cut registry"}, "expect": "violated", "issue": "g#1"}
    loaded = incident(tmp_path, claims=[spoken])
    judged = judge(loaded.incident, loaded.shape, _unhealed("cut registry"))
    assert [(one.id, one.outcome, one.symptom) for one in judged] == [("heals(60, cut registry)", "violated", True)]
    assert conclude(judged) == "reproduced"
