"""Recovery: histories that hold, that violate and that decide nothing, for each check."""

from dataclasses import replace

import pytest

from chaos_harness.harness.checks.recovery import recovers_after, recovers_within
from chaos_harness.harness.history.vocabulary import WATCH_PODS, WATCH_SLICES
from tests.fakes.histories import HistoryBuilder, some_lines
from tests.fakes.replica_histories import LISTS, ReplicaHistory, cut, killed, killed_and_back, killed_for_good

KILLED = recovers_within(60, "killed")


def outcome(history: ReplicaHistory) -> str:
    """Return what is said of a history."""
    return KILLED(history.recorded()).outcome


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
    assert (verdict.figures["late_pods"], verdict.figures["late_pods_without_image"]) == (1, 1)


def test_late_for_another_reason() -> None:
    """A container that waited for its image, and then ran and was Ready too late, is told apart from one without."""
    history = killed().pod(17, "a", ready=False, container="", waiting="ErrImagePull")
    verdict = KILLED(history.pod(20, "a", ready=False, container="c2").recorded())
    assert (verdict.figures["late_pods"], verdict.figures["late_pods_without_image"]) == (1, 0)


def test_last_phase() -> None:
    """A pod serves when it both answers and gets requests, whichever comes last."""
    history = killed().pod(25, "a", container="c2").rotation(40, "a", "b").asked(26, 95, "a")
    assert KILLED(history.recorded()).figures["serving_seconds"] == 25


def test_answers_wrongly() -> None:
    """A webhook pod that is Ready and allows what it must deny has not recovered."""
    assert outcome(killed_and_back(30, until=30).asked(31, 95, "a", "fail")) == "violated"


def test_one_policy_of_two() -> None:
    """A pod that denies what it must and does not mutate has not recovered; it serves when it does all it is asked."""
    history = killed_and_back(30, until=30)
    for begin, end in ((2, 15), (31, 95)):
        history.asked(begin, end, "a", question="label")
    history.asked(2, 15, "a", question="mutate").without("replica a", 1.9, 15)
    assert outcome(history.asked(31.2, 95, "a", "fail", question="mutate")) == "violated"
    history = killed_and_back(30, until=30).asked(31, 95, "a", question="label")
    history.asked(31.2, 50, "a", "fail", question="mutate").asked(50.2, 95, "a", question="mutate")
    assert KILLED(history.recorded()).figures["serving_seconds"] == pytest.approx(35.6)


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ({"status": 503, "said": "error trying to reach service: connection refused"}, "violated"),
        ({"status": 429, "said": "too many requests"}, "inconclusive"),
    ],
    ids=["nobody-there", "api-server-busy"],
)
def test_the_api_server_speaks_for_itself(rest: dict[str, object], expected: str) -> None:
    """What the API server says of itself says nothing of the pod that it did not ask."""
    assert outcome(killed_and_back(30, until=30).asked(31, 95, "a", "fail", **rest)) == expected


def test_denied_by_an_error() -> None:
    """A pod that denies because something went wrong in it does not serve, though it denies."""
    assert outcome(killed_and_back(30, until=30).asked(31, 95, "a", code=500)) == "violated"


def test_proved_twice() -> None:
    """A fault that proves itself at its end, too, was in force from its first proof on."""
    history = killed_and_back(30).add(79, "ok", "fault 1", "observed", {"name": "cut registry", "proof": "seen"})
    assert outcome(history) == "holds"


def test_serves_too_late() -> None:
    """A pod that serves again after the time, though during the cut, is a violation."""
    assert recovers_within(10, "killed")(killed_and_back(30).recorded()).outcome == "violated"


def test_stale_ready() -> None:
    """A status that still says Ready with the killed container is no recovery."""
    assert outcome(killed_and_back(30, container="c1")) == "violated"


@pytest.mark.parametrize("until", [30, 28])
def test_ready_but_not_asked(until: float) -> None:
    """Whether a webhook pod that is Ready, or was before it was, serves is not known if nobody asks it."""
    history = killed_and_back(30, until=30)
    assert outcome(history.asked(20, 22, "a") if until == 28 else history) == "inconclusive"


def test_ready_but_not_in_rotation() -> None:
    """A webhook pod to which the Service sends nothing has not recovered."""
    history = killed().pod(25, "a", container="c2").asked(26, 95, "a")
    assert outcome(history) == "violated"


def test_audit_need_not_serve() -> None:
    """A pod that is no webhook has recovered when it is Ready with a new container."""
    history = cut().pod(1, "audit", webhook=False).blow(15, "killed", "audit")
    history.pod(16, "audit", webhook=False, ready=False, container="").pod(30, "audit", webhook=False, container="c2")
    verdict = KILLED(history.recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures["serving_seconds"] == 15


def test_one_of_two() -> None:
    """One killed pod that does not recover is enough, and the figures are of the slowest."""
    history = killed_and_back(30).pod(1, "audit", webhook=False).harm(15, "killed", "audit")
    history.pod(15.5, "audit", webhook=False, ready=False, container="")
    assert outcome(history) == "violated"
    history.pod(50, "audit", webhook=False, container="c2")
    verdict = KILLED(history.recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures["ready_seconds"] == 35


def test_serves_and_falls() -> None:
    """A pod that serves for a second and then crashes again and again has not recovered; how long it must is asked."""
    history = killed()
    for nth, at in enumerate((20, 40, 60, 72)):
        history.pod(at, "a", container=f"c{nth + 2}").rotation(at, "a", "b").asked(at, at + 2, "a")
        history.pod(at + 2, "a", ready=False, container="").rotation(at + 2, "b")
    verdict = KILLED(history.recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 75)
    assert "but from 20.4 to 21.5 s" in verdict.summary
    assert recovers_within(60, "killed", steady=1)(history.recorded()).outcome == "holds"
    assert recovers_after(12, "killed")(history.recorded()).outcome == "violated"


def test_serves_to_the_end() -> None:
    """Who serves when a recording ends, or something else is done to it, need not go on with it any longer."""
    assert outcome(killed_and_back(73, history=cut(end=80), until=80)) == "holds"
    history = killed_and_back(30, until=36).blow(36, "killed", "a", process="fault 3")
    history.pod(36.5, "a", ready=False, container="").without("harm", 35, 37).harm(
        36, "killed", "other", container="c2"
    )
    assert outcome(history) == "violated"
    again = killed_and_back(30, until=36).add(35.9, "invoke", "fault 3", "inject", {"name": "kill containers"})
    again.harm(36, "deleted", "a", container="c2").pod(36.5, "a", ready=False, container="")
    assert outcome(again) == "holds"


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (cut().pod(1, "a"), "no pod was killed"),
        (ReplicaHistory().watched(0, 90).pod(1, "a").blow(15, "killed", "a"), "cut registry was not proved"),
        (killed(ReplicaHistory().fault(9, None, 80).watched(0, 90)), "was not proved"),
        (killed(ReplicaHistory().fault(9, 20, 80).watched(0, 90)), "was not proved"),
        (killed(cut(heal=60)), "lasted only 45.0 of 60 s"),
        (killed(cut(heal=None, end=50)), "lasted only"),
        (cut().blow(15, "killed", "a"), "a was not watched"),
        (cut().pod(1, "a").blow(15, "killed", "a", proved=False), "kill containers was not proved"),
    ],
    ids=["nobody", "no-cut", "unproved", "proved-late", "cut-short", "ends-early", "elsewhere", "no-kill"],
)
def test_undecided(history: ReplicaHistory, why: str) -> None:
    """Without harm, proof, or time, nothing is decided."""
    verdict = KILLED(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert why in verdict.summary


def test_other_harm_does_not_count() -> None:
    """What was harmed before the fault, or after it, is not the claim's."""
    history = killed_for_good(ReplicaHistory().fault(20, 21, 85).watched(0, 95))
    assert KILLED(history.recorded()).summary == "no pod was killed"
    assert (
        outcome(killed_and_back(30, history=cut(heal=80)).pod(1, "b").blow(90, "killed", "b", process="fault 3"))
        == "holds"
    )


@pytest.mark.parametrize("hidden", [WATCH_PODS, WATCH_SLICES, "replica"])
@pytest.mark.parametrize("ready", [30, 200])
def test_who_sees_less_is_less_sure(hidden: str, ready: float) -> None:
    """Without a stream, or what it told in the time, a verdict stays or decides nothing."""
    for history in (killed_and_back(ready), killed_and_back(ready)):
        before = outcome(history)
        assert outcome(history.without(hidden)) in (before, "inconclusive")
    for how in ("LISTED", "RESUMED"):
        history = killed_and_back(ready)
        if hidden != "replica":
            assert outcome(history.blind(14, 79, hidden, how=how)) in (
                "holds" if ready == 30 else "violated",
                "inconclusive",
            )


def test_nobody_was_answered() -> None:
    """While the API server answers nobody, nothing is known of a pod that may serve again."""
    history = killed().without("canary")
    for process in LISTS:
        history.blind(15.55, 79, process)
    assert outcome(history.asked(16, 79, "a", "info")) == "inconclusive"


def test_who_answers_serves() -> None:
    """A pod that the Service sends requests to, and that answers them, serves, though its status is not seen."""
    history = killed_and_back(20).blind(15.2, 94, WATCH_PODS)
    assert outcome(history) == "holds"
    old = replace(history.without("fault 2").recorded(), header=HistoryBuilder().recorded().header)
    assert KILLED(old).outcome == "holds"


def test_another_fault_may_be_why() -> None:
    """A pod that cannot come back while another fault harms nobody in particular is neither's fault alone."""
    verdict = KILLED(killed_for_good().fault(20, 21, 40, name="throttle", process="fault 3").recorded())
    assert verdict.outcome == "inconclusive"
    assert "the cause may be cut registry or throttle" in verdict.summary
    history = killed_for_good().fault(5, 6, None, name="remove image", process="fault 3")
    assert outcome(history) == "inconclusive"
    both = recovers_within(60, "killed", during=["cut registry", "remove image"])
    assert both(history.recorded()).outcome == "violated"
    aimed = killed_for_good().add(20, "invoke", "fault 3", "inject", {"name": "kill node"})
    assert outcome(aimed.add(20.1, "info", "harm", "killed node", {"node": "worker9"})) == "violated"
    assert outcome(aimed.add(20.2, "info", "harm", "killed node", {"node": "worker"})) == "inconclusive"


@pytest.mark.parametrize("ready", [30, 200])
def test_any_line_may_be_missing(ready: float) -> None:
    """Without a line of any kind, or of those at its end, a verdict stays or decides nothing."""
    recorded = (killed_and_back(30) if ready == 30 else killed_for_good()).recorded()
    entries = list(recorded.entries)
    expected = {KILLED(recorded).outcome, "inconclusive"}
    for index in some_lines(recorded):
        assert KILLED(replace(recorded, entries=entries[:index] + entries[index + 1 :])).outcome in expected
        assert KILLED(replace(recorded, entries=entries[:index], ended=False)).outcome in expected


def test_recovers_only_after_the_cut() -> None:
    """A pod that comes back when a cut that was too short ends does not hold."""
    assert outcome(killed_and_back(70, history=cut(heal=60))) == "inconclusive"


def test_pure() -> None:
    """The same history gives the same verdict again, whether or not its last line is cut off."""
    recorded = killed_and_back(30).recorded()
    assert KILLED(recorded) == KILLED(recorded) == KILLED(replace(recorded, truncated=True))


def test_names() -> None:
    """A check's name tells its faults, and for how long one must serve if that is not as usual."""
    assert KILLED.__name__ == "pods killed recover within 60 s during cut registry"
    check = recovers_within(60, "killed", during=["cut registry", "fault 3"], steady=30)
    assert check.__name__ == "pods killed recover within 60 s during cut registry and fault 3 for 30 s"
