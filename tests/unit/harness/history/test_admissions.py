"""Admissions: answers come in the order of the questions, none twice, and what surrounds them is kept."""

import tracemalloc
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_harness.harness.history import Entry, Header, History
from chaos_harness.harness.history.admissions import NO_ANSWER, Admission, Answers, answers
from chaos_harness.harness.history.audit import Audit
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.in_force import CreatedPods, InForce
from chaos_harness.harness.history.losses import Losses
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.webhook_failures import Failures
from chaos_harness.harness.policies import ADMIT
from tests.fakes.canary_histories import CanaryHistory
from tests.thorough import examples


def read(history: CanaryHistory) -> list[Admission]:
    return list(answers(history.recorded()))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 5), st.sampled_from(["ok", "fail", "info", None])), max_size=60))
def test_order_of_the_questions(asked: list[tuple[float, str | None]]) -> None:
    """However long answers take, they come by their numbers, each once; unanswered questions give none."""
    history = CanaryHistory()
    for number, (took, kind) in enumerate(asked):
        history.ask(number / 10, kind, took=took)  # type: ignore[arg-type]  # kinds, as a strategy has them
    admissions = read(history.add(1000, "mark", "experiment", "end"))
    assert [admission.seq for admission in admissions] == [number for number, (_, kind) in enumerate(asked) if kind]
    for admission in admissions:
        assert admission.answered - admission.asked == pytest.approx(asked[admission.seq][0], abs=1e-6)
        assert admission.kind == asked[admission.seq][1]


def test_questions_that_were_never_answered_are_given_to_who_wants_them() -> None:
    """They come in their order, with what they said, and say that nothing was answered."""
    history = (
        CanaryHistory().ask(0, None, audit_id="a", wanted="mutated").ask(0.1).ask(0.2, None).again().ask(10).ask(30)
    )
    admissions: list[Admission] = []
    reader = Answers(admissions.append, all_=True)
    for entry in history.recorded().entries:
        take = reader.takes(entry.process)
        assert take is not None
        take(entry)
    reader.close(30.0)
    assert [(admission.seq, admission.kind, admission.outcome) for admission in admissions] == [
        (0, "info", NO_ANSWER),
        (1, "ok", "mutated"),
        (2, "info", NO_ANSWER),
        (0, "ok", "mutated"),
        (1, "ok", "mutated"),
    ]
    assert (admissions[0].audit_id, admissions[0].wants, admissions[1].wants, admissions[1].wanted) == (
        "a",
        "mutated",
        "",
        "mutated",
    )


def test_a_second_canary_counts_anew() -> None:
    """When numbers begin anew, what waits is given first, and nothing is mixed up."""
    history = CanaryHistory().ask(0, None).ask(0.1).ask(0.2).again().ask(10).ask(10.1)
    assert [(admission.seq, admission.asked) for admission in read(history)] == [
        (1, 0.1),
        (2, 0.2),
        (0, 10.0),
        (1, 10.1),
    ]


def test_entries_without_a_number_are_not_read() -> None:
    """Canaries of older histories, which number nothing, give no answers."""
    history = CanaryHistory()
    history.canaries(0, 5)
    assert read(history) == []


@pytest.mark.parametrize("lost", [10, 11])
def test_a_line_that_is_missing_holds_nothing_up(lost: int) -> None:
    """Where a question, or its answer, is not in the file, the others come in their order, and are not kept."""
    recorded = CanaryHistory().asks(0, 300).recorded()
    waiting: list[Admission] = []
    reader = Answers(waiting.append)
    take = reader.takes("canary 0")
    assert take is not None
    for entry in recorded.entries:
        if entry.index != lost:
            take(entry)
    assert [admission.seq for admission in waiting] == [number for number in range(len(waiting) + 1) if number != 5]
    assert len(waiting) > 1500


@pytest.mark.parametrize(
    ("policy", "outcome", "said", "what"),
    [
        ("mutate pods", "unmutated", "admitted", "bypassed"),
        ("deny by rego", "admitted", "admitted", "bypassed"),
        ("mutate pods", "timed out", "500 failed calling webhook", "refused"),
        ("mutate pods", "other", "403 denied the request", "refused"),
        (ADMIT, "denied by webhook", "403 denied the request", "refused"),
        ("check ignore label", "refused", "500 failed calling webhook", "refused"),
        ("deny by rego", "other", "403 denied the request: [another] no", ""),
    ],
)
def test_bypassed_and_refused_are_two(policy: str, outcome: str, said: str, what: str) -> None:
    """What goes by a policy is admitted; refused is what complies, and whoever asks while a call fails closed."""
    (admission,) = read(CanaryHistory().ask(1, "fail", policy=policy, outcome=outcome, said=said))
    assert (admission.bypassed, admission.refused) == (what == "bypassed", what == "refused")


def test_in_force() -> None:
    """A policy is in force from its proof to its removal; one that nobody applied always is."""
    force = InForce()
    history = CanaryHistory().in_force(1, "p", until=50).add(60, "ok", "policies", "removed", {"policies": ["p"]})
    follow(history.recorded(), force)
    assert force.sure("p") == Spans.of([(1, 50)])
    assert force.sure("other").total == float("inf")
    assert force.names == ("p",)


@pytest.mark.parametrize("lines", [["apply"], ["removed"]])
def test_a_part_is_in_force_with_its_policy(lines: list[str]) -> None:
    """Questions about a part of a policy may have any name; each line about a policy says which ones."""
    history = CanaryHistory().in_force(1, "p", until=50)
    for line in lines:
        history.add(0 if line == "apply" else 60, "ok", "policies", line, {"policies": ["p"], "parts": {"one": "p"}})
    force = InForce()
    follow(history.recorded(), force)
    assert force.maybe("one").within(1, 50) == force.maybe("p").within(1, 50) == Spans.of([(1, 50)])
    assert force.asked_about("p", ["one"])
    assert not force.asked_about("p", ["p (two)", "other"])


def test_parts_in_old_histories() -> None:
    """The one policy with two parts that there was before lines said so is still known by their names."""
    force = InForce()
    follow(CanaryHistory().in_force(1, "deny by cel", until=50).recorded(), force)
    assert force.sure("deny by cel (vap)") == force.sure("deny by cel (webhook)") == Spans.of([(1, 50)])
    assert force.sure("deny by cel (other)").total == float("inf")


@pytest.mark.parametrize(
    ("f", "sure", "maybe"), [("in force", [], [(0, 50)]), ("remove", [], [(1, 60)]), ("", [(1, 50)], [(1, 50)])]
)
def test_a_missing_line_makes_it_less_sure(f: str, sure: list[tuple[float, float]], maybe: object) -> None:
    """Where the line is missing that says that a policy is in force, or is to go, it may be, or may have been."""
    history = CanaryHistory().add(0, "invoke", "policies", "apply", {"policies": ["p"]}).in_force(1, "p", until=50)
    recorded = history.add(60, "ok", "policies", "removed", {"policies": ["p"]}).recorded()
    force = InForce()
    follow(History(recorded.header, [entry for entry in recorded.entries if entry.f != f]), force)
    assert (list(force.sure("p")), list(force.maybe("p"))) == (sure, maybe)


def test_workload() -> None:
    """Pods that came into being are kept, with when that was: one that a gap hid may have come at any time of it."""
    history = (
        CanaryHistory().watched(0, 8).blind(9).workload(3, "old", f="LISTED").workload(7, "new").workload(7.5, "old")
    )
    history.workload(13, "late", mutated=False, in_gap=True).workload(14, "late")
    workload = CreatedPods()
    follow(history.recorded(), workload)
    assert [(pod.name, pod.after, pod.at, pod.lacks("p")) for pod in workload.created] == [
        ("chaos-work/new", 7, 7, False),
        ("chaos-work/late", 8, 13, True),
    ]


def test_odd_objects_raise_nothing() -> None:
    """A pod without a status or a spec, an endpoint without conditions, an answer without its outcome."""
    history = CanaryHistory().add(1, "change", "watch workload", "ADDED", {"object": {"metadata": {"uid": "u"}}})
    history.add(2, "change", "watch endpointslices", "ADDED", {"object": {"metadata": {"name": "s"}}})
    history.add(3, "change", "watch pods", "DELETED", {"object": {"metadata": {"name": "a"}}})
    history.add(4, "invoke", "canary 1", "q", {"seq": 0, "policy": "p"})
    history.add(5, "fail", "canary 1", "q", {"seq": 0, "policy": "p"})
    recorded = history.recorded()
    coverage = Coverage(recorded)
    audit = Audit(coverage)
    losses, failures = Losses(), Failures(coverage, audit)
    follow(recorded, coverage, audit, CreatedPods(), losses, failures)
    assert failures.evidence(failures.whys(losses.of("p").missed("lost")), 1)[0] == "causes: 1 other"


def _entries(count: int) -> list[Entry]:
    common = {"policy": "mutate pods", "dry_run": True, "round": 0}
    entries = []
    for seq in range(count):
        value = {**common, "seq": seq}
        entries.append(Entry(0, "invoke", "canary 1", "create mutable pod", {**value, "late": 0.0}, seq / 20, 0.0))
        entries.append(
            Entry(0, "ok", "canary 1", "create mutable pod", {**value, "outcome": "mutated", "said": ""}, seq / 20, 0.0)
        )
    return entries


def test_streams_quickly() -> None:
    """A hundred thousand questions take less than three seconds of CPU, and only the last ones are kept."""
    number = examples(100_000)
    recorded = History(Header(1, "run", 0.0, "0"), _entries(number))
    losses = Losses()
    begin = process_time()
    follow(recorded, losses)
    assert process_time() - begin < 3
    assert losses.of("mutate pods").decided(0) == number
    tracemalloc.start()
    follow(recorded, Losses())
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
