"""Recovery: histories that hold, that violate and that decide nothing, for each check."""

from dataclasses import replace

import pytest

from harness import experiment
from harness.checks import reading
from harness.checks.reading import Reading
from harness.checks.recovery import recoveries, recovers_after, recovers_within
from harness.faults import targets
from harness.probes import admission, objects, replicas, requests
from tests.fakes.histories import Told

KILLED = recovers_within(60, "killed")
MOVED = recovers_within(60, "rescheduled")


def cut(heal: float | None = 80.0) -> Told:
    """Return a cut from 10 to 80 s, with admission asked all the time."""
    return Told().fault(9, 10, heal).canaries(0, 90)


def killed_and_back(ready: float, container: str = "c2") -> Told:
    """Return a webhook pod that is killed at 15 s and serves again a second after it is Ready."""
    return (
        cut()
        .pod(1, "a")
        .rotation(1, "a", "b")
        .harm(15, "killed", "a")
        .pod(15.5, "a", ready=False, container="")
        .rotation(15.6, "b")
        .event(16, "Pulling", "a")
        .pod(ready - 5, "a", ready=False, container=container)
        .pod(ready, "a", container=container)
        .rotation(ready + 0.5, "a", "b")
        .review(ready + 1, "a")
    )


def killed_for_good() -> Told:
    """Return a webhook pod that is killed at 15 s and then waits for its image."""
    return (
        cut()
        .pod(1, "a")
        .harm(15, "killed", "a")
        .event(16, "Pulling", "a")
        .event(17, "Failed", "a", "no such host")
        .pod(17, "a", ready=False, container="", waiting="ErrImagePull")
        .pod(30, "a", ready=False, container="", waiting="ImagePullBackOff")
    )


def test_serves_again() -> None:
    """A killed pod that serves again within the time holds, with its phases in seconds since the kill."""
    verdict = KILLED(killed_and_back(30).recorded())
    assert verdict.outcome == "holds"
    assert dict(verdict.figures) == {
        "asked_seconds": 1,
        "started_seconds": 10,
        "ready_seconds": 15,
        "serving_seconds": 16,
    }


def test_never_serves_again() -> None:
    """A killed pod that waits for its image while the cut lasts is a violation, told with the kubelet's reasons."""
    verdict = KILLED(killed_for_good().recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 75)
    assert "ErrImagePull, then ImagePullBackOff" in verdict.evidence[0]
    assert "no such host" in verdict.evidence


def test_last_phase() -> None:
    """A pod serves when it both answers and gets requests, whichever comes last."""
    told = killed_and_back(30)
    told._entries = [each for each in told._entries if each[2] != "watch endpointslices"]
    verdict = KILLED(told.rotation(15.6, "b").rotation(40, "a", "b").recorded())
    assert verdict.figures["serving_seconds"] == 25


def test_answers_wrongly() -> None:
    """A webhook pod that is Ready and allows what it must deny has not recovered."""
    told = killed_and_back(30)
    told._entries = [each for each in told._entries if not each[2].startswith("replica")]
    assert KILLED(told.review(31, "a", "fail").recorded()).outcome == "violated"


def test_proved_twice() -> None:
    """A fault that proves itself at its end, too, was in force from its first proof on."""
    told = killed_and_back(30).add(79, "ok", "fault 1", "observed", {"name": "cut registry", "proof": "seen"})
    assert KILLED(told.recorded()).outcome == "holds"


def test_serves_too_late() -> None:
    """A pod that serves again after the time, though during the cut, is a violation."""
    assert recovers_within(10, "killed")(killed_and_back(30).recorded()).outcome == "violated"


def test_stale_ready() -> None:
    """A status that still says Ready with the killed container is no recovery."""
    assert KILLED(killed_and_back(30, container="c1").recorded()).outcome == "violated"


def test_ready_but_silent() -> None:
    """A webhook pod that is Ready but never answers by itself has not recovered."""
    told = killed_and_back(30)
    told._entries = [each for each in told._entries if not each[2].startswith("replica")]
    assert KILLED(told.recorded()).outcome == "violated"


def test_answer_before_the_start() -> None:
    """An answer that was asked for before the new container started proves nothing."""
    told = killed_and_back(30)
    told._entries = [each for each in told._entries if not each[2].startswith("replica")]
    assert KILLED(told.review(20, "a").recorded()).outcome == "violated"


def test_ready_but_not_in_rotation() -> None:
    """A webhook pod to which the Service sends nothing has not recovered."""
    told = killed_and_back(30)
    told._entries = [each for each in told._entries if not (each[2] == "watch endpointslices" and each[0] > 16)]
    assert KILLED(told.recorded()).outcome == "violated"


def test_audit_need_not_serve() -> None:
    """A pod that is no webhook has recovered when it is Ready with a new container."""
    told = cut().pod(1, "audit", webhook=False).harm(15, "killed", "audit")
    told.pod(16, "audit", webhook=False, ready=False, container="").pod(30, "audit", webhook=False, container="c2")
    verdict = KILLED(told.recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures["serving_seconds"] == 15


def test_one_of_two() -> None:
    """One killed pod that does not recover is enough, and the figures are of the slowest."""
    told = killed_and_back(30).pod(1, "audit", webhook=False).harm(15, "killed", "audit")
    assert KILLED(told.recorded()).outcome == "violated"
    told.pod(50, "audit", webhook=False, container="c2")
    verdict = KILLED(told.recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures["ready_seconds"] == 35


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (cut().pod(1, "a"), "no pod was killed"),
        (Told().fault(9, None, 80).harm(15, "killed", "a").canaries(0, 90), "was not proved"),
        (Told().fault(9, 20, 80).harm(15, "killed", "a").canaries(0, 90), "was not proved"),
        (cut(heal=60).harm(15, "killed", "a"), "lasted only 45.0 of 60 s"),
        (Told().fault(9, 10, None).harm(15, "killed", "a").canaries(0, 50), "lasted only"),
        (Told().fault(9, 10, 80).harm(15, "killed", "a").canaries(15, 20), "asked only 10 times"),
    ],
    ids=["nobody", "unproved", "proved-too-late", "cut-too-short", "recording-too-short", "too-few-questions"],
)
def test_undecided(told: Told, why: str) -> None:
    """Without harm, proof, time or enough questions, nothing is decided."""
    verdict = KILLED(told.recorded())
    assert verdict.outcome == "inconclusive"
    assert why in verdict.summary


def test_recovers_only_after_the_cut() -> None:
    """A pod that comes back when a cut that was too short ends does not hold."""
    told = killed_and_back(70)
    told._entries = [each for each in told._entries if not each[2].startswith("fault")]
    assert KILLED(told.fault(9, 10, 60).recorded()).outcome == "inconclusive"


def test_rescheduled_to_the_other_node() -> None:
    """A deleted pod has recovered when the pod that replaces it on another node serves."""
    told = cut().pod(1, "a").harm(15, "rescheduled", "a").pod(15.1, "a", deleting=True)
    told.pod(15.2, "new", ready=False, container="", node="worker2", f="ADDED")
    told.pod(28, "new", container="c9", node="worker2").rotation(28.5, "new").review(29, "new")
    verdict = MOVED(told.recorded())
    assert verdict.outcome == "holds"
    assert "new on worker2" in verdict.evidence[0]


def test_rescheduled_never_starts() -> None:
    """A replacement that never starts is a violation, and so is one that is never made."""
    told = cut().pod(1, "a").harm(15, "rescheduled", "a")
    assert MOVED(told.recorded()).outcome == "violated"
    told.pod(15.2, "new", ready=False, container="", node="worker2", f="ADDED")
    assert MOVED(told.recorded()).outcome == "violated"


def test_rescheduled_to_the_same_node() -> None:
    """A replacement on the node of the deleted pod does not tell what was asked."""
    told = cut().pod(1, "a").harm(15, "rescheduled", "a").pod(15.2, "new", container="c9", f="ADDED")
    assert MOVED(told.recorded()).outcome == "inconclusive"


def test_two_replacements() -> None:
    """Each of two deleted pods gets a replacement of its own."""
    told = cut().pod(1, "a").pod(1, "b").harm(15, "rescheduled", "a").harm(16, "rescheduled", "b")
    told.pod(17, "x", node="worker2", f="ADDED").pod(18, "y", node="worker2", f="ADDED")
    found = recoveries(Reading(told.recorded()), "rescheduled")
    assert [each.pod for each in found] == ["x", "y"]


def test_slow_after_the_cut() -> None:
    """After the cut the figure says how slow it was, counted from the moment when healing began."""
    told = killed_and_back(100)
    verdict = recovers_after(60, "killed")(told.recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures["after_heal_seconds"] == 21


def test_back_before_the_end() -> None:
    """A pod that served before the cut ended took no time after it."""
    assert recovers_after(60, "killed")(killed_and_back(30).recorded()).figures["after_heal_seconds"] == 0


def test_not_back_after_the_cut() -> None:
    """A pod that does not come back is a violation if it was watched for long enough, else nothing is decided."""
    check = recovers_after(60, "killed")
    assert check(killed_for_good().recorded()).outcome == "inconclusive"
    assert check(killed_for_good().canaries(100, 150).recorded()).outcome == "violated"


@pytest.mark.parametrize(("observed", "heal"), [(10, None), (None, 80)], ids=["never-healed", "never-proved"])
def test_after_nothing(observed: float | None, heal: float | None) -> None:
    """Without a fault that was proved and healed there is no afterwards."""
    told = killed_and_back(30)
    told._entries = [each for each in told._entries if not each[2].startswith("fault")]
    assert recovers_after(60, "killed")(told.fault(9, observed, heal).recorded()).outcome == "inconclusive"


def test_after_nobody() -> None:
    """Without somebody harmed there is nobody to recover."""
    told = cut()
    assert recovers_after(60, "killed")(told.recorded()).outcome == "inconclusive"


def test_pure() -> None:
    """The same history gives the same verdict again, whether or not its last line is cut off."""
    recorded = killed_and_back(30).recorded()
    assert KILLED(recorded) == KILLED(recorded) == KILLED(replace(recorded, truncated=True))


def test_names_of_processes() -> None:
    """The names by which a history is read are those under which experiment, faults and probes write."""
    assert f"{experiment.FAULT} " == reading._FAULT
    assert reading._HARM == targets.HARM
    assert f"{admission.CANARY} " == reading._CANARY
    assert f"{replicas.REPLICA} " == reading._REPLICA
    assert reading._REGISTRY == requests.REGISTRY
    assert {"watch pods", "watch events", "watch endpointslices"} <= {f"watch {each.name}" for each in objects.USUAL}


def test_harm_to_a_node_is_none_to_a_pod() -> None:
    """What was done to a node is for other checks to read."""
    told = cut().add(15, "info", "harm", "killed node", {"node": "worker"})
    assert Reading(told.recorded()).harms == []
