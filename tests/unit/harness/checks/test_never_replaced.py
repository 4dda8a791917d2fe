"""Never replaced: histories in which pods outlive the loss of their node, do not, or nobody could see."""

from dataclasses import replace

import pytest

from chaos_harness.harness.checks.node_loss import never_replaced
from chaos_harness.harness.faults.nodes.drain import DRAINED_NODE
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import BOOKMARK, DELETED, EXPERIMENT, JUDGE, RESUMED, WATCH_WORKLOAD
from tests.fakes.losses import HOW, NODE, OTHER, ToldLoss

OUTLIVES = never_replaced(HOW, kinds=("DaemonSet",))
DS = "DaemonSet"


def daemon(*, healed: float | None = 100.0, back: float | None = 110.0, mutated: bool = True) -> ToldLoss:
    """Return that a node is lost at 20 s, with a DaemonSet's pod that is not Ready from 70 s on until it is `back`."""
    story = ToldLoss().workload(5, "d", node=NODE, ready=True, kind=DS, mutated=mutated).lose(20, healed=healed)
    story.workload(70, "d", node=NODE, kind=DS, mutated=mutated)
    return story if back is None else story.workload(back, "d", node=NODE, ready=True, kind=DS, mutated=mutated)


def outcome(recorded: History) -> str:
    """Return how the claim on the DaemonSet's pod comes out."""
    return OUTLIVES(recorded).outcome


def test_ready_again() -> None:
    """The same pod, Ready again in time and still mutated, holds, whether all of that time is recorded or not."""
    verdict = OUTLIVES(daemon().seen(300))
    assert (verdict.outcome, verdict.at) == ("holds", None)
    assert verdict.summary == "1 of 1 pods are the same as before, Ready again, with their mutation"
    assert outcome(daemon().seen(115)) == "holds"


def test_deleted_and_nobody_comes() -> None:
    """A pod that is evicted and deleted does not outlive its node, although nobody replaces it."""
    story = daemon(back=None).workload(90, "d", node=NODE, kind=DS, leaving=True)
    verdict = OUTLIVES(story.workload(91, "d", node=NODE, kind=DS, f=DELETED).seen(300))
    assert (verdict.outcome, verdict.at, verdict.summary) == ("violated", 90, "1 of 1 pods were taken away")


def test_replaced() -> None:
    """A pod that another one of its node replaced was taken away."""
    story = daemon(back=None).workload(90, "d", node=NODE, kind=DS, f=DELETED).workload(92, "d2", node=NODE, kind=DS)
    assert outcome(story.seen(300)) == "violated"


def test_never_ready_again() -> None:
    """A pod that is not Ready within the time after the healing is lost; before that, nothing is decided."""
    verdict = OUTLIVES(daemon(back=None).seen(600))
    assert (verdict.outcome, verdict.at) == ("violated", 220)
    assert verdict.summary == "1 of 1 pods were not Ready 120 s after the healing"
    assert outcome(daemon(back=230).seen(600)) == "violated"
    assert never_replaced(HOW, kinds=(DS,), within=140)(daemon(back=230).seen(600)).outcome == "holds"
    assert outcome(daemon(back=None).seen(200)) == "inconclusive"


def test_the_first_success_is_not_enough() -> None:
    """A pod that is Ready again for a second, and then no more, is not."""
    assert outcome(daemon().workload(111, "d", node=NODE, kind=DS).seen(600)) == "violated"


def test_ready_when_another_node_is_lost() -> None:
    """A pod that is Ready in time, and stays so, holds, though another node was lost before it was."""
    story = daemon().lose(105, node=OTHER, process="fault 2", healed=115)
    assert never_replaced(HOW, kinds=(DS,), fault="fault 1")(story.seen(300)).outcome == "holds"
    again = daemon().lose(105, node=OTHER, process="fault 2", healed=115).workload(112, "d", node=NODE, kind=DS)
    assert never_replaced(HOW, kinds=(DS,), fault="fault 1")(again.seen(300)).outcome == "inconclusive"


def test_taken_away_when_another_node_of_the_claim_was_lost() -> None:
    """A claim on all lost nodes is violated whenever a pod of one is taken away; one on the first, only in its time."""
    story = daemon(back=None).lose(105, node=OTHER, process="fault 2", healed=115)
    recorded = story.workload(130, "d", node=NODE, kind=DS, f=DELETED).seen(300)
    assert outcome(recorded) == "violated"
    assert never_replaced(HOW, kinds=(DS,), fault="fault 1")(recorded).outcome == "inconclusive"
    assert never_replaced(HOW, kinds=(DS,), fault=("fault 1", "fault 2"))(recorded).outcome == "violated"


def test_a_node_that_is_not_healed() -> None:
    """While the node is not proved to be back, its pod need not be Ready, and does not hold."""
    verdict = OUTLIVES(daemon(healed=None, back=None).seen(600))
    assert (verdict.outcome, verdict.summary) == ("inconclusive", f"{NODE} was not proved to be healed")
    gone = daemon(healed=None, back=None).workload(90, "d", node=NODE, kind=DS, f=DELETED)
    assert outcome(gone.seen(600)) == "violated"


def test_a_short_history() -> None:
    """A history that ends 15 s after the harm says nothing."""
    story = ToldLoss().workload(5, "d", node=NODE, ready=True, kind=DS).lose(20)
    assert outcome(story.seen(35)) == "inconclusive"


def test_blind_from_the_harm_to_the_end() -> None:
    """A pod that nobody watched says nothing."""
    story = ToldLoss().workload(5, "d", node=NODE, ready=True, kind=DS).lose(20, healed=100).gap(20, None)
    verdict = OUTLIVES(story.seen(600))
    assert verdict.outcome == "inconclusive"
    assert f"{WATCH_WORKLOAD} was not seen from" in verdict.summary


def test_a_watch_that_goes_half_open_at_the_harm() -> None:
    """Where the watch gave no sign of life after the harm, neither a loss nor its absence is known."""
    story = ToldLoss().workload(5, "d", node=NODE, ready=True, kind=DS).lose(20, healed=100)
    recorded = story.recorded()
    assert outcome(replace(recorded, header=replace(recorded.header, schema=2))) == "inconclusive"


def test_what_is_stale() -> None:
    """A status that never changed is believed only when its node is back for long enough to have told otherwise."""
    story = ToldLoss().workload(5, "d", node=NODE, ready=True, kind=DS).lose(20, healed=60)
    assert outcome(story.seen(65)) == "inconclusive"
    assert outcome(story.seen(75)) == "holds"


def test_a_drained_node_has_a_kubelet() -> None:
    """What was told before a drain is no staler after it."""
    story = ToldLoss().workload(5, "d", node=NODE, ready=True, kind=DS).lose(20, healed=40, how="drained node")
    assert DRAINED_NODE == "drained node"
    assert never_replaced(DRAINED_NODE, kinds=(DS,))(story.seen(42)).outcome == "holds"


def test_bare_before() -> None:
    """A pod that never was mutated cannot keep it; one that loses it does not."""
    verdict = OUTLIVES(daemon(mutated=False).seen(300))
    assert verdict.outcome == "inconclusive"
    assert verdict.summary == "1 of 1 pods lacked the mutation before their node was harmed"
    assert outcome(daemon().workload(115, "d", node=NODE, ready=True, kind=DS, mutated=False).seen(300)) == "violated"


def test_what_takes_the_workload_away_at_the_end() -> None:
    """What is deleted after the moment up to which is to be judged, or after the last phase, is not lost."""
    story = daemon().workload(120, "d", node=NODE, kind=DS, leaving=True)
    assert outcome(story.seen(125)) == "violated"
    story.add(118, "mark", EXPERIMENT, "end", "recovered")
    assert outcome(story.seen(125)) == "holds"
    assert outcome(
        daemon().workload(120, "d", kind=DS, leaving=True).add(118, "mark", EXPERIMENT, JUDGE).seen(125)
    ) == ("holds")


def test_gone_before_the_harm() -> None:
    """A pod that left before the harm is none of its doing; one that may have left before decides nothing."""
    story = daemon().workload(4, "e", node=NODE, ready=True, kind=DS, namespace="chaos-e")
    story.workload(19, "e", node=NODE, kind=DS, namespace="chaos-e", f=DELETED)
    assert outcome(story.seen(300)) == "holds"
    story = ToldLoss().workload(5, "d", node=NODE, ready=True, kind=DS).lose(20, healed=100)
    story.gap(18, 40).workload(39.9, "d", node=NODE, kind=DS, f=DELETED)
    assert outcome(story.seen(300)) == "inconclusive"


@pytest.mark.parametrize(("end", "expected"), [("LISTED", "inconclusive"), (RESUMED, "holds")])
def test_a_gap(end: str, expected: str) -> None:
    """A gap after which the watch lists anew hides what came and went; one from which it resumes hides nothing."""
    assert outcome(daemon().gap(80, 90, end=end).seen(300)) == expected
    assert outcome(daemon().gap(8, 12, end=end).seen(300)) == "holds", "it was over when the node was lost"
    story = daemon().add(229, "change", WATCH_WORKLOAD, BOOKMARK, {}).gap(230, 240, end=end)
    assert outcome(story.seen(300)) == "holds", "the time was over"


def test_another_fault_on_the_same_node() -> None:
    """What two faults did to one node counts against neither alone; what is done to another node excuses nothing."""
    gone = daemon(back=None).workload(90, "d", node=NODE, kind=DS, f=DELETED)
    both = gone.fault(80, 85, 95, name="remove node", process="fault 2")
    verdict = OUTLIVES(both.seen(300))
    assert verdict.outcome == "inconclusive"
    assert verdict.summary.startswith("kill node (fault 1) and remove node (fault 2) overlapped")
    assert outcome(both.add(81, "info", "harm", "removed node", {"node": OTHER}).seen(300)) == "violated"


def test_the_next_fault() -> None:
    """What happens from the next fault on belongs to that, once this one is being healed."""
    story = daemon().workload(160, "d", node=NODE, kind=DS, f=DELETED)
    assert outcome(story.seen(300)) == "violated"
    assert outcome(story.fault(150, 152, None, name="remove node", process="fault 2").seen(300)) == "holds"


def test_two_nodes_harmed_in_the_same_way() -> None:
    """Each is judged by its own healing; a claim may be on one of them only."""
    story = (
        daemon().workload(5, "e", node=OTHER, ready=True, kind=DS).lose(30, node=OTHER, process="fault 2", healed=130)
    )
    story.workload(80, "e", node=OTHER, kind=DS)
    assert OUTLIVES(story.seen(600)).summary == "1 of 2 pods were not Ready 120 s after the healing"
    assert never_replaced(HOW, kinds=(DS,), fault="fault 1")(story.seen(600)).outcome == "holds"
    assert never_replaced(HOW, kinds=(DS,), fault=("fault 2",))(story.seen(600)).outcome == "violated"
    story.workload(140, "e", node=OTHER, ready=True, kind=DS)
    assert outcome(story.seen(600)) == "holds"


def test_one_node_harmed_twice() -> None:
    """A pod must outlive both losses, and what the second one does is not told of the first."""
    story = daemon().lose(300, process="fault 2", healed=380).workload(350, "d", node=NODE, kind=DS)
    verdict = OUTLIVES(story.seen(600))
    assert (verdict.outcome, verdict.summary) == ("violated", "1 of 2 pods were not Ready 120 s after the healing")
    assert never_replaced(HOW, kinds=(DS,), fault="fault 1")(story.seen(600)).outcome == "holds"
    assert outcome(story.workload(390, "d", node=NODE, ready=True, kind=DS).seen(600)) == "holds"


def test_a_loss_that_is_not_proved() -> None:
    """One that is not proved decides nothing, and takes nothing from what another one did."""
    story = daemon().lose(300, process="fault 2", proved=False, healed=380)
    verdict = OUTLIVES(story.seen(600))
    assert (verdict.outcome, verdict.summary) == ("inconclusive", f"{HOW}: {NODE} was not proved to be lost")
    bad = daemon(back=None).lose(300, process="fault 2", proved=False, healed=380)
    assert outcome(bad.seen(600)) == "violated"


def test_a_history_that_is_cut_off() -> None:
    """What would be told later is not known: it does not hold, but what was seen stays seen."""
    assert outcome(daemon().seen(300, ended=False)) == "inconclusive"
    assert outcome(daemon(back=None).seen(300, ended=False)) == "violated"


def test_a_harm_of_which_no_line_tells() -> None:
    """A fault of the same name that names no node leaves open what was lost."""
    story = daemon().fault(300, 310, 320, name="kill node", process="fault 2")
    verdict = OUTLIVES(story.seen(600))
    assert (verdict.outcome, verdict.summary) == (
        "inconclusive",
        "kill node (fault 2): which node it harmed is not known",
    )


def test_any_line_may_be_missing() -> None:
    """Without any one of its lines, a history says the same, or less."""
    for story in (daemon(), daemon(back=None), daemon(back=None).workload(90, "d", node=NODE, kind=DS, f=DELETED)):
        whole = story.workload(6, "x", node=OTHER, ready=True).seen(300)
        entries = list(whole.entries)
        for line in range(len(entries)):
            rest = [entry for entry in entries if entry.index != line]
            assert outcome(replace(whole, entries=rest)) in (outcome(whole), "inconclusive"), entries[line]
            cut = replace(whole, entries=entries[:line], ended=False)
            assert outcome(cut) in (outcome(whole), "inconclusive"), entries[line]
