"""Admissions: answers come in the order of the questions, none twice, none lost without being counted."""

import tracemalloc
from itertools import islice
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import enforcement, experiment

from harness.checks.admissions import Admission, Answers
from harness.history import Entry, Header, Recorded
from harness.probes import admission, fail_open, objects
from tests.fakes.asked import Asked


def read(told: Asked) -> tuple[list[Admission], Answers]:
    answers = Answers(told.recorded())
    return list(answers), answers


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 5), st.sampled_from(["ok", "fail", "info", None])), max_size=60))
def test_order_of_the_questions(asked: list[tuple[float, str | None]]) -> None:
    """However long answers take, they come by their numbers, each once; unanswered ones are counted."""
    told = Asked()
    for number, (took, kind) in enumerate(asked):
        told.ask(number / 10, kind, took=took)  # type: ignore[arg-type]  # kinds, as a strategy has them
    found, answers = read(told.add(1000, "mark", "experiment", "end"))
    answered = [number for number, (_, kind) in enumerate(asked) if kind]
    assert [each.seq for each in found] == answered
    assert answers.lost == len(asked) - len(answered)
    assert answers.asked == len(answered)
    for each in found:
        assert each.answered - each.asked == pytest.approx(asked[each.seq][0], abs=1e-6)
        assert each.kind == asked[each.seq][1]


def test_a_second_canary_counts_anew() -> None:
    """When numbers begin anew, what waits is given first, and nothing is mixed up."""
    told = Asked().ask(0, None).ask(0.1).ask(0.2).again().ask(10).ask(10.1)
    found, answers = read(told)
    assert [(each.seq, each.asked) for each in found] == [(1, 0.1), (2, 0.2), (0, 10.0), (1, 10.1)]
    assert answers.lost == 1


def test_entries_without_a_number_are_not_read() -> None:
    """Canaries of older histories, which number nothing, give no answers."""
    told = Asked()
    told.canaries(0, 5)
    assert read(told)[0] == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Asked().asks(0, 10).asks(10, 10.5, late=2.0), "5 of 105 questions came over 1 s late"),
        (Asked().asks(0, 10).ask(10, None).ask(10.1, None).ask(30), "lost 2 answers of 103"),
        (Asked().asks(0, 10).ask(10, None).ask(10.1, None).ask(20), ""),
        (Asked().asks(0, 100, late=0.9).ask(100, late=3.0), ""),
        (Asked(), ""),
    ],
)
def test_fell_behind(told: Asked, words: str) -> None:
    """More than one in a hundred late or lost is too much."""
    _, answers = read(told)
    assert words in answers.fell_behind
    assert bool(words) == bool(answers.fell_behind)


def test_scene() -> None:
    """Faults, policies, endpoints, failed calls and the workload are kept, at their moments."""
    told = Asked().in_force(1, "p", until=50).serving(2, "a", "b").serving(8, "b")
    told.fault(5, 6, 20, name="f").call(7).calls_read(30).blind(9).workload(3, "old", f="LISTED").workload(11, "new")
    told.workload(12, "old", f="MODIFIED").workload(13, "late", mutated=False, in_gap=True).pod(7.5, "a", deleting=True)
    _, answers = read(told)
    scene = answers.scene
    assert [scene.in_force("p", at) for at in (0.5, 1, 50, 51)] == [False, True, True, False]
    assert [scene.ready_at(at) for at in (1, 2, 9)] == [(), ("a", "b"), ("b",)]
    assert [(each.name, each.injected, each.proved, each.healing) for each in scene.spans] == [("f", 5, 6, 20)]
    assert [each.at for each in scene.calls] == [pytest.approx(7)]
    assert scene.calls_read_until == pytest.approx(30)
    assert scene.blind == [9]
    assert [(each.name, each.mutated, each.in_gap) for each in scene.created] == [
        ("chaos-work/new", True, False),
        ("chaos-work/late", False, True),
    ]
    assert scene.going == {"a": 7.5}


def _entries(count: int) -> list[Entry]:
    told = {"policy": "mutate pods", "dry_run": True, "round": 0}
    entries = []
    for seq in range(count):
        value = {**told, "seq": seq}
        entries.append(Entry(0, "invoke", "canary 1", "create mutable pod", {**value, "late": 0.0}, seq / 20, 0.0))
        entries.append(
            Entry(0, "ok", "canary 1", "create mutable pod", {**value, "outcome": "mutated", "said": ""}, seq / 20, 0.0)
        )
    return entries


def test_streams_quickly() -> None:
    """A hundred thousand questions take less than three seconds of CPU, and only open ones are kept."""
    recorded = Recorded(Header(1, "run", 0.0, "0"), _entries(100_000))
    begin = process_time()
    assert sum(1 for _ in Answers(recorded)) == 100_000
    assert process_time() - begin < 3
    tracemalloc.start()
    for _ in islice(Answers(recorded), 90_000):
        pass
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_names_of_processes() -> None:
    """The names by which a history is read are those under which experiment, probes and watches write."""
    assert f"{experiment.FAULT} " == admissions._FAULT
    assert f"{admission.CANARY} " == admissions._CANARY
    assert enforcement.POLICIES == admissions._POLICIES
    assert fail_open.FAIL_OPEN == admissions._FAIL_OPEN
    watched = {f"watch {each.name}" for each in (*objects.USUAL, *objects.WORKLOAD)}
    assert {admissions._PODS, admissions._SLICES, admissions._WORKLOAD} <= watched
