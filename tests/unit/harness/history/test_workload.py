"""Workload, lost nodes and rotation of a history: who replaced whom, whose harm it was, and what leaves that open."""

from chaos_harness.harness.checks.node_loss import never_replaced, replaced_within, replacements_mutated
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.node_scene import Scene, Scope
from chaos_harness.harness.history.rotation import Rotation
from chaos_harness.harness.history.vocabulary import BOOKMARK, DELETED, HARM, WATCH_SLICES, WATCH_WORKLOAD
from chaos_harness.harness.history.workload import Workload
from tests.fakes.losses import HOW, NODE, OTHER, ToldLoss


def _successors(story: ToldLoss) -> dict[str, str]:
    workload = Workload()
    follow(story.recorded(), workload)
    return {uid: pod.uid for uid, pod in workload.successors(lambda at: at).items()}


def test_the_oldest_vacancy_is_filled_first() -> None:
    """Pods of one controller replace one another in the order in which they leave and come."""
    story = ToldLoss().workload(5, "a", node=NODE).workload(5, "b", node=OTHER)
    story.workload(20, "b", node=OTHER, f=DELETED).workload(30, "a", node=NODE, f=DELETED)
    story.workload(31, "x").workload(32, "y").workload(33, "z")
    assert _successors(story) == {"uid-b": "uid-x", "uid-a": "uid-y"}


def test_a_pod_does_not_replace_itself() -> None:
    """A pod that is first seen while it leaves makes room for another one only."""
    story = ToldLoss().workload(5, "a", node=NODE, leaving=True).workload(6, "b", node=NODE, f=DELETED)
    assert _successors(story) == {"uid-a": "uid-b"}


def test_all_that_came_in_one_moment() -> None:
    """After a gap a watch that goes on tells in one moment who came, left, and came: in the order in which they did."""
    kind = "StatefulSet"
    story = ToldLoss().workload(5, "a", node=NODE, kind=kind).workload(30, "a", node=NODE, kind=kind, f=DELETED)
    for uid in ("uid-b", "uid-c"):
        story.workload(30, "a", kind=kind, uid=uid)
        if uid == "uid-b":
            story.workload(30, "a", kind=kind, uid=uid, f=DELETED)
    assert _successors(story) == {"uid-a": "uid-b", "uid-b": "uid-c"}


def test_a_pod_that_failed_is_counted_no_more() -> None:
    """Its controller makes another one, though nobody deletes it."""
    story = ToldLoss().workload(5, "a", node=NODE, ready=True).workload(70, "a", node=NODE).workload(77, "b")
    (entry,) = (entry for entry in story._entries if entry[0] == 70)
    entry[4]["object"]["status"]["phase"] = "Failed"
    assert _successors(story) == {"uid-a": "uid-b"}


def test_whose_place_it_was_may_be_open() -> None:
    """Where a list after a gap tells of two pods that left, it is not known which of them the next one replaces."""
    story = ToldLoss().lose(20).workload(5, "a", node=NODE, ready=True).workload(5, "e", node=OTHER, ready=True)
    story.add(72, "change", WATCH_WORKLOAD, BOOKMARK, {}).gap(72, 75)
    story.workload(74.8, "a", node=NODE, leaving=True).workload(77, "b", mutated=False).workload(80, "c")
    assert replacements_mutated(HOW)(story.seen(300)).outcome == "violated"
    story.workload(74.9, "e", node=OTHER, leaving=True)
    assert replacements_mutated(HOW)(story.seen(300)).outcome == "inconclusive"


def test_nobody_known_to_be_lost() -> None:
    """Where it is only possible that a pod was on the node, nothing holds."""
    story = ToldLoss().lose(20).workload(5, "a", node=NODE, ready=True).workload(45, "b", node=OTHER, ready=True)
    story.add(15, "change", WATCH_WORKLOAD, BOOKMARK, {}).gap(15, 40).workload(39, "a", node=NODE, f=DELETED)
    verdict = replaced_within(120, HOW)(story.seen(300))
    assert verdict.outcome == "inconclusive"
    assert (
        verdict.summary == f"which pods were on {NODE} is not known: {WATCH_WORKLOAD} was not seen from 15.0 to 40.0 s"
    )


def test_whose_harm_it_is() -> None:
    """Harm is of the fault that was begun last, unless that was proved before: then a line is missing."""
    story = ToldLoss().workload(5, "a", node=NODE).lose(20, healed=80).lose(100, node=OTHER, process="fault 2")
    assert [loss.fault and loss.fault.id for loss in Scene(story.recorded(), Scope(HOW)).losses] == [
        "fault 1",
        "fault 2",
    ]
    story.add(130, "info", HARM, HOW, {"node": NODE})
    assert [loss.proved for loss in Scene(story.recorded(), Scope(HOW)).losses] == [True, True, False]


def test_a_fault_that_did_nothing_of_the_kind() -> None:
    """A claim that names faults is on each of them, and their names stand in its own."""
    story = ToldLoss().workload(5, "d", node=NODE, ready=True, kind="DaemonSet").lose(20, healed=40)
    check = never_replaced(HOW, kinds=("DaemonSet",), fault=("fault 1", "fault 9"))
    assert check.__name__ == "DaemonSet pods of a killed node by fault 1 and fault 9 outlive it"
    assert check(story.seen(300)).summary == (
        "the history has no node harmed as 'killed node by fault 1 and fault 9'; it has: killed node (kill node)"
    )


def test_rotation() -> None:
    """All that was in rotation in a time is what was so at its begin, and what it became."""
    rotation = Rotation()
    story = ToldLoss().rotation(1, "w1", "w2").rotation(5, "w1").rotation(9).pod(1, "w1", node=NODE)
    follow(story.add(20, "change", WATCH_SLICES, BOOKMARK, {}).recorded(), rotation)
    assert rotation.at(0.9) is None
    assert rotation.at(5) == frozenset({"uid-w1"})
    assert rotation.between(4, 9) == [{"uid-w1", "uid-w2"}, {"uid-w1"}, set()]
    assert (rotation.nodes["uid-w1"], rotation.webhooks(3)) == (NODE, ["uid-w1"])
