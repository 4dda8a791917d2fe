"""Replacements: chains of them, several lost nodes, other faults meanwhile, and what nobody saw of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos_harness.harness.checks.node_loss import replaced_within, replacements_mutated
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import (
    BOOKMARK,
    DELETED,
    EXPERIMENT,
    IN_FORCE,
    JUDGE,
    LATE,
    METRONOME,
    POLICIES,
    REMOVE,
    RESUMED,
    WATCH_PODS,
    WATCH_SLICES,
    WATCH_WORKLOAD,
)
from chaos_harness.harness.verdict import Verdict
from tests.fakes.losses import HOW, NODE, OTHER, ToldLoss

MUTATED = replacements_mutated(HOW)
IN_TIME = replaced_within(120, HOW)
EXCUSED = replacements_mutated(HOW, excused=("nobody in rotation", "endpoint on the lost node"))


def lost(*names: str, mutated: bool = True) -> ToldLoss:
    """Return a node that is lost at 20 s with pods on it; each leaves at 76 s."""
    story = ToldLoss().lose(20)
    for name in names or ("a",):
        story.workload(5, name, node=NODE, ready=True, mutated=mutated).workload(76, name, node=NODE, leaving=True)
    return story


def born(
    story: ToldLoss, at: float, name: str, *, mutated: bool = True, node: str = OTHER, revision: str = ""
) -> ToldLoss:
    """Tell of a pod that is Ready 3 s after its birth."""
    story.workload(at, name, mutated=mutated, revision=revision)
    return story.workload(at + 3, name, node=node, ready=True, mutated=mutated, revision=revision)


def mutated(story: ToldLoss) -> Verdict:
    """Return the verdict on the mutation, of a history of 300 s."""
    return MUTATED(story.seen(300))


def in_time(story: ToldLoss) -> Verdict:
    """Return the verdict on the time, of a history of 300 s."""
    return IN_TIME(story.seen(300))


def test_all_of_a_chain() -> None:
    """What replaces a replacement must carry the mutation, too."""
    story = born(lost(), 77, "b").workload(100, "b", node=OTHER, leaving=True)
    assert mutated(story).outcome == "holds"
    verdict = mutated(born(story, 101, "c", mutated=False))
    assert (verdict.outcome, verdict.at, verdict.figures["replaced"]) == ("violated", 101, 2)
    assert "a on worker2 → b on worker, mutated → c on worker, NOT mutated" in verdict.evidence[-1]


def test_the_chain_is_ready_at_the_end() -> None:
    """A replacement that was Ready, and is lost before the time is over, is replaced by a Ready one, or too late."""
    story = born(lost(), 77, "b").workload(100, "b", node=OTHER, leaving=True)
    assert (in_time(story).outcome, in_time(story).at) == ("violated", 140)
    assert in_time(born(story, 101, "c")).outcome == "holds"


def test_a_replacement_that_is_told_to_go() -> None:
    """One that still says Ready when the time is over, but is being deleted, serves nobody for long."""
    assert in_time(born(lost(), 77, "b").workload(100, "b", node=OTHER, ready=True, leaving=True)).outcome == "violated"


def test_what_comes_after_it_was_judged_is_not_late() -> None:
    """Where it is judged just before the time is over, nobody is late yet, though the watch saw a little more."""
    story = born(lost(), 136, "b").add(138, "mark", EXPERIMENT, JUDGE)
    verdict = IN_TIME(story.seen(142))
    assert (verdict.outcome, verdict.summary) == ("inconclusive", "only 118.0 of 120 s were watched")


def test_one_bare_sibling() -> None:
    """Pods of a controller of which one lost pod was mutated have lost the mutation, whatever the others were."""
    story = (
        lost("a", "b").workload(5, "c", node=NODE, ready=True, mutated=False).workload(76, "c", node=NODE, leaving=True)
    )
    for name in ("x", "y", "z"):
        born(story, 77, name, mutated=False)
    assert mutated(story).outcome == "violated"
    assert mutated(story).summary.startswith("3 of 3 replacements lack the mutation")
    bare = born(lost(mutated=False), 77, "b", mutated=False)
    assert mutated(bare).summary == "1 of 1 pods lacked the mutation before their node was harmed"


def test_a_rollout_meanwhile() -> None:
    """A pod of the next ReplicaSet of a Deployment replaces one of the last, also where it is born first."""
    story = ToldLoss().lose(20).workload(5, "a", node=NODE, ready=True, revision="r1")
    born(story, 40, "b", mutated=False, revision="r2").workload(76, "a", node=NODE, leaving=True, revision="r1")
    assert (mutated(story).outcome, mutated(story).at) == ("violated", 40)
    assert in_time(story).outcome == "holds"


def test_who_replaces_another_pod() -> None:
    """Who comes in the place of a pod that left elsewhere replaces none of the lost node."""
    story = lost().workload(5, "e", node=OTHER, ready=True).workload(30, "e", node=OTHER, f=DELETED)
    born(story, 31, "f", mutated=False)
    assert in_time(story).outcome == "violated", "f came for e, and nobody for a"
    assert mutated(story).outcome == "inconclusive"
    assert mutated(born(story, 77, "b")).outcome == "holds"


def test_what_a_controller_did_before() -> None:
    """A pod that was born before the harm, in the place of one that left before it, counts neither way."""
    story = ToldLoss().lose(20).workload(2, "z", node=NODE, ready=True).workload(4, "z", node=NODE, f=DELETED)
    born(story, 5, "a", node=NODE, mutated=False).workload(76, "a", node=NODE, leaving=True)
    assert mutated(born(story, 77, "b")).summary == "1 of 1 replacements carry the mutation"


def test_a_pod_without_a_controller() -> None:
    """Nobody replaces a pod that no controller made."""
    story = born(lost(), 77, "b")
    story.workload(5, "bare", node=NODE, ready=True, kind="", namespace="chaos-bare")
    assert in_time(story).outcome == "holds"


def test_a_daemon_sets_pod_stays_on_its_node() -> None:
    """A DaemonSet's pod of another node replaces none of the lost one; that of its own node does."""
    check = replacements_mutated(HOW, kinds=("DaemonSet",))
    story = ToldLoss().lose(20, healed=120)
    for name, node in (("d", NODE), ("e", OTHER)):
        story.workload(5, name, node=node, ready=True, kind="DaemonSet")
    story.workload(30, "d", node=NODE, kind="DaemonSet", f=DELETED).workload(
        40, "e", node=OTHER, kind="DaemonSet", f=DELETED
    )
    story.workload(41, "e2", node=OTHER, ready=True, kind="DaemonSet", mutated=False)
    assert check(story.seen(300)).summary == "1 of 1 pods were not replaced"
    story.workload(125, "d2", node=NODE, kind="DaemonSet", mutated=False)
    assert (check(story.seen(300)).outcome, check(story.seen(300)).at) == ("violated", 125)


def test_a_replacement_that_is_lost_too() -> None:
    """Where a replacement's node is harmed in the same way, its own replacement is judged by that harm's time."""
    story = born(lost(), 77, "b").lose(90, node=OTHER, process="fault 2").workload(146, "b", node=OTHER, leaving=True)
    assert in_time(story).outcome == "violated"
    assert in_time(story).at == 210
    verdict = in_time(born(story, 147, "c", node="worker3"))
    assert verdict.outcome == "holds"
    assert mutated(story).outcome == "holds"
    assert replaced_within(120, HOW, fault="fault 1")(story.seen(300)).outcome == "inconclusive"


def test_another_way_of_harm() -> None:
    """A replacement whose node is harmed in another way may be dead though it looks Ready."""
    story = born(lost(), 77, "b").lose(90, node=OTHER, how="paused node", name="pause node", process="fault 2")
    verdict = in_time(story)
    assert verdict.outcome == "inconclusive"
    assert "kill node (fault 1) and pause node (fault 2) overlapped" in verdict.summary


def test_two_nodes_at_once() -> None:
    """Each pod is judged by the harm of its own node."""
    story = lost().lose(50, node=OTHER, process="fault 2").workload(5, "o", node=OTHER, ready=True)
    story.workload(106, "o", node=OTHER, leaving=True)
    assert in_time(story).summary == (
        "2 of 2 pods had no Ready replacement 120 s after the harm: chaos-pods/a, chaos-pods/o"
    )
    born(story, 77, "b", node="worker3")
    assert in_time(story).summary == "1 of 2 pods had no Ready replacement 120 s after the harm: chaos-pods/o"
    assert mutated(born(story, 107, "p", node="worker3", mutated=False)).at == 107
    assert replacements_mutated(HOW, fault="fault 1")(story.seen(300)).outcome == "holds"


def test_another_fault_meanwhile() -> None:
    """What two faults did counts against neither alone: only what is left without the other one's time does."""
    story = lost().fault(30, 31, 60, process="fault 2")
    assert in_time(story).outcome == "violated", "also 120 s without the other fault's time were not enough"
    assert in_time(born(story, 145, "b")).outcome == "inconclusive"
    assert in_time(born(lost(), 145, "b")).outcome == "violated"
    cut = born(lost(), 77, "b", mutated=False)
    assert mutated(cut).outcome == "violated"
    assert mutated(cut.fault(70, 71, 90, process="fault 2")).outcome == "inconclusive"
    assert "cut registry (fault 2) overlapped" in mutated(cut).summary


def test_the_next_fault() -> None:
    """What is born after the next fault has begun belongs to that."""
    story = (
        ToldLoss()
        .lose(20, healed=80)
        .workload(5, "a", node=NODE, ready=True)
        .workload(76, "a", node=NODE, leaving=True)
    )
    born(story, 77, "b").workload(160, "b", node=OTHER, leaving=True)
    born(story, 161, "c", mutated=False)
    assert mutated(story).outcome == "violated"
    assert mutated(story.fault(150, 151, 170, process="fault 2")).outcome == "holds"


def test_first_seen_at_the_end_of_a_gap() -> None:
    """A replacement that is first seen at the end of a gap may have been in time, and nothing is decided."""
    story = ToldLoss().lose(20).workload(5, "a", node=NODE, ready=True).add(60, "change", WATCH_WORKLOAD, BOOKMARK, {})
    story.gap(60, 200).workload(199.8, "a", node=NODE, f=DELETED).workload(199.9, "b", node=OTHER, ready=True)
    verdict = in_time(story)
    assert verdict.outcome == "inconclusive"
    assert f"{WATCH_WORKLOAD} was not seen from 60.0 to 140.0 s" in verdict.summary


def test_came_and_went_in_a_gap() -> None:
    """What may have come and gone in a gap is not known, unless the watch went on from where it was."""
    story = born(lost(), 77, "b").add(90, "change", WATCH_WORKLOAD, BOOKMARK, {})
    assert mutated(story.gap(90, 95, end=RESUMED)).outcome == "holds"
    assert "may have come and gone unseen" in mutated(story.gap(200, 205)).summary


def test_half_open_at_the_harm() -> None:
    """Who was on the node, and what replaced it, is not known if the watch fell silent just then."""
    story = ToldLoss().lose(20).workload(5, "a", node=NODE, ready=True)
    story.gap(55, 56).workload(55.8, "a", node=NODE, f=DELETED).workload(55.9, "b", node=OTHER, mutated=False)
    assert (mutated(story).outcome, in_time(story).outcome) == ("inconclusive", "inconclusive")


def test_a_busy_machine_hides_nothing() -> None:
    """Where the machine was late, only the moments are not known: what did not change is, and nothing is missing."""
    story = born(lost(), 77, "b").add(140.2, "info", METRONOME, LATE, {"seconds": 1.0})
    assert (in_time(story).outcome, mutated(story).outcome) == ("holds", "holds")
    story = born(lost(), 136.5, "b").add(140.2, "info", METRONOME, LATE, {"seconds": 1.0})
    assert in_time(story).outcome == "inconclusive", "it became Ready about when the time was over"


def test_what_takes_the_workload_away_at_the_end() -> None:
    """Pods that go when an experiment has gone through its last phase are not late."""
    story = born(lost(), 77, "b").add(110, "mark", EXPERIMENT, "end", "recovered")
    story.workload(112, "b", node=OTHER, f=DELETED)
    assert IN_TIME(story.seen(120)).outcome == "holds"


def test_what_was_not_in_force() -> None:
    """A pod lacks nothing if no policy was in force, or none is known to have been."""
    story = born(lost(), 77, "b", mutated=False)
    assert mutated(story).outcome == "violated"
    story.add(60, "invoke", POLICIES, REMOVE, {"policies": ["mutate pods"]})
    assert mutated(story).summary == "no policy is known to have been in force when b was created"
    story = born(lost(), 77, "b", mutated=False)
    story._entries = [entry for entry in story._entries if entry[3] != IN_FORCE]
    assert mutated(story).outcome == "inconclusive"


@pytest.mark.parametrize(
    ("process", "begin", "expected"),
    [(WATCH_SLICES, 76.5, "inconclusive"), (WATCH_PODS, 76.5, "inconclusive"), (WATCH_SLICES, 60, "violated")],
)
def test_an_excuse_that_was_not_seen(process: str, begin: float, expected: str) -> None:
    """What would excuse a pod must have been seen when it was born, else it neither does nor does not."""
    story = born(lost(), 77, "b", mutated=False).rotation(1, "w").pod(1, "w", node=OTHER)
    assert EXCUSED(story.seen(300)).outcome == "violated"
    story.add(begin - 0.1, "change", process, BOOKMARK, {})
    assert EXCUSED(story.gap(begin, begin + 1, process=process).seen(300)).outcome == expected


def test_ready_is_true_unless_it_is_false() -> None:
    """An endpoint of which it is not known whether it is ready is served."""
    story = born(lost(), 77, "b", mutated=False).pod(1, "w", node=OTHER)
    slices = {
        "metadata": {"name": "slice"},
        "endpoints": [{"conditions": {"ready": None}, "targetRef": {"uid": "uid-w"}}],
    }
    story.add(1, "change", WATCH_SLICES, "MODIFIED", {"object": slices})
    assert "1 webhook pods were in rotation" in EXCUSED(story.seen(300)).summary


WORLDS: dict[str, Callable[[], ToldLoss]] = {
    "good": lambda: born(lost(), 77, "b"),
    "late": lambda: born(lost(), 150, "b"),
    "bare": lambda: born(lost(), 77, "b", mutated=False),
    "chain": lambda: born(born(lost(), 77, "b").workload(100, "b", node=OTHER, leaving=True), 101, "c", mutated=False),
    "removed": lambda: born(lost(), 77, "b", mutated=False).add(
        70, "invoke", POLICIES, REMOVE, {"policies": ["mutate pods"]}
    ),
    "two": lambda: born(born(lost(), 77, "b", node="w3").lose(90, node="w3", process="fault 2"), 150, "c"),
    "next": lambda: born(lost(), 150, "b", mutated=False).fault(140, 141, 160, process="fault 2"),
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("check", [MUTATED, IN_TIME, EXCUSED])
def test_who_sees_less_is_less_sure(name: str, check: Callable[[History], Verdict]) -> None:
    """Without a line, after a cut, without a stream or a part of it, a history says the same, or less."""
    story = WORLDS[name]().rotation(1, "w").rotation(60).pod(1, "w", node=OTHER)
    whole = story.seen(300)
    entries, sure = list(whole.entries), {check(whole).outcome, "inconclusive"}
    for line, entry in enumerate(entries):
        rest = [other for other in entries if other is not entry]
        assert check(replace(whole, entries=rest)).outcome in sure, entry
        assert check(replace(whole, entries=entries[:line], ended=False)).outcome in sure, entry
    for process in (WATCH_WORKLOAD, WATCH_SLICES, WATCH_PODS, POLICIES):
        story._entries = [entry for entry in WORLDS[name]().rotation(1, "w")._entries if entry[2] != process]
        assert check(story.seen(300)).outcome in sure, process
