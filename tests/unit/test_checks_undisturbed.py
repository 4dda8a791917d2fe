"""Undisturbed: pods to which nothing was done, in histories that hold, that violate and that decide nothing."""

import pytest

from harness.checks.recovery import undisturbed
from tests.fakes.histories import Told


def cut() -> Told:
    """Return a cut from 10 to 80 s, with admission asked all the time."""
    return Told().fault(9, 10, 80).canaries(0, 90)


def left_alone() -> Told:
    """Return a webhook pod and the audit pod, both Ready, and a pod that is killed."""
    told = cut().pod(1, "a").pod(1, "audit", webhook=False).pod(1, "k").harm(15, "killed", "k")
    return told.pod(16, "k", ready=False, container="").reviews(0, 85, "a")


def test_left_alone() -> None:
    """Pods to which nothing was done, Ready and answering all the time, are undisturbed."""
    verdict = undisturbed()(left_alone().recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures["longest_silence_seconds"] == 1


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (left_alone().pod(40, "a", ready=False), "is not Ready"),
        (left_alone().pod(40, "audit", webhook=False, container="c2"), "was restarted"),
        (left_alone().pod(40, "a", deleting=True), "is being deleted"),
        (left_alone().pod(40, "a", f="DELETED"), "is being deleted"),
    ],
)
def test_disturbed(told: Told, why: str) -> None:
    """A pod left alone that is not Ready, restarted or deleted meanwhile is a violation."""
    verdict = undisturbed()(told.recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 40)
    assert why in verdict.summary


def test_silent() -> None:
    """A webhook pod that stays Ready but answers nothing for longer than 10 s is a violation."""
    told = cut().pod(1, "a").reviews(0, 30, "a").reviews(30, 45, "a", "info").reviews(45, 85, "a")
    verdict = undisturbed()(told.recorded())
    assert verdict.outcome == "violated"
    assert verdict.at == pytest.approx(40, abs=1)
    assert "silent for 16.0 s" in verdict.summary


def unheard(told: Told) -> Told:
    """Let the API server answer nobody from 32 to 44 s."""
    for at in range(32, 44):
        told.add(at, "invoke", "canary 0", "create forbidden namespace")
        told.add(at + 0.9, "info", "canary 0", "create forbidden namespace")
    return told


@pytest.mark.parametrize(
    "told",
    [
        unheard(Told().fault(9, 10, 80).canaries(0, 32)).canaries(44, 90).reviews(30, 45, "a", "info"),
        cut().reviews(43, 45, "a", "info"),
        cut(),
    ],
    ids=["nobody-is-answered", "asked-late", "not-asked"],
)
def test_whose_silence_it_is(told: Told) -> None:
    """A pod is silent when it is asked and others are answered; on a machine that is too busy nobody is."""
    told = told.pod(1, "a").reviews(0, 30, "a").reviews(45, 85, "a")
    verdict = undisturbed()(told.recorded())
    assert (verdict.outcome, verdict.figures["longest_silence_seconds"]) == ("inconclusive", 16.0)
    assert "nothing is known of a for 16.0 s" in verdict.summary


@pytest.mark.parametrize(
    "told",
    [
        cut(),
        cut().pod(1, "a"),
        Told().fault(9, None, 80).pod(1, "a").reviews(0, 85, "a"),
        cut().pod(1, "a", ready=False),
    ],
    ids=["no-pod", "not-asked", "unproved", "not-ready-before"],
)
def test_alone_undecided(told: Told) -> None:
    """Without a pod that was Ready before, a proved fault and questions, nothing is decided."""
    assert undisturbed()(told.recorded()).outcome == "inconclusive"
