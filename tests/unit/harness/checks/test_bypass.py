"""Bypasses and refusals: the inputs on which the checks of admissions once answered wrongly, with the right answers."""

from dataclasses import replace
from functools import cache

import pytest

from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.fail_open import fail_open_window, refused_for_at_most
from chaos_harness.harness.checks.outage import comes_back, outlasts
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import CLOCK_STEP, JUDGE
from chaos_harness.harness.policies import ADMIT
from tests.fakes.canary_histories import CanaryHistory
from tests.thorough import sampled

NAME = "kill node"
MUTATE = ["mutate pods"]
WINDOW = fail_open_window(30, fault=NAME, policies=MUTATE)


def killed(until: float = 300, *, inject: float = 25.0, healed: float | None = 200.0) -> CanaryHistory:
    """Return a history in which policies are in force from 1 s on, and a node is killed for a while."""
    history = CanaryHistory().in_force(1, "mutate pods").fault(inject, inject + 2, healed, name=NAME)
    return history.add(until, "mark", "experiment", JUDGE).add(until + 3, "mark", "history", "end")


@cache
def answered() -> History:
    """Return the history of a killed node in which every question has the right answer."""
    return killed().asks(1, 300.2).written()


def test_what_was_lost_before_the_fault_is_lost_in_its_time() -> None:
    """A policy that is lost from 20 s on, and never comes back, is lost for all of a fault that begins at 25 s."""
    history = killed().asks(1, 20).asks(20, 300.2, "fail")
    verdict = WINDOW(history.written())
    assert (verdict.outcome, verdict.figures["mutate_pods_lost_requests"]) == ("violated", 2750)
    assert verdict.figures["mutate_pods_lost_least_seconds"] == pytest.approx(275, abs=0.2)


@pytest.mark.parametrize("check", [fail_open_window(0, fault=NAME), comes_back(fault=NAME), never_unmutated()])
def test_what_is_lost_after_it_was_judged_does_not_count(check: Check) -> None:
    """What goes wrong after the mark is not what was judged; the same before it is."""
    assert check(killed().asks(1, 300.2).asks(300.2, 303, "fail").written()).outcome == "holds"
    assert check(killed().asks(1, 299.5).asks(299.5, 303, "fail").written()).outcome == "violated"


def test_one_bad_answer_before_the_fault_hides_nothing() -> None:
    """A bad answer 50 ms before the fault, and 40 s of outage from then on, is a loss of 40 s."""
    history = killed().asks(1, 24.95).asks(24.95, 64.95, "fail").asks(64.95, 300.2)
    assert WINDOW(history.written()).figures["mutate_pods_lost_least_seconds"] == pytest.approx(40, abs=0.3)


def test_the_next_fault_ends_what_was_lost_by_the_first() -> None:
    """What is lost for 15 s of the fault's own time, and on in the next one's, is 15 s of it."""
    history = killed(healed=80).asks(1, 75).asks(75, 106, "fail").asks(106, 300.2)
    history.fault(90, 91, 120, name="drain node", process="fault 2")
    verdict = fail_open_window(20, fault=NAME, policies=MUTATE)(history.written())
    assert verdict.outcome == "holds"
    assert verdict.figures["mutate_pods_lost_most_seconds"] == pytest.approx(15, abs=0.3)
    assert fail_open_window(20, fault="drain node")(history.written()).figures[
        "mutate_pods_lost_most_seconds"
    ] == pytest.approx(16, abs=0.3)


def test_a_black_hole_is_not_excused() -> None:
    """Where every call times out for 40 s, nothing is isolated; where one does, it is."""
    history = killed().asks(1, 30).asks(30, 70, "fail", took=1).asks(70, 300.2)
    for at in range(10, 302, 3):
        history.calls_read(float(at))
    for number in range(400):
        history.call(30.99 + number / 10, "context deadline exceeded")
    assert fail_open_window(5, fault=NAME, excused=["timed out"])(history.written()).outcome == "violated"


@pytest.mark.parametrize(
    ("begin", "end", "check"),
    [
        (25, 85, fail_open_window(0, fault=NAME)),
        (25, 85, fail_open_window(30, fault=NAME)),
        (220, 300.2, comes_back(fault=NAME)),
        (26.9, 199.5, comes_back(fault=NAME, before_healing=True)),
        (25.2, 33, outlasts(8, fault=NAME)),
        (50, 80, never_unmutated(during=NAME)),
        (36, 300.2, never_unmutated(during=NAME)),
    ],
)
@pytest.mark.parametrize("how", sampled(["info", None], 1))
def test_what_nobody_saw_did_not_hold(begin: float, end: float, check: Check, how: str | None) -> None:
    """Questions without an answer leave it open: what was asked may have been admitted."""
    history = killed().asks(1, begin).asks(end, 300.2)
    history.asks(begin, end, how)  # type: ignore[arg-type]  # kinds, as parameters have them
    verdict = check(history.written())
    assert verdict.outcome == "inconclusive"
    assert "not seen from" in verdict.summary or "are needed" in verdict.summary
    assert check(answered()).outcome == "holds"


def test_silence_outside_of_a_claims_window_changes_nothing() -> None:
    """What was not seen before the fault, after the next one, or of another policy, hides nothing of this one."""
    history = killed(healed=80).asks(1, 5).asks(20, 150).fault(120, 121, 130, name="drain", process="fault 2")
    history.asks(1, 30, policy="deny by rego")
    for check in (fail_open_window(0, fault=NAME, policies=MUTATE), never_unmutated(during=NAME)):
        assert check(history.written()).outcome == "holds"
    assert fail_open_window(0, fault=NAME)(history.written()).outcome == "inconclusive", "all policies are claimed"


@pytest.mark.parametrize("check", [WINDOW, comes_back(fault=NAME), never_unmutated(during=NAME)])
def test_a_file_that_was_cut_may_lack_what_came_then(check: Check) -> None:
    """A kill between two lines leaves no trace but that the end mark is missing."""
    history = CanaryHistory().in_force(1, "mutate pods").fault(25, 27, 200, name=NAME).asks(1, 300)
    assert check(history.written(ended=False)).outcome == "inconclusive"
    assert check(history.written()).outcome == "holds"


def test_fail_closed_is_no_bypass() -> None:
    """400 creates that are refused because mutation fails closed go by nothing: nobody is served for 40 s."""
    said = 'Internal error occurred: failed calling webhook "mutation.gatekeeper.sh": EOF'
    history = killed().asks(1, 50).asks(50, 90, "fail", outcome="other", said=said).asks(90, 300.2)
    assert fail_open_window(0, fault=NAME)(history.written()).outcome == "holds"
    assert never_unmutated(during=NAME)(history.written()).outcome == "holds"
    verdict = refused_for_at_most(30, fault=NAME, policies=MUTATE)(history.written())
    assert (verdict.outcome, verdict.at) == ("violated", 50)
    assert verdict.summary.startswith("mutate pods: refused for 39.9 to 40.1 s, 400 of 2750 requests")
    assert verdict.figures["mutate_pods_lost_requests"] == 0
    assert refused_for_at_most(41, fault=NAME)(history.written()).outcome == "holds"
    assert comes_back(fault=NAME)(history.written()).outcome == "holds"


def test_compliant_pods_that_are_denied_are_refused() -> None:
    """A pod that violates nothing and is denied is a refusal, and that violating ones are denied is none."""
    history = killed().asks(1, 300.2, policy="deny by rego").asks(1, 60, policy=ADMIT, outcome="admitted")
    history.asks(60, 61, "fail", policy=ADMIT, outcome="denied by webhook").asks(61, 300.2, policy=ADMIT)
    check = refused_for_at_most(0, fault=NAME, policies=[ADMIT, "deny by rego"])
    assert check.__name__ == f"what complies is refused for at most 0 s after kill node ({ADMIT}, deny by rego)"
    assert (check(history.written()).outcome, check(history.written()).at) == ("violated", 60)
    assert fail_open_window(0, fault=NAME, policies=[ADMIT, "deny by rego"])(history.written()).outcome == "holds"


@pytest.mark.parametrize("rest", [60.0, 300.0])
def test_a_share_is_not_diluted_by_rest(rest: float) -> None:
    """All pods of a fault of 6 s lack the mutation: however long all is well then, that is no 5 %."""
    history = killed(60 + rest, inject=50, healed=56).asks(1, 50).asks(50, 56, "fail").asks(56, 60.2 + rest)
    verdict = never_unmutated(during=NAME, at_most=0.05)(history.written())
    assert verdict.outcome == "violated"
    assert verdict.figures["unmutated_low_percent"] == pytest.approx(100, abs=2)


@pytest.mark.parametrize(("lost", "outcome"), [(2.0, "holds"), (12.0, "violated")])
def test_a_share_of_a_blow_is_of_the_first_pods(lost: float, outcome: str) -> None:
    """Where there is nothing to heal, what is asked long after the last miss does not count."""
    history = killed(400, inject=50, healed=None).asks(1, 60).asks(60, 60 + lost, "fail").asks(60 + lost, 405)
    history.add(401, "ok", "fault 1", "healed", {"name": NAME, "proof": "nothing to heal: it comes back by itself"})
    assert never_unmutated(during=NAME, at_most=0.2)(history.written()).outcome == outcome


def test_late_questions_do_not_hide_misses() -> None:
    """A canary that asks ten of 600 questions 1.5 s late did not make twenty pods unmutated."""
    history = killed(90).asks(1, 30).asks(30, 31, late=1.5).asks(31, 40).asks(40, 42, "fail").asks(42, 90.2)
    assert never_unmutated(during=NAME)(history.written()).outcome == "violated"


def test_a_pause_elsewhere_does_not_hide_misses() -> None:
    """Five seconds in which the machine starved say nothing of 300 misses of another half minute."""
    history = killed(100).asks(1, 40).asks(40, 70, "fail").asks(70, 100.2)
    history.add(20, "info", "metronome", "late", {"seconds": 5.1})
    assert never_unmutated(during=NAME)(history.written()).outcome == "violated"


def test_a_fault_of_one_name_that_is_not_proved_is_not_judged_with_those_that_are() -> None:
    """Each of the repetitions must be proved, not one of them."""
    history = killed().asks(1, 300.2).fault(210, None, 220, name=NAME, process="fault 2")
    assert never_unmutated(during=NAME)(history.written()).outcome == "inconclusive"
    assert never_unmutated(during="fault 1")(history.written()).outcome == "holds"


def test_a_gap_of_the_workload_outside_of_the_window_hides_nothing() -> None:
    """A watch that was blind after the next fault, or went on where it was, misses no pod."""
    for begin, end, how, outcome in (
        (130, 140, "LISTED", "holds"),
        (60, 70, "LISTED", "inconclusive"),
        (60, 70, "RESUMED", "holds"),
        (60, 60.05, "LISTED", "inconclusive"),
        (120.5, 120.55, "LISTED", "holds"),
        (20, 40, "LISTED", "inconclusive"),
    ):
        history = killed(healed=80).asks(1, 300.2).fault(120, 121, 125, name="drain", process="fault 2")
        history.watched(*[at for at in range(1, 302) if not begin <= at < end])
        history.add(begin, "change", "watch workload", "GAP", {"why": "ended", "detail": ""})
        history.add(end, "change", "watch workload", how, {"resource_version": "9"})
        assert never_unmutated(during=NAME)(history.written()).outcome == outcome, (begin, how)


def test_a_pod_that_a_gap_hid_may_be_older_than_the_policy() -> None:
    """First seen after a gap that began before the policy was in force, it may have been created before that."""
    history = CanaryHistory().in_force(10, "mutate pods").asks(10, 60).watched(1, 2, 3, 15, 61).blind(4)
    history.workload(14, "bare", mutated=False, in_gap=True)
    verdict = never_unmutated()(history.written())
    assert verdict.outcome == "inconclusive"
    assert "seen after a gap without the mutation" in verdict.evidence[0]
    assert never_unmutated()(history.workload(20, "other", mutated=False).written()).outcome == "violated"


def test_a_clock_that_is_set_moves_no_time_out() -> None:
    """The log's times are read by the clock as it was when they were copied: time-outs stay with their lines."""
    history = killed(100).asks(1, 100.2).calls_read(2).calls_read(98)
    for at in (60.05, 62.05):
        history.ask(at, "fail", took=1).call(at + 0.99 - 1.5, "context deadline exceeded")
    history.add(50.05, "info", "history", CLOCK_STEP, {"seconds": -1.5})
    recorded = history.written()
    entries = [replace(entry, wall=entry.wall - 1.5 * (entry.at >= 50.05)) for entry in recorded.entries]
    check = never_unmutated(during=NAME, excused=["timed out"])
    assert check(recorded).outcome == "violated"
    assert check(replace(recorded, entries=entries)).outcome == "holds"


def test_two_faults_that_lose_together() -> None:
    """All replicas are killed while no image can be pulled: neither fault alone is to blame, both together are."""
    history = killed(150, inject=20, healed=100).asks(1, 31).asks(31, 120, "fail").asks(120, 150.2)
    history.fault(30, 30.5, None, name="kill containers", process="fault 2")
    for fault, outcome in ((NAME, "inconclusive"), ([NAME, "kill containers"], "violated")):
        assert comes_back(fault=fault, before_healing=True)(history.written()).outcome == outcome
        assert comes_back(fault=fault)(history.written()).outcome == "holds"


def test_names_tell_policies_apart() -> None:
    """Two claims on two policies have two names."""
    checks = [fail_open_window, refused_for_at_most]
    for check in checks:
        assert len({check(1, fault="x", policies=[policy]).__name__ for policy in ("a", "b")}) == 2
    assert comes_back(fault="x", policies=["a"]).__name__ != comes_back(fault="x", policies=["b"]).__name__
    assert outlasts(1, fault="x", policies=["a"]).__name__ != outlasts(1, fault="x", policies=["b"]).__name__
    assert never_unmutated("a").__name__ != never_unmutated("b").__name__
