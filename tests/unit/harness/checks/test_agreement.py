"""Agreement: webhook pods that decide alike, or differently, in histories made by hand."""

import pytest

from chaos_harness.harness.checks.agreement import replicas_agree
from chaos_harness.harness.history.vocabulary import WATCH_PODS, WATCH_SLICES
from tests.fakes.histories import some_lines
from tests.fakes.replica_histories import ReplicaHistory


def serving(*pods: str, end: int = 100) -> ReplicaHistory:
    """Return a history in which these pods are in service all the time."""
    history = ReplicaHistory().watched(0, end)
    for pod in pods:
        history.pod(0.1, pod)
    return history.rotation(0.2, *pods)


def differing(*spans: tuple[int, int], pods: str = "ab") -> ReplicaHistory:
    """Return two pods in service, of which the first one allows from when to when."""
    history = serving(*pods).decides(1, 100, "b")
    at = 1
    for begin, end in spans:
        history.decides(at, begin, "a").decides(begin, end, "a", "allowed")
        at = end
    return history.decides(at, 100, "a")


def outcome(history: ReplicaHistory, seconds: float = 10, *policies: str) -> str:
    """Return what is said of a history."""
    return replicas_agree(seconds, policies)(history.recorded()).outcome


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (differing(), "holds"),
        (differing((3, 9)), "holds"),  # soon after the first question
        (differing((3, 20)), "violated"),
        (differing((50, 51)), "violated"),  # though for a moment only
        (differing((50, 56)).fault(45, 46, 57), "holds"),
        (
            differing((47, 49), (52, 54)).fault(45, 46, 57),
            "holds",
        ),  # a fault may have it change for as long as it lasts
        (differing((58, 63)).fault(45, 46, 57), "holds"),
        (differing((70, 72)).fault(45, 46, 57), "violated"),
        (differing((50, 72)).fault(45, 46, 80), "violated"),
    ],
)
def test_how_long_and_how_often_decide(history: ReplicaHistory, said: str) -> None:
    """They may differ soon after a change, once and not for long."""
    assert outcome(history) == said


def test_when_it_was_violated() -> None:
    """The moment is that at which it was too long, or that of the first round in which they differed again."""
    assert replicas_agree(10)(differing((3, 20)).recorded()).at == pytest.approx(13.5)
    verdict = replicas_agree(10)(differing((50, 52)).recorded())
    assert verdict.at == pytest.approx(50.5)
    assert verdict.evidence[0] == "50.4 s, p: uid-a allowed, uid-b denied"
    assert verdict.figures["different_rounds"] == 2


@pytest.mark.parametrize(
    "history",
    [
        differing((50, 70)).pod(48, "a", ready=False).pod(73, "a"),
        differing((50, 70)).rotation(48, "b").rotation(73, "a", "b"),
        differing((50, 70)).pod(48, "a", deleting=True),
    ],
    ids=["not-ready", "not-in-rotation", "going"],
)
def test_who_is_not_in_service_may_differ(history: ReplicaHistory) -> None:
    """A pod that is not Ready, not in rotation, or is being deleted decides nothing that counts."""
    assert outcome(history) == "holds"


def test_a_pod_that_comes_back_is_a_change() -> None:
    """It may decide otherwise for some seconds, and not for longer."""
    back = differing((50, 70)).pod(40, "a", ready=False).pod(65, "a")
    assert outcome(back) == "holds"
    assert outcome(back, 3) == "violated"


def test_a_policy_that_is_applied_is_a_change() -> None:
    """Soon after it is in force pods may differ; without that they must not."""
    history = differing((52, 55))
    history.add(48, "invoke", "policies", "apply", {"policies": ["p"]})
    history.add(50, "ok", "policies", "in force", {"policies": ["p"], "proof": "seen"})
    assert outcome(history) == "holds"
    assert outcome(differing((52, 55))) == "violated"


def test_a_pod_that_cannot_be_reached_decides_nothing() -> None:
    """The API server says so; that it failed itself says nothing of the pod."""
    unreached = {"status": 503, "said": "error trying to reach service: connection refused"}
    assert outcome(_answered(**unreached)) == "holds"
    assert outcome(_answered(status=429, said="too many requests")) == "inconclusive"


def _answered(**rest: object) -> ReplicaHistory:
    history = serving("a", "b").decides(1, 100, "b").decides(1, 40, "a").decides(60, 100, "a")
    for number in range(40, 60):
        value = {"pod": "a", "uid": "uid-a", "question": "p", "round": number}
        history.add(number + 0.4, "invoke", "replica a", "review p", value)
        history.add(number + 0.5, "fail", "replica a", "review p", {**value, **rest})
    return history


@pytest.mark.parametrize(
    "history",
    [
        serving("a", "b").decides(1, 100, "b").decides(1, 40, "a").decides(53, 100, "a"),
        serving("a", "b").decides(1, 100, "b").decides(1, 40, "a").decides(43, 100, "a"),
        serving("a", "b").decides(1, 100, "b"),
        serving("a").decides(1, 100, "a"),
        differing().blind(30, 60, WATCH_PODS).blind(30, 60, WATCH_SLICES),
        differing((50, 70)).blind(40, 80, WATCH_PODS),
        differing((50, 70)).without("watch"),
        serving("a", "b").asked(1, 100, "a").asked(1, 100, "b"),
        ReplicaHistory(),
    ],
    ids=["long", "perhaps-again", "never-asked", "alone", "a-third", "perhaps-away", "no-watch", "no-numbers", "empty"],
)
def test_what_is_not_known(history: ReplicaHistory) -> None:
    """Answers that are missing may differ, and pods that nobody saw may be in service, or not."""
    assert outcome(history) == "inconclusive"


def test_policies_choose_the_reviews() -> None:
    """Only reviews about them are compared; one that nobody asks about is told."""
    history = differing((50, 52)).decides(1, 100, "a", question="q").decides(1, 100, "b", question="q")
    assert [outcome(history, 10, *names) for names in (("q",), ("p",), ())] == ["holds", "violated", "violated"]
    verdict = replicas_agree(policies=["other"])(history.recorded())
    assert (verdict.outcome, verdict.summary) == ("inconclusive", "no webhook pod was asked about other")


def test_another_probe_counts_its_rounds_anew() -> None:
    """Numbers begin again when policies are applied; rounds of the same number are not one."""
    history = serving("a", "b")
    for begin in (0, 49):
        for number in range(1, 50):
            for pod in "ab":
                value = {"pod": pod, "uid": f"uid-{pod}", "round": number}
                said = "denied" if begin or number > 3 else "allowed"
                history.add(begin + number + 0.4, "invoke", f"replica {pod}", "review", value)
                history.add(begin + number + 0.5, "ok", f"replica {pod}", "review", {**value, "said": said})
    verdict = replicas_agree()(history.recorded())
    assert (verdict.outcome, verdict.figures["compared_rounds"]) == ("holds", 96)


def test_a_starved_machine_is_no_witness() -> None:
    """Rounds in which this machine was starved do not violate it, nor do they prove that it holds."""
    history = differing((50, 52)).add(53, "info", "metronome", "late", {"seconds": 5.0})
    assert outcome(history) == "inconclusive"


def test_a_missing_line_may_be_a_change() -> None:
    """Without any one line the verdict stays, or is inconclusive."""
    recorded = differing((50, 52)).recorded()
    for line in some_lines(recorded):
        less = recorded.__class__(
            recorded.header, [entry for entry in recorded.entries if entry.index != line], ended=True
        )
        assert replicas_agree()(less).outcome in ("violated", "inconclusive")
