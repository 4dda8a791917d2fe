"""Unmutated: one pod without its mutation is a violation with its cause, and too little to go by is no verdict."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_harness.harness.checks.unmutated import never_unmutated
from tests.fakes.canary_histories import CanaryHistory
from tests.thorough import examples

CHECK = never_unmutated()
DURING = never_unmutated(during="restart")


def healthy(until: float = 20) -> CanaryHistory:
    """Return a history of 20 s, 199 questions, all answered by mutated pods, and more up to another moment."""
    return CanaryHistory().in_force(0, "mutate pods").asks(0.1, until)


def test_holds() -> None:
    """All that was created carries the mutation, in the workload, too."""
    verdict = CHECK(healthy().watched(0).workload(5, "a").recorded())
    assert verdict.outcome == "holds"
    assert verdict.summary.startswith("0 of 200 pods were created unmutated")
    assert verdict.figures["unmutated_pods"] == 0
    assert verdict.figures["created_pods"] == 200


def test_one_miss_is_told_with_its_cause() -> None:
    """Who was created when, which replicas got requests and which were leaving, and what the API server said."""
    history = healthy(20.95).serving(1, "a", "b").pod(20.5, "a", deleting=True)
    history.ask(21, "fail", took=1.0).call(21.95, "context deadline exceeded").calls_read(30)
    verdict = CHECK(history.recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 21)
    assert verdict.summary.startswith("1 of 209 pods were created unmutated")
    assert verdict.evidence == (
        "causes (by time): 1 timed out",
        (
            "21.00 s: create mutable pod 208 (dry run) unmutated after 1000 ms: context deadline exceeded; "
            "in the Service: a, b; terminating: a since 0.5 s"
        ),
    )


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("dial tcp 10.96.0.1:443: connect: connection refused", "connection refused"),
        ("net/http: request canceled (Client.Timeout exceeded)", "timed out"),
        ("net/http: TLS handshake timeout", "timed out"),
        ("tls: failed to verify certificate: x509: unknown authority", "TLS not right"),
        ("EOF", "cut in the middle"),
        ('no endpoints available for service "x"', "no endpoint"),
        ("dial tcp: no route to host", "no route"),
        ("something new", "other"),
    ],
)
def test_causes(said: str, name: str) -> None:
    """What the API server says of a failed call is sorted by what it tells of the replicas."""
    verdict = CHECK(healthy().ask(21, "fail").call(21.005, said).calls_read(30).recorded())
    assert verdict.evidence[0] == f"causes (by time): 1 {name}"


def test_causes_that_are_not_there() -> None:
    """A miss that the API server did not log is told apart from one up to which its log was not read."""
    history = healthy().ask(21, "fail").ask(40, "fail").calls_read(30)
    history.call(21.005, webhook="validation.gatekeeper.sh")
    assert CHECK(history.recorded()).evidence[0] == "causes (by time): 1 not logged, 1 log not read"


def test_causes_that_are_not_known_do_not_decide() -> None:
    """A miss after the last read of the log may be one that is excused: it neither counts nor is it forgiven."""
    unless = never_unmutated(excused=["timed out"])
    history = healthy(42).ask(21.05, "fail", took=1).ask(40.05, "fail", took=1).calls_read(30)
    history.call(22.04, "context deadline exceeded")
    verdict = unless(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert verdict.summary.startswith("the API server's log does not give the cause of 1; 0 of 421 pods")
    history.calls_read(42)
    assert unless(history.recorded()).outcome == "violated"
    assert unless(history.call(41.04, "context deadline exceeded").recorded()).outcome == "holds"
    assert unless(history.ask(25.05, "fail").recorded()).outcome == "violated"


def test_what_was_quick_is_no_time_out_whatever_the_log_lacks() -> None:
    """An answer after 10 ms cannot have timed out: its cause need not be known."""
    history = healthy(42).ask(40.05, "fail").calls_read(30)
    assert never_unmutated(excused=["timed out"])(history.recorded()).outcome == "violated"
    assert never_unmutated(excused=["timed out", "connection refused"])(history.recorded()).outcome == "inconclusive"


def test_a_call_is_the_cause_of_one_miss() -> None:
    """Of two misses at once, one has the one call that failed, and the earlier answered takes the earlier call."""
    history = healthy().ask(21, "fail", took=0.5).ask(21.1, "fail", took=0.2).calls_read(30)
    history.call(21.2, "EOF").call(21.4, "context deadline exceeded")
    chains = CHECK(history.recorded()).evidence[1:]
    assert "unmutated after 500 ms: context deadline exceeded" in chains[0]
    assert "unmutated after 200 ms: EOF" in chains[1]


def test_an_excused_cause_is_told_and_does_not_count() -> None:
    """A time-out can be excused, a refused connection beside it stays a violation, and so does an unknown cause."""
    check = never_unmutated(excused=["timed out"])
    history = healthy(30).ask(21.05, "fail", took=1).call(22.04, "context deadline exceeded").calls_read(30)
    verdict = check(history.recorded())
    assert verdict.outcome == "holds"
    assert verdict.summary.endswith("; 1 more are excused by their cause")
    assert verdict.evidence[0] == "causes (by time): 1 timed out"
    history.ask(24.05, "fail").call(24.055, "connection refused")
    assert check(history.recorded()).outcome == "violated"
    assert check(healthy(30).ask(21.05, "fail", took=1).calls_read(30).recorded()).outcome == "violated"


def test_an_outage_is_not_excused() -> None:
    """Two time-outs without a good answer between them may be that nobody is there to answer."""
    for bad, outcome in (((20.05, 20.55), "holds"), ((20.05, 20.06), "violated")):
        history = healthy(30).calls_read(30)
        for at in bad:
            history.ask(at, "fail", took=1).call(at + 0.99, "context deadline exceeded")
        assert never_unmutated(excused=["timed out"])(history.recorded()).outcome == outcome


def test_time_outs_that_are_others_excuse_nothing() -> None:
    """100 of 400 pods that are unmutated after 10 ms are not excused by a Lease that timed out every second."""
    history = CanaryHistory().in_force(0, "mutate pods").calls_read(41)
    for number in range(400):
        history.ask(0.1 + number / 10, "fail" if number % 4 == 0 else "ok")
        if number % 4 == 0:
            history.call(0.1 + number / 10, "context deadline exceeded")
    assert never_unmutated(excused=["timed out"])(history.recorded()).outcome == "violated"


def test_workload_pod_without_the_mutation() -> None:
    """A pod of the workload is told with its owner."""
    verdict = CHECK(healthy().workload(7, "a", mutated=False).recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 7)
    assert verdict.evidence == ("7.00 s: pod chaos-work/a of ReplicaSet set seen without the mutation",)


@pytest.mark.parametrize(("seen", "outcome"), [(2.5, "inconclusive"), (3.5, "violated")])
def test_a_pod_may_be_created_a_lag_before_it_is_seen(seen: float, outcome: str) -> None:
    """One that is seen a moment after the policy came into force may be older than that."""
    history = CanaryHistory().in_force(2, "mutate pods").asks(2.1, 30).watched(0).workload(seen, "a", mutated=False)
    assert CHECK(history.recorded()).outcome == outcome


def test_only_what_was_created_counts() -> None:
    """What was there already, and what was asked while the policy was not in force, is nobody's fault."""
    history = CanaryHistory().asks(0, 1, "fail").in_force(2, "mutate pods", until=30).asks(2, 30).asks(31, 32, "fail")
    history.watched(0).workload(5, "a", mutated=False, f="LISTED").workload(1, "b", mutated=False)
    assert CHECK(history.recorded()).outcome == "holds"


def test_a_missing_line_may_say_that_it_was_no_longer_in_force() -> None:
    """Misses behind a hole in the file may be of a time for which nobody demands the mutation any more."""
    history = CanaryHistory().in_force(0, "mutate pods", until=30).asks(0.1, 30).asks(35, 36, "fail")
    whole = history.add(40, "mark", "history", "end").written()
    assert CHECK(whole).outcome == "holds"
    entries = [entry for entry in whole.entries if entry.f != "remove"]
    assert CHECK(replace(whole, entries=entries)).outcome == "inconclusive"


def test_other_policies_do_not_count() -> None:
    """What another policy lost is not this one's."""
    history = healthy().in_force(0, "deny by rego").asks(5, 6, "fail", policy="deny by rego")
    assert CHECK(history.recorded()).outcome == "holds"


def test_only_during_the_fault() -> None:
    """With a fault it is from its beginning to the next one's that counts."""
    for at, outcome in ((None, "holds"), (24, "holds"), (30, "violated"), (45, "holds")):
        history = healthy(50).fault(25, 26, 27, name="restart").fault(40, 41, 42, name="other", process="fault 2")
        assert DURING((history.ask(at + 0.05, "fail") if at else history).recorded()).outcome == outcome


@pytest.mark.parametrize(
    ("history", "check", "words"),
    [
        (CanaryHistory().in_force(0, "mutate pods").asks(0.1, 5), CHECK, "49 pods were asked for, 100 are needed"),
        (CanaryHistory().asks(0, 20), CHECK, "0 pods were asked for"),
        (healthy(), DURING, "restart was not proved"),
        (healthy().fault(1, None, 2, name="restart"), DURING, "restart was not proved"),
        (healthy().watched(0).blind(7), CHECK, "watch workload was not seen"),
        (healthy().asks(20, 21, "info"), never_unmutated(enough=201), "asked mutate pods was not seen"),
    ],
)
def test_inconclusive(history: CanaryHistory, check: object, words: str) -> None:
    """Too few samples, no proof, a blind watch or questions without an answer leave it open."""
    assert callable(check)
    verdict = check(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert words in verdict.summary


@pytest.mark.parametrize(("rate", "outcome"), [(0.0, "violated"), (0.01, "violated"), (0.25, "inconclusive")])
def test_few_prove_that_it_does_not_hold(rate: float, outcome: str) -> None:
    """Of 52 pods that were asked for 13 are unmutated: no more are needed to say that these are too many."""
    history = CanaryHistory().in_force(0, "mutate pods").asks(0.1, 4).asks(4, 5.3, "fail")
    verdict = never_unmutated(at_most=rate)(history.recorded())
    assert (verdict.outcome, verdict.summary.rpartition("; ")[2][:8]) == (outcome, "13 of 52")


def test_blind_watch_does_not_excuse() -> None:
    """What was seen to be missed stays a violation, whatever else could not be seen."""
    assert CHECK(healthy().blind(7).ask(21, "fail").recorded()).outcome == "violated"


@settings(deadline=None, max_examples=examples(50))
@given(st.lists(st.booleans(), min_size=100, max_size=400), st.sampled_from([0.0, 0.01, 0.05, 0.5]))
def test_as_counted(mutated: list[bool], at_most: float) -> None:
    """The verdict is that of counting by hand: a share is one of this run's pods."""
    history = CanaryHistory().in_force(0, "mutate pods")
    for number, fine in enumerate(mutated):
        history.ask(number / 10, "ok" if fine else "fail")
    verdict = never_unmutated(at_most=at_most)(history.recorded())
    missed = mutated.count(False)
    assert verdict.figures["unmutated_pods"] == missed
    assert verdict.outcome == ("violated" if missed > at_most * len(mutated) else "holds")


def test_no_share_is_more_than_all() -> None:
    """Misses that may all be another fault's are more than the pods that were created up to the first of them."""
    history = healthy(24.95).fault(20, 21, 70, name="other", process="fault 2").fault(25, 25.2, 25.4, name="restart")
    verdict = DURING(history.asks(25.45, 60, "fail").asks(60, 90).recorded())
    assert (verdict.outcome, verdict.figures["unmutated_high_percent"]) == ("inconclusive", 100.0)


def test_names() -> None:
    """A claim's name says what is claimed."""
    assert CHECK.__name__ == "no pod is created unmutated (mutate pods)"
    assert (
        never_unmutated(excused=["timed out"]).__name__ == "no pod is created unmutated (mutate pods), unless timed out"
    )
    assert never_unmutated(during="restart", at_most=0.01).__name__ == (
        "at most 1 % of pods are created unmutated during restart (mutate pods)"
    )
