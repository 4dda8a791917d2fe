"""Shrink: of a planted incident of twelve faults of which two matter, one of them not always, the two are left."""

import random
from collections import Counter

import pytest

from chaos_harness.harness.errors import Inconclusive
from chaos_harness.harness.incident.replay.sequential import Sequential, usual_rate
from chaos_harness.harness.incident.shrink.algorithm import OutOfBudget, Shrinker

_FAULTS = [f"fault {number}" for number in range(1, 13)]
_NEEDED = {"fault 3", "fault 9"}


class Planted:
    """An incident of twelve faults: it reproduces with a probability if the needed two are there, else almost never."""

    def __init__(self, seed: int, probability: float = 0.6, otherwise: float = 0.02, budget: int = 10_000) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - the same again from the same seed
        self._probability = probability
        self._otherwise = otherwise
        self._budget = budget
        self.runs = 0

    def attempt(self, left_out: frozenset[str]) -> bool | None:
        if len(left_out) == len(_FAULTS):
            return None
        if self.runs == self._budget:
            raise OutOfBudget
        self.runs += 1
        return self._chance.random() < (self._otherwise if _NEEDED & left_out else self._probability)


def test_planted() -> None:
    """Over many tries the result is exactly the two faults as often as the confidence says, and never loses one."""
    results = Counter[str]()
    for seed in range(200):
        try:
            shrunk = Shrinker(_FAULTS, Planted(seed).attempt, confidence=0.95).run()
        except Inconclusive:
            results["not seen in the first six runs"] += 1
            continue
        assert set(shrunk.kept) >= _NEEDED, f"seed {seed} lost a needed fault"
        results["exact" if set(shrunk.kept) == _NEEDED else "more"] += 1

    assert results["not seen in the first six runs"] <= 3  # 0.4 ** 6 of 200 is one
    assert results["exact"] >= 0.95 * (results["exact"] + results["more"]), results


@pytest.mark.parametrize("usual", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_stated_risk_is_that_of_leaving_out_too_much(usual: float, share: float) -> None:
    """However rare an incident is, a part without which it is a quarter as often is lost no oftener than is said."""
    lost = tried = 0
    stated = 0.0
    for seed in range(150):
        planted = Planted(seed, usual, usual * share)
        try:
            shrunk = Shrinker(_FAULTS[:4], planted.attempt).run()
        except Inconclusive:
            continue
        tried, stated = tried + 1, max(stated, shrunk.risk)
        lost += "fault 3" not in shrunk.kept
    assert tried > 100
    assert lost <= stated * tried


@pytest.mark.parametrize("probability", [0.6, 1.0])
def test_what_each_removal_showed(probability: float) -> None:
    """Each decision names its runs; the last ones say of each needed fault that it is, and the whole risk is stated."""
    shrunk = Shrinker(_FAULTS, Planted(1, probability).attempt).run()
    shown = {finding.parts: finding for finding in shrunk.findings}

    assert shrunk.finished
    assert 0 < shrunk.risk <= 0.05
    for fault in _NEEDED:
        finding = shown[fault,]
        assert finding.conclusion == "needed"
        assert finding.words({fault: "that"}) == f"without that: reproduced {finding.hits} of {finding.runs}: needed"
    assert all(finding.runs >= 2 for finding in shrunk.findings)


def test_one_pass_proves_nothing() -> None:
    """A needed fault without which the incident was seen once, by chance, is not left out for that."""
    flukes = {frozenset({fault}) for fault in _NEEDED}

    def attempt(left_out: frozenset[str]) -> bool:
        if left_out in flukes:
            flukes.remove(left_out)
            return True
        return not _NEEDED & left_out

    kept = Shrinker(["fault 3", "fault 9"], attempt).run().kept
    assert kept == ["fault 3", "fault 9"]
    assert not flukes


def test_nothing_to_shrink() -> None:
    """An incident that does not reproduce ends the search after few runs, and says how to go on."""
    planted = Planted(1, 0.0)

    with pytest.raises(Inconclusive, match="none of 6 runs: there is nothing to shrink; `nox -s repro"):
        Shrinker(_FAULTS, planted.attempt).run()
    assert planted.runs == 6


@pytest.mark.parametrize("budget", [1, 5, 40])
def test_budget(budget: int) -> None:
    """When no time is left for another run, removed parts stay removed, and no needed fault is among them."""
    planted = Planted(4, 1.0, budget=budget)
    shrunk = Shrinker(_FAULTS, planted.attempt).run()

    assert not shrunk.finished
    assert planted.runs == budget
    assert set(shrunk.kept) >= _NEEDED
    assert [finding.conclusion for finding in shrunk.findings].count("undecided") <= 1


def test_all_parts_at_once_are_not_tried() -> None:
    """What leaves no incident is needed without a run."""
    shrunk = Shrinker(["a"], lambda left_out: None if left_out else True).run()

    assert shrunk.kept == ["a"]
    assert shrunk.findings[0].words({"a": "that"}) == "without that: cannot be run or judged: needed"


@pytest.mark.parametrize(
    ("usual", "outcomes", "decided"),
    [
        (0.6, [True], None),
        (0.95, [False], None),
        (0.6, [True] * 5, "as often"),
        (0.6, [False] * 9, "rarer"),
        (0.6, [False] * 4, None),
        (0.6, [True, False] * 3, None),
        (0.95, [False] * 3, "rarer"),
    ],
)
def test_decisions(usual: float, outcomes: list[bool], decided: str | None) -> None:
    """A test decides when its risk is met, later the less is lost by chance, and never on one repetition."""
    assert Sequential(usual, 0.002).decide(outcomes) == decided


@pytest.mark.parametrize("usual", [0.3, 0.6, 0.9])
def test_risk_is_kept(usual: float) -> None:
    """Of what is decided about a part that is not needed, and about one that is, no more is wrong than the risk."""
    chance = random.Random(7)  # noqa: S311 - the same again
    test = Sequential(usual, 0.05)
    for rate, wrong in ((usual, "rarer"), (usual / 4, "as often")):
        decisions = Counter[str]()
        for _ in range(2000):
            outcomes: list[bool] = []
            while not (decided := test.decide(outcomes)):
                outcomes.append(chance.random() < rate)
            decisions[decided] += 1
        assert decisions[wrong] <= 0.06 * 2000


def test_usual_rate() -> None:
    """What was always seen is not taken for certain, nor what was rarely seen for impossible."""
    assert usual_rate(3, 3) == 0.8
    assert usual_rate(50, 50) == 0.95
    assert usual_rate(0, 50) == 0.2
