"""Admission checks and the audit log: causes are known by id, and so is what became of questions without an answer."""

from functools import cache
from typing import Any

import pytest

from chaos_harness.harness.checks.fail_open import fail_open_window, refused_for_at_most
from chaos_harness.harness.checks.outage import comes_back
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import JUDGE
from chaos_harness.harness.verdict import Claim
from tests.fakes.audit_histories import CLOSED, SLOW, AuditHistory
from tests.fakes.audit_log import MUTATION, VALIDATION
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.histories import STARTED, set_clock
from tests.thorough import sampled

NAME = "kill"
UNLESS = never_unmutated(excused=["timed out"])
COUNTER = f'apiserver_admission_webhook_fail_open_count{{name="{MUTATION}",type="admit"}}'


def answered(
    *, hole: tuple[float, float] = (0, 0), until: float = 130, audited: bool = True, **rest: Any
) -> AuditHistory:
    """Return 130 s of good answers, ten a second, but for those of a hole, with a fault from 30 to 60 s."""
    history = (
        AuditHistory().in_force(0.5, "mutate pods").fault(30, 31, 60, name=NAME).watched(*range(0, int(until) + 3, 2))
    )
    history.canaries_watched(*range(0, int(until) + 3, 2))
    for number in range(round(until * 10)):
        if not hole[0] <= number / 10 < hole[1]:
            history.good(number / 10, **rest)
    if audited:
        history.audited(until)
    return history.add(until - 3, "mark", "experiment", JUDGE).add(until + 10, "mark", "history", "end")


def test_a_known_time_out_is_excused() -> None:
    """Its own call timed out, it lasted as long, and it was alone: the audit log says so by its id."""
    verdict = UNLESS(answered().failed(40.05).written())
    assert verdict.outcome == "holds"
    assert verdict.evidence[0] == "causes (by audit id): 1 timed out"
    assert never_unmutated()(answered().failed(40.05).written()).causes == ("timed out",)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"called": {MUTATION: False}}, "did not mutate"),
        ({"called": {}}, "not called"),
        ({"failed_open": [VALIDATION], "called": {MUTATION: False}}, "did not mutate"),
    ],
)
def test_a_time_out_of_another_request_excuses_nothing(value: dict[str, Any], name: str) -> None:
    """Who was asked and did not mutate is not excused by a Lease that timed out meanwhile, though it took as long."""
    history = answered().put(40.05, "fail", took=1.0).log(40.05, 0.99, **value).call(41.04, SLOW)
    verdict = UNLESS(history.written())
    assert (verdict.outcome, verdict.causes) == ("violated", (name,))
    assert verdict.evidence[0] == f"causes (by audit id): 1 {name}"
    assert name in verdict.evidence[1]


@pytest.mark.parametrize("seconds", [600.0, 3.0, -0.5, -30.0])
@pytest.mark.parametrize(
    ("at", "outcome"),
    [(38.0, "holds"), (40.48, "inconclusive"), (40.5, "holds"), (42.0, "holds"), (42.8, "holds"), (43.5, "holds")],
)
def test_the_clock_is_set_near_a_time_out(at: float, seconds: float, outcome: str) -> None:
    """Its call is known by the clock that wrote both logs, whatever the clock is when they are read."""
    verdict = UNLESS(set_clock(_timed_out(), at, seconds))
    assert verdict.outcome == outcome


@cache
def _timed_out() -> History:
    return answered().failed(40.05).written()


def test_a_call_of_another_node() -> None:
    """What the API server of another node logged in that moment is not why a call of this one failed."""
    history = answered().put(40.05, "fail", took=1.0).log(40.05, 0.99, failed_open=[MUTATION])
    history.call(41.03, SLOW, node="other")
    verdict = UNLESS(history.written())
    assert (verdict.outcome, verdict.causes) == ("violated", ("not logged",))


def test_a_time_out_that_was_none_of_its_own() -> None:
    """Of two calls that failed in the moment of one request it is not known which was its: that decides nothing."""
    history = answered().failed(40.05).call(41.051, CLOSED)
    verdict = UNLESS(history.written())
    assert verdict.outcome == "inconclusive"
    assert "the audit log does not give the cause of 1" in verdict.summary
    assert never_unmutated()(history.written()).outcome == "violated"


def test_a_quick_failure_is_no_time_out() -> None:
    """What took 50 ms did not time out, whatever was logged."""
    assert UNLESS(answered().failed(40.05, took=0.05).written()).outcome == "violated"


def test_a_slow_answer_to_a_quick_failure_is_no_time_out() -> None:
    """Who asked waited for a second, the API server for its webhook 50 ms: what timed out then was another's."""
    history = answered().put(40.05, "fail", took=1.0).log(40.06, 0.05, failed_open=[MUTATION]).call(40.1, SLOW)
    assert UNLESS(history.written()).outcome == "violated"


def test_why_it_failed_open_must_be_logged_where_the_log_is_read() -> None:
    """The audit log knows that a call failed, and the API server's why: without the latter it may be any cause."""
    history = answered(audited=False).failed(40.05)
    for at in range(3, 130, 3):
        history.add(at, "ok", "audit node", "read", {"since": STARTED + at - 5, "until": STARTED + at - 2})
    assert UNLESS(history.written()).outcome == "inconclusive"
    assert UNLESS(history.calls_read(1).calls_read(120).written()).outcome == "holds"


def test_a_cause_that_the_audit_log_lacks_decides_nothing() -> None:
    """One that lasted as long may be excused or not; one that was quick cannot be."""
    for took, outcome in ((1.0, "inconclusive"), (0.05, "violated")):
        history = answered(audited=False).audited(38).audited(130, since=50)
        history.put(40.05, "fail", took=took).call(40.05 + took, SLOW)
        assert UNLESS(history.written()).outcome == outcome


def test_time_is_the_witness_where_there_is_no_audit_log() -> None:
    """Old histories have none: causes are taken from the API server's log by time, and that is said."""
    history = CanaryHistory().in_force(0, "mutate pods").asks(0.1, 30).ask(21.05, "fail", took=1).call(22.04, SLOW)
    verdict = UNLESS(history.calls_read(40).recorded())
    assert verdict.outcome == "holds"
    assert verdict.evidence[0] == "causes (by time): 1 timed out"


def test_generated_policies_ask_no_webhook() -> None:
    """What a ValidatingAdmissionPolicy let pass is not excused by a webhook that timed out just then."""
    history = answered().in_force(1, "deny by cel")
    for at in range(10, 125):
        history.put(at + 0.03, policy="deny by cel (vap)", wanted="denied by policy")
    history.put(40.4, "fail", policy="deny by cel (vap)", wanted="denied by policy", took=1)
    history.call(41.4, SLOW, VALIDATION)
    check = fail_open_window(0, fault=NAME, policies=["deny by cel (vap)"], excused=["timed out"])
    verdict = check(history.written())
    assert (verdict.outcome, verdict.causes) == ("violated", ("not enforced",))


def _lost(history: AuditHistory, kind: Any, value: dict[str, Any]) -> AuditHistory:
    for number in range(20):
        history.put(40 + number / 10, kind, took=5.0, outcome="timed out").log(40 + number / 10, **value)
    return history


@pytest.mark.parametrize("kind", sampled(["info", None], 1))
@pytest.mark.parametrize(
    ("value", "outcome", "refused"),
    [
        ({"called": {MUTATION: True}}, "holds", "holds"),
        ({"called": {MUTATION: False}}, "violated", "holds"),
        ({"failed_open": [MUTATION]}, "violated", "holds"),
        ({"code": 500, "said": f'failed calling webhook "{MUTATION}": EOF'}, "holds", "violated"),
        ({"code": 429, "said": "too many"}, "inconclusive", "inconclusive"),
    ],
)
def test_questions_without_an_answer_are_decided(kind: Any, value: dict[str, Any], outcome: str, refused: str) -> None:
    """The audit log says whether they were admitted, mutated or refused: nothing is hidden by the lack of an answer."""
    history = _lost(answered(hole=(40, 42)), kind, value).written()
    bypass = fail_open_window(1, fault=NAME, policies=["mutate pods"])(history)
    assert bypass.outcome == outcome
    assert refused_for_at_most(1, fault=NAME, policies=["mutate pods"])(history).outcome == refused
    decided = any("decided afterwards: 20 by audit" in line for line in bypass.evidence)
    assert decided == (outcome != "inconclusive")


@pytest.mark.parametrize(
    ("shared", "called", "outcome"),
    [(False, True, "holds"), (True, True, "inconclusive"), (False, False, "violated"), (True, False, "violated")],
)
def test_what_several_mutators_change(shared: bool, called: bool, outcome: str) -> None:
    """That an object was changed does not show by which of them; that it was not changed shows that none did."""
    history = answered(hole=(40, 42))
    for number in range(20):
        at = 40 + number / 10
        more = {"shared": True} if shared else {}
        history.put(at, "info", took=5.0, outcome="timed out", **more).log(at, called={MUTATION: called})
    assert fail_open_window(1, fault=NAME, policies=["mutate pods"])(history.written()).outcome == outcome


def test_what_came_to_nothing_was_not_created() -> None:
    """Where no API server answers, nothing is created; how long enforcement was lost nobody knows."""
    history = answered(hole=(40, 42))
    for number in range(20):
        history.put(40 + number / 10, "info", took=0.001, outcome="refused")
    assert never_unmutated()(history.written()).outcome == "holds"
    assert fail_open_window(1, fault=NAME, policies=["mutate pods"])(history.written()).outcome == "inconclusive"


@pytest.mark.parametrize(("mutated", "outcome"), [(True, "holds"), (False, "violated"), (None, "holds")])
def test_creates_that_the_audit_log_does_not_know(mutated: bool | None, outcome: str) -> None:
    """The watch on canaries tells what came of them: a pod, mutated or not, or none."""
    history = answered(hole=(40, 42), audited=False)
    for number in range(20):
        at = 40 + number / 10
        history.put(at, "info", took=5.0, outcome="timed out", dry_run=False)
        if mutated is not None:
            history.canary(at + 0.1, 400 + number, mutated=mutated)
    verdict = never_unmutated()(history.written())
    assert verdict.outcome == outcome
    unknown = fail_open_window(0, fault=NAME, policies=["mutate pods"])(history.written()).outcome
    assert unknown == ("inconclusive" if mutated is None else outcome)


def test_enforcement_comes_back_though_nobody_answers() -> None:
    """The last requests before the end are decided, as the audit log tells."""
    history = answered(hole=(120, 130))
    for number in range(100):
        history.put(120 + number / 10, "info", took=3.0).log(120 + number / 10, called={MUTATION: True})
    assert comes_back(fault=NAME, policies=["mutate pods"])(history.written()).outcome == "holds"


@pytest.mark.parametrize(
    ("value", "outcome", "words"),
    [
        ({"failed_open": [MUTATION], "seconds": {"mutating": 1.0}}, "holds", "timed out"),
        ({"called": {MUTATION: False}}, "violated", "did not mutate"),
        (None, "inconclusive", "log not read"),
    ],
)
def test_pods_of_the_workload_are_excused_as_canaries_are(
    value: dict[str, Any] | None, outcome: str, words: str
) -> None:
    """The audit log knows a pod by its uid: one whose own call timed out, and that is alone, does not count."""
    history = answered().workload(41.1, "a", mutated=False).call(41.06, SLOW)
    if value is not None:
        history.log(40.06, 1.0, audit_id="x", uid="uid-a", **value)
    verdict = UNLESS(history.written())
    assert verdict.outcome == outcome
    assert verdict.evidence[0].endswith(f"without the mutation: {words}")
    assert never_unmutated()(history.written()).outcome == "violated"
    two = history.workload(41.15, "b", mutated=False).log(40.06, 1.0, audit_id="y", uid="uid-b", **(value or {}))
    assert UNLESS(two.written()).outcome == "violated"


def test_pods_of_the_workload_without_an_audit_log() -> None:
    """What timed out when a pod was created may have been its call: that neither excuses it nor counts."""
    for at, outcome in ((41.06, "inconclusive"), (70.0, "violated")):
        history = (
            CanaryHistory().in_force(0, "mutate pods").asks(0.1, 130).watched(0, 131).workload(41.1, "a", mutated=False)
        )
        history.call(at, SLOW)
        for read in range(1, 132, 3):
            history.calls_read(read)
        assert UNLESS(history.written()).outcome == outcome


@pytest.mark.parametrize(("counted", "outcome"), [(1, "holds"), (2, "inconclusive"), (0, "inconclusive")])
def test_a_counter_that_differs_from_the_log_takes_all_excuses_away(counted: int, outcome: str) -> None:
    """The API server's counter is a second witness: if it counted other than was logged, no cause is sure."""
    history = answered().failed(40.05)
    for at, number in ((10, 3), (110, 3 + counted)):
        history.add(at, "invoke", "metrics api server", "read")
        history.add(at + 0.5, "ok", "metrics api server", "read", {COUNTER: float(number)})
    verdict = UNLESS(history.written())
    assert verdict.outcome == outcome
    assert ("no cause is excused" in verdict.summary) == (outcome == "inconclusive")
    assert never_unmutated()(history.written()).outcome == "violated"


def test_a_counter_of_several_api_servers_is_no_witness() -> None:
    """Each reading may be of another one."""
    history = answered().failed(40.05).add(5, "invoke", "api server", "read", {"servers": 3})
    for at in (10, 110):
        history.add(at, "invoke", "metrics api server", "read").add(at + 0.5, "ok", "metrics api server", "read", {})
    assert UNLESS(history.written()).outcome == "holds"


def test_what_is_wanted_is_told_and_not_guessed() -> None:
    """A policy of any name that mutates is asked by what it wants, and its webhook is the one that mutates."""
    history = answered()
    for number in range(1000):
        history.put(10.05 + number / 10, policy="labels", wanted="mutated", outcome="mutated")
    history.failed(40.08, CLOSED, took=0.02, policy="labels", wanted="mutated", outcome="unmutated")
    verdict = fail_open_window(0, fault=NAME, policies=["labels"])(history.written())
    assert (verdict.outcome, verdict.causes) == ("violated", ("connection refused",))
    history = answered().put(40.08, "fail", policy="labels", wanted="mutated", outcome="denied by webhook")
    assert refused_for_at_most(0, fault=NAME, policies=["labels"])(history.written()).causes == ("denied by webhook",)


def test_another_cause_than_the_known_one_is_a_surprise() -> None:
    """An expected `violated` says because of what: one that came of something else is none of it."""
    claim = Claim(never_unmutated(), "violated", because=("timed out",))
    assert not claim.surprising(never_unmutated()(answered().failed(40.05).written()))
    assert claim.surprising(never_unmutated()(answered().failed(40.05, CLOSED, took=0.02).written()))
