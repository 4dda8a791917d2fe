"""Node loss: histories in which replacements come, mutated or not, in time or not, and such that decide nothing."""

from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chaos_harness.harness.checks.node_loss import replaced_within, replacements_mutated, spread
from chaos_harness.harness.faults.nodes import drain, isolate, power
from chaos_harness.harness.history import History
from chaos_harness.harness.history.node_loss import PHASES, Replacement
from chaos_harness.harness.history.node_scene import Scene, Scope
from chaos_harness.harness.history.vocabulary import WATCH_SLICES
from tests.fakes.losses import HOW, NODE, OTHER, ToldLoss

MUTATED = replacements_mutated(HOW)
IN_TIME = replaced_within(60, HOW)


def replacements(recorded: History, *, namespace: str = "", kinds: tuple[str, ...] = ()) -> list[Replacement]:
    """Return who replaced the pods of the lost node."""
    return Scene(recorded, Scope(HOW, (), namespace, kinds)).lost


def lost(history: ToldLoss | None = None) -> ToldLoss:
    """Return a node that is lost at 20 s with one pod on it, and is known to be lost at 70 s."""
    history = (history or ToldLoss()).workload(5, "a", node=NODE, ready=True, f="ADDED").lose(20)
    return history.node(10, "True").node(70, "Unknown").node(71, "Unknown", "unreachable").node(200, "Unknown")


def replaced(name: str = "b", *, mutated: bool = True, history: ToldLoss | None = None) -> ToldLoss:
    """Return that the pod leaves at 76 s and is replaced by one that is Ready at 79 s."""
    history = lost(history).workload(76, "a", node=NODE, ready=True, leaving=True)
    history.workload(76.1, name, mutated=mutated, f="ADDED").workload(76.3, name, node=OTHER, mutated=mutated)
    return history.pulled(77, name).workload(79, name, node=OTHER, ready=True, mutated=mutated)


def test_phases() -> None:
    """Every phase of a replacement is told, in seconds since the node was harmed."""
    (replacement,) = replacements(replaced().recorded())
    assert replacement.phases() == {
        "detected": 50,
        "tainted": 51,
        "evicted": 56,
        "admitted": 56.1,
        "scheduled": 56.3,
        "pull": 57,
        "started": 59,
        "ready": 59,
    }
    assert tuple(replacement.phases()) == PHASES
    assert str(replacement).startswith(
        "chaos-pods/a on worker2 → b on worker, mutated: detected 50.0 s, tainted 51.0 s"
    )


def test_mutated_replacement() -> None:
    """A replacement that carries the mutation holds, with the phases as figures."""
    verdict = MUTATED(replaced().recorded())
    assert (verdict.outcome, verdict.summary) == ("holds", "1 of 1 replacements carry the mutation")
    assert verdict.figures["unmutated"] == 0
    assert verdict.figures["ready_max_seconds"] == 59


@pytest.mark.parametrize(
    ("rotation", "nodes_of", "cause"),
    [
        (
            [],
            {"w1": NODE, "w2": NODE},
            "no webhook pod was in rotation when they were admitted, 2 of 2",
        ),
        (["w1", "w2"], {"w1": NODE, "w2": OTHER}, "1 of 2 endpoints of the webhook led to the lost node"),
        (["w2"], {"w1": NODE, "w2": OTHER}, "1 webhook pods were in rotation when they were admitted, 1 of 2"),
    ],
)
def test_root_cause(rotation: list[str], nodes_of: dict[str, str], cause: str) -> None:
    """A replacement without the mutation is a violation that tells who could have been asked when it was admitted."""
    history = replaced(mutated=False).rotation(1, "w1", "w2").rotation(72, *rotation)
    for name, node in nodes_of.items():
        history.pod(1, name, node=node)
    verdict = MUTATED(history.recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 76.1)
    assert verdict.summary.startswith(f"1 of 1 replacements lack the mutation: {cause}")
    assert "NOT mutated" in verdict.evidence[-1]


@pytest.mark.parametrize(
    ("excuse", "changes", "outcome"),
    [
        ("nobody in rotation", [(72, [])], "holds"),
        ("nobody in rotation", [(72, []), (75, ["w1"])], "holds"),
        ("nobody in rotation", [(72, []), (73, ["w1"])], "violated"),
        ("nobody in rotation", [], "violated"),
        ("endpoint on the lost node", [], "holds"),
        ("endpoint on the lost node", [(75, ["w2"])], "holds"),
        ("endpoint on the lost node", [(73, ["w2"])], "violated"),
        ("endpoint on the lost node", [(72, [])], "violated"),
    ],
)
def test_excused(excuse: Literal["nobody in rotation"], changes: list[tuple[float, list[str]]], outcome: str) -> None:
    """A pod may lack the mutation if just that was so when it was born, or shortly before."""
    history = replaced(mutated=False).pod(1, "w1", node=NODE).pod(1, "w2", node=OTHER).rotation(1, "w1", "w2")
    for at, names in changes:
        history.rotation(at, *names)
    verdict = replacements_mutated(HOW, excused=(excuse,))(history.recorded())
    assert (verdict.outcome, verdict.figures["unmutated"]) == (outcome, 1)
    if outcome == "holds":
        assert verdict.summary == f"0 of 1 replacements carry the mutation, 1 are excused: {excuse}"
    assert MUTATED(history.recorded()).outcome == "violated"


def test_nothing_is_excused_that_was_not_watched() -> None:
    """Who was in rotation must be known for an excuse, and to refuse one."""
    check = replacements_mutated(HOW, excused=("nobody in rotation", "endpoint on the lost node"))
    history = replaced(mutated=False)
    history._entries = [entry for entry in history._entries if entry[2] != WATCH_SLICES]
    verdict = check(history.recorded())
    assert (verdict.outcome, "the webhook endpoints were not seen" in verdict.summary) == ("inconclusive", True)
    assert MUTATED(history.recorded()).outcome == "violated", "who excuses nothing needs not know"


def test_mutated_later_is_not_mutated_when_born() -> None:
    """What counts is how the pod was admitted, not what somebody made of it afterwards."""
    history = replaced(mutated=False).workload(90, "b", node=OTHER, ready=True)
    assert MUTATED(history.recorded()).outcome == "violated"


INCONCLUSIVE = {
    "no harm": (
        ToldLoss().workload(5, "a", node=NODE),
        "the history has no node harmed as 'killed node'; it has: no harmed node",
    ),
    "not proved": (ToldLoss().workload(5, "a", node=NODE).lose(20, proved=False), "was not proved to be lost"),
    "nobody there": (ToldLoss().workload(5, "a", node=OTHER).lose(20), "none of these pods was on worker2"),
    "not replaced": (lost(), "1 of 1 pods were not replaced"),
    "a gap": (replaced().gap(72, 75), "may have come and gone unseen"),
    "blind to the end": (replaced().gap(90, None), "may have come and gone unseen"),
}


@pytest.mark.parametrize("name", INCONCLUSIVE)
def test_undecided(name: str) -> None:
    """Without a proved loss, a pod on the node, a replacement and a whole watch, nothing is said of mutation."""
    history, why = INCONCLUSIVE[name]
    verdict = MUTATED(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert why in verdict.summary


def test_not_watched() -> None:
    """A workload that was never listed was not watched."""
    history = replaced()
    history._entries = [entry for entry in history._entries if entry[3] != "LISTED"]
    assert MUTATED(history.recorded()).summary == "the workload was not watched"


def test_a_gap_before_the_loss() -> None:
    """A gap that was over when the node was lost hides no replacement."""
    assert MUTATED(replaced().gap(8, 12).recorded()).outcome == "holds"


def test_a_gap_excuses_nothing() -> None:
    """A replacement that was seen to lack the mutation is a violation, gap or not."""
    assert MUTATED(replaced(mutated=False).gap(72, 75).recorded()).outcome == "violated"


def test_in_time() -> None:
    """A replacement that is Ready within the time holds, a later one is a violation."""
    assert IN_TIME(replaced().recorded()).outcome == "holds"
    verdict = replaced_within(58, HOW)(replaced().recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 78)
    assert verdict.summary == "1 of 1 pods had no Ready replacement 58 s after the harm: chaos-pods/a"


def test_percentiles() -> None:
    """Phases of many replacements are told by their median and 95th percentile, each with what few samples allow."""
    pods = [(True, True, float(took)) for took in range(1, 21)]
    figures = spread(replacements(_history(pods)))
    assert (figures["ready_median_seconds"], figures["ready_p95_seconds"], figures["ready_max_seconds"]) == (10, 19, 20)
    assert figures["ready_median_low_seconds"] < 10 < figures["ready_median_high_seconds"]
    assert figures["ready_p95_low_seconds"] <= 19
    assert "ready_p95_high_seconds" not in figures, "20 samples do not bound it from above"
    assert "pull_median_seconds" not in figures


def test_never_in_time() -> None:
    """A pod that is never replaced is a violation once the time is over, and undecided before."""
    assert IN_TIME(lost().recorded()).outcome == "violated"
    assert replaced_within(500, HOW)(lost().recorded()).outcome == "inconclusive"


def test_only_those_that_were_lost() -> None:
    """Pods elsewhere, pods that were leaving before, the canary's, and other namespaces are not lost with the node."""
    history = replaced().workload(4, "elsewhere", node=OTHER, ready=True, f="ADDED")
    history.workload(4, "left", node=NODE, f="ADDED").workload(19, "left", node=NODE, leaving=True)
    history.workload(4, "canary", node=NODE, namespace="chaos-canary").workload(
        4, "other", node=NODE, namespace="chaos-x"
    )
    assert [replacement.lost.name for replacement in replacements(history.recorded(), namespace="chaos-pods")] == ["a"]


def test_a_stateful_set_keeps_names() -> None:
    """A pod of a StatefulSet is replaced by the one of its own name only, and is not seen as the same one."""
    history = ToldLoss()
    for number in (0, 1):
        history.workload(5, f"s-{number}", node=NODE, ready=True, kind="StatefulSet", uid=f"old-{number}")
    history.lose(20).workload(90, "s-1", node=OTHER, kind="StatefulSet", uid="new-1")
    replaced_pods = replacements(history.recorded(), kinds=("StatefulSet",))
    assert {replacement.lost.name: replacement.by and replacement.by.uid for replacement in replaced_pods} == {
        "s-0": None,
        "s-1": "new-1",
    }


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ((False, False), (True, True), "inconclusive"),
        ((False, True), (True, True), "holds"),
        ((True, True), (True, False), "violated"),
        ((False, False), (True, False), "violated"),
    ],
)
def test_what_never_was_there_is_not_lost(first: tuple[bool, bool], second: tuple[bool, bool], outcome: str) -> None:
    """A pod without the mutation whose predecessor lacked it, too, decides nothing; one that lost it does."""
    history = ToldLoss()
    for name, (before, _) in (("a", first), ("s", second)):
        history.workload(5, name, node=NODE, ready=True, mutated=before, namespace=f"chaos-{name}")
    history.lose(20)
    for name, (_, after) in (("a", first), ("s", second)):
        history.workload(76, name, node=NODE, leaving=True, mutated=True, namespace=f"chaos-{name}")
        history.workload(77, f"{name}2", node=OTHER, ready=True, mutated=after, namespace=f"chaos-{name}")
    verdict = MUTATED(history.recorded())
    assert verdict.outcome == outcome
    if outcome == "inconclusive":
        assert verdict.summary == "1 of 2 pods lacked the mutation before their node was harmed"


def test_a_node_that_is_gone() -> None:
    """A Node object that is removed is detected by that."""
    history = ToldLoss().workload(5, "a", node=NODE).lose(20).node(21, "True", f="DELETED")
    (replacement,) = replacements(history.recorded())
    assert replacement.phases() == {"detected": 1, "tainted": 1}


def test_names_of_harm() -> None:
    """The words by which checks find harm are those that faults write."""
    hows = [power.KILLED_NODE, power.STOPPED_NODE, power.PAUSED_NODE, power.REBOOTED_NODE]
    assert [*hows, isolate.CUT_OFF_NODE, drain.DRAINED_NODE, drain.REMOVED_NODE] == [
        f"{word} node" for word in ("killed", "stopped", "paused", "rebooted", "cut off", "drained", "removed")
    ]


_PODS = st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(1, 100)), min_size=1, max_size=8)


def _history(pods: list[tuple[bool, bool, float]]) -> History:
    history = ToldLoss().lose(20).node(300, "Unknown")
    for number, (replaced_, mutated, took) in enumerate(pods):
        place = f"chaos-{number}"
        history.workload(5, f"old{number}", node=NODE, ready=True, f="ADDED", namespace=place)
        if replaced_:
            history.workload(19.9 + took, f"old{number}", node=NODE, leaving=True, namespace=place)
            history.workload(
                20 + took, f"new{number}", node=OTHER, ready=True, mutated=mutated, f="ADDED", namespace=place
            )
    return history.recorded()


@given(_PODS)
def test_any_unmutated_replacement_decides(pods: list[tuple[bool, bool, float]]) -> None:
    """Whatever else happened: one that lacks the mutation violates, else one that is missing decides nothing."""
    verdict = MUTATED(_history(pods))
    unmutated = sum(1 for replaced_, mutated, _ in pods if replaced_ and not mutated)
    complete = all(replaced_ for replaced_, *_ in pods)
    assert verdict.outcome == ("violated" if unmutated else "holds" if complete else "inconclusive")
    assert verdict.figures["unmutated"] == unmutated
    assert verdict.figures["replaced"] == sum(replaced_ for replaced_, *_ in pods)


@given(_PODS, st.floats(1, 100))
def test_the_slowest_decides(pods: list[tuple[bool, bool, float]], seconds: float) -> None:
    """All are in time if and only if the slowest is, and no phase lies before the one that must come first."""
    recorded = _history(pods)
    slowest = max(round(took, 3) if replaced_ else 1000 for replaced_, _, took in pods)
    replaced_pods = replacements(recorded)
    taken = max(replacement.phases().get("ready", 1000) for replacement in replaced_pods)
    assert taken == pytest.approx(slowest, abs=0.002)
    assume(abs(taken - seconds) > 0.001)
    assert replaced_within(seconds, HOW)(recorded).outcome == ("holds" if taken <= seconds else "violated")
    assert all(
        replacement.phases()["admitted"] <= replacement.phases()["ready"]
        for replacement in replaced_pods
        if replacement.by
    )
