"""Quiescence: who writes while nothing is asked for, and when that is not known, in histories made by hand."""

from typing import Any, Self

import pytest

from chaos_harness.harness.checks.quiescence import nobody_writes_at_rest
from chaos_harness.harness.history import History
from chaos_harness.harness.history.own_objects import LISTS
from chaos_harness.harness.history.vocabulary import (
    ADDED,
    BOOKMARK,
    CONSTRAINTS,
    DELETED,
    EXPERIMENT,
    GAP,
    JUDGE,
    LATE,
    LISTED,
    METRONOME,
    MODIFIED,
    RESUMED,
    WATCH_BINDINGS,
    WATCH_PODS,
    WATCH_POLICIES,
    WATCH_TEMPLATES,
)
from chaos_harness.harness.history.writes import EXCEPTED
from tests.fakes.histories import HistoryBuilder, some_lines

_CONSTRAINTS = f"{CONSTRAINTS}denied"
_EVERY = (*LISTS, _CONSTRAINTS)
_NAMES = {WATCH_TEMPLATES: "denied"}
_END = 200.0


class Resting(HistoryBuilder):
    """A history of objects that are there from the begin, and of a pod that stays Ready; it is judged at its end."""

    def __init__(self, *without: str) -> None:
        super().__init__()
        self._version = 0
        self.pod(0.5, "a", f=LISTED).pods(0.6, LISTED)
        for process in _EVERY:
            if process not in without:
                self.wrote(0.5, process, "gatekeeper", f=LISTED)
                self.add(0.6, "change", process, LISTED, {"resource_version": "1"})

    def pods(self, at: float, f: str) -> Self:
        """Add a sign of the watch on pods."""
        return self.add(at, "change", WATCH_PODS, f, {"resource_version": "1", "why": "refused", "detail": ""})

    def gap(self, begin: float, end: float, process: str, how: str = LISTED) -> Self:
        """Let a watch see nothing for a time."""
        self.add(begin, "change", process, GAP, {"resource_version": "1", "why": "refused", "detail": ""})
        return self.add(end, "change", process, how, {"resource_version": "1"})

    def wrote(
        self,
        at: float,
        process: str,
        *by: str,
        f: str = MODIFIED,
        version: str = "",
        status: Any = None,
        in_gap: bool = False,
        **metadata: Any,
    ) -> Self:
        """Add that somebody wrote the object of a watch."""
        self._version += 1
        name = _NAMES.get(process, "rule")
        named = {"name": name, "uid": f"uid-{name}", "resourceVersion": version or str(self._version), **metadata}
        there = {"metadata": named, "status": status or {"byPod": []}, "writers": list(by)}
        value = {"resource_version": "1", "object": there}
        return self.add(at, "change", process, f, {**value, "in_gap": True} if in_gap else value)

    def judged(self) -> History:
        """Return it as a check reads it."""
        self.add(_END, "mark", EXPERIMENT, JUDGE)
        for process in dict.fromkeys(entry[2] for entry in list(self._entries) if entry[2].startswith("watch ")):
            self.add(_END + 1, "change", process, BOOKMARK, {"resource_version": "1"})
        return self.recorded()


def outcome(history: Resting, seconds: float = 60, at_most: int = 0) -> str:
    """Return what is said of a history."""
    return nobody_writes_at_rest(seconds, at_most)(history.judged()).outcome


def test_nobody_writes() -> None:
    """What was written before a cluster is at rest is no matter; how long it was at rest is told."""
    verdict = nobody_writes_at_rest()(Resting().wrote(30, WATCH_TEMPLATES, "gatekeeper").judged())
    assert (verdict.outcome, verdict.summary) == ("holds", "0 writes in 139.4 s of rest")
    assert verdict.figures == {"rest_seconds": 139.4, "writes_at_rest": 0}


@pytest.mark.parametrize("process", _EVERY)
def test_who_writes_at_rest_is_named(process: str) -> None:
    """Each list counts; who wrote which object how often is told, and the moment of the first write too many."""
    history = Resting().wrote(100, process, "argocd-controller").wrote(103, process, "gatekeeper (status)")
    verdict = nobody_writes_at_rest()(history.judged())
    who = f"{process.removeprefix('watch ')} {_NAMES.get(process, 'rule')}"
    assert (verdict.outcome, verdict.at) == ("violated", 100)
    words = f"{who}: written 2 times from 100.0 to 103.0 s, by argocd-controller, gatekeeper (status)"
    assert verdict.evidence == (words,)
    assert verdict.figures["most_writes_a_minute"] == 2


@pytest.mark.parametrize(
    ("moments", "at_most", "said"),
    [((100,), 1, "holds"), ((100, 130), 1, "violated"), ((100, 170), 1, "holds"), ((100, 110, 120), 2, "violated")],
)
def test_how_often_decides(moments: tuple[float, ...], at_most: int, said: str) -> None:
    """The writes of an object in any minute are counted."""
    history = Resting()
    for at in moments:
        history.wrote(at, WATCH_POLICIES, "gatekeeper")
    assert outcome(history, 60, at_most) == said


def test_each_object_is_counted_by_itself() -> None:
    """One write each of two objects is not two of one."""
    history = Resting().wrote(100, WATCH_POLICIES, "gatekeeper").wrote(101, WATCH_BINDINGS, "gatekeeper")
    assert outcome(history, 60, 1) == "holds"


@pytest.mark.parametrize("excepted", EXCEPTED)
def test_what_audits_report_does_not_count(excepted: Any) -> None:
    """These fields of a constraint may be written; with anything else, or of another object, they count."""
    report, more = {"byPod": [], excepted.field[-1]: "new"}, {"byPod": ["a"], excepted.field[-1]: "newer"}
    audited = Resting().wrote(100, _CONSTRAINTS, "gatekeeper (status)", status=report)
    assert outcome(audited) == "holds"
    assert outcome(audited.wrote(120, _CONSTRAINTS, "gatekeeper (status)", status=more)) == "violated"
    assert outcome(Resting().wrote(100, WATCH_TEMPLATES, "gatekeeper (status)", status=report)) == "violated"


def test_what_is_told_again_was_not_written() -> None:
    """An object of the same version is the same, as after a list that was read anew."""
    history = Resting().wrote(0.55, WATCH_POLICIES, "gatekeeper", version="7", f=LISTED)
    assert outcome(history.wrote(100, WATCH_POLICIES, "gatekeeper", version="7")) == "holds"


@pytest.mark.parametrize(
    "history",
    [
        Resting().fault(70, 71, 80),
        Resting()
        .add(60, "invoke", "policies", "apply", {"policies": ["p"]})
        .add(80, "ok", "policies", "in force", {"policies": ["p"], "proof": "seen"}),
        Resting().pod(70, "a", ready=False).pod(80, "a"),
        Resting().pod(80, "a", container="c2"),
        Resting().wrote(80, WATCH_TEMPLATES, "kubectl-patch"),
        Resting().wrote(80, WATCH_TEMPLATES, "chaos-harness", "kubectl"),
        Resting().harm(80, "killed", "a"),
        Resting().add(80, "mark", "race", "decided"),
    ],
    ids=["fault", "policy", "not-ready", "restarted", "kubectl", "ours", "harm", "race"],
)
def test_what_is_done_is_no_rest(history: Resting) -> None:
    """For some seconds after anything was done it may be written; later it is at rest again."""
    assert outcome(history.wrote(130, WATCH_POLICIES, "gatekeeper")) == "holds"
    assert outcome(history.wrote(150, WATCH_POLICIES, "gatekeeper")) == "violated"


def test_a_fault_that_lasts_is_no_rest() -> None:
    """While a fault is there, or a pod is not Ready, it is never at rest."""
    assert outcome(Resting().fault(10, 11, None).wrote(150, WATCH_POLICIES, "gatekeeper")) == "inconclusive"
    assert outcome(Resting().pod(10, "a", ready=False).wrote(150, WATCH_POLICIES, "gatekeeper")) == "inconclusive"


def test_who_created_it_wrote_it() -> None:
    """A new object is a write; who deletes one is not recorded, so that the experiment may have."""
    made = Resting().wrote(100, WATCH_BINDINGS, "gatekeeper", f=ADDED, uid="uid-new", name="more")
    assert outcome(made) == "violated"
    assert outcome(Resting().wrote(100, WATCH_BINDINGS, "gatekeeper", f=DELETED)) == "inconclusive"


@pytest.mark.parametrize(
    "history",
    [
        Resting().wrote(100, WATCH_POLICIES),
        Resting().wrote(100, WATCH_POLICIES, "kubectl-patch", "gatekeeper"),
        Resting().wrote(100, WATCH_POLICIES, "gatekeeper", deletionTimestamp="2026-11-23T00:00:00Z"),
    ],
    ids=["old", "same-second", "terminating"],
)
def test_nobody_is_blamed_for_what_nobody_signed(history: Resting) -> None:
    """Old histories do not say who wrote, nor does an object that is being deleted; two of one second may be either."""
    assert outcome(history) == "inconclusive"
    assert outcome(history.wrote(140, WATCH_POLICIES, "gatekeeper")) == "inconclusive"


@pytest.mark.parametrize("process", _EVERY)
def test_what_was_not_seen_may_have_been_written(process: str) -> None:
    """A list that was not watched at rest, or never, leaves it open; before that it is no matter."""
    assert outcome(Resting().gap(100, 120, process)) == "inconclusive"
    assert outcome(Resting(process)) == "inconclusive"
    assert outcome(Resting().gap(20, 40, process)) == "holds"


def test_a_gap_tells_that_it_was_written() -> None:
    """What came in a gap was written in it, if all of it lies in a time of rest."""
    for how in (RESUMED, LISTED):
        for begin, said in ((100.0, "violated"), (50.0, "inconclusive")):
            history = Resting().gap(begin, 120, WATCH_POLICIES, how)
            history.wrote(119, WATCH_POLICIES, "gatekeeper", in_gap=True)
            assert outcome(history) == said


def test_constraints_of_a_template_that_is_gone() -> None:
    """Without a template its constraints are not served, and nobody writes them."""
    history = Resting().fault(20, 21, 30)
    history.wrote(22, WATCH_TEMPLATES, f=DELETED).wrote(23, _CONSTRAINTS, f=DELETED)
    history.add(23, "change", _CONSTRAINTS, GAP, {"resource_version": "1", "why": "404", "detail": ""})
    assert outcome(history) == "holds"


def test_a_pod_that_was_not_seen_may_have_changed() -> None:
    """It is not known whether it was at rest, so that a write violates nothing, and none proves that it holds."""
    history = Resting().gap(90, 110, WATCH_PODS)
    assert outcome(history) == "holds"
    assert outcome(history.wrote(120, WATCH_POLICIES, "gatekeeper")) == "inconclusive"


def test_it_was_never_at_rest() -> None:
    """Without ten seconds of rest nothing is known of it."""
    assert outcome(Resting(), 195) == "inconclusive"
    assert outcome(Resting(), 185) == "holds"
    assert outcome(Resting().wrote(150, WATCH_POLICIES, "gatekeeper"), 195) == "inconclusive"


def test_a_starved_machine_is_no_witness() -> None:
    """What was written in a time in which this machine was starved, or soon after, violates nothing."""
    history = Resting().wrote(100, WATCH_POLICIES, "gatekeeper")
    assert outcome(history.add(101, "info", METRONOME, LATE, {"seconds": 5.0})) == "inconclusive"


def test_a_recording_that_was_cut_off_may_have_more() -> None:
    """What came after the last line is not known; what was seen before is."""
    for history, said in ((Resting(), "inconclusive"), (Resting().wrote(100, WATCH_POLICIES, "a"), "violated")):
        recorded = history.judged()
        cut = recorded.__class__(recorded.header, recorded.entries, ended=False)
        assert nobody_writes_at_rest()(cut).outcome == said


def test_a_missing_line_may_be_a_change() -> None:
    """Without any one line the verdict stays, or is inconclusive."""
    for history, said in ((Resting(), "holds"), (Resting().wrote(190, WATCH_POLICIES, "gatekeeper"), "violated")):
        recorded = history.fault(20, 21, 30).judged()
        for line in some_lines(recorded):
            kept = [entry for entry in recorded.entries if entry.index != line]
            less = recorded.__class__(recorded.header, kept, ended=True)
            assert nobody_writes_at_rest()(less).outcome in (said, "inconclusive")
