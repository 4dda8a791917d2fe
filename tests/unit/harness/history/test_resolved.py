"""Resolved: what became of creates without an answer is told by the watch on what was created, or not known."""

from dataclasses import replace
from typing import Self

import pytest

from chaos_harness.harness.history import Header, History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.resolved import Became, UnansweredCreates
from chaos_harness.harness.history.vocabulary import WATCH_CANARIES
from tests.fakes.histories import STARTED, HistoryBuilder


class Creates(HistoryBuilder):
    """A history of real creates by the admission probe, and of the watch on what came of them."""

    def create(self, at: float, seq: int, kind: str | None = "info", *, dry_run: bool = False) -> Self:
        value = {"seq": seq, "policy": "mutate pods", "dry_run": dry_run}
        self.add(at, "invoke", "canary 1", "create mutable pod", value)
        if kind is not None:
            self.add(at + 5, kind, "canary 1", "create mutable pod", {**value, "outcome": "timed out"})  # type: ignore[arg-type]
        return self

    def other(self, at: float, seq: int, **told: object) -> Self:
        value = {"seq": seq, "policy": "owned", "dry_run": False, **told}
        self.add(at, "invoke", "canary 1", "create Pod", value)
        return self.add(at + 5, "info", "canary 1", "create Pod", {**value, "outcome": "timed out"})

    def made(self, at: float, name: str, *mutated_for: str) -> Self:
        value = {"object": {"metadata": {"name": name, "uid": "u"}, "mutated_for": list(mutated_for)}}
        return self.add(at, "change", WATCH_CANARIES, "ADDED", value)

    def seen(self, at: float, f: str, name: str = "", *, mutated: bool = True, why: str = "") -> Self:
        value: dict[str, object] = {"resource_version": "1", "why": why}
        if name:
            value["object"] = {"metadata": {"name": name, "uid": f"uid-{at}"}, "mutated": mutated}
        return self.add(at, "change", WATCH_CANARIES, f, value)

    def watched(self, begin: float, end: float) -> Self:
        self.seen(begin, "LISTED")
        return self.seen(end, "BOOKMARK")


def read(history: HistoryBuilder) -> list[tuple[int, Became]]:
    """Return what became of each create without an answer."""
    recorded: History = replace(history.recorded(), header=Header(2, "test", STARTED, "0"))
    coverage = Coverage(recorded)
    resolved = UnansweredCreates(coverage)
    follow(recorded, coverage, resolved)
    return [(create.seq, resolved.became(create)) for create in resolved.creates]


@pytest.mark.parametrize("kind", ["info", None])
@pytest.mark.parametrize("mutated", [True, False])
def test_what_came_into_being_is_known(kind: str | None, mutated: bool) -> None:
    """An object of the question's number, told after it was asked, is what became of it."""
    history = Creates().watched(0, 100).create(10, 3, kind).seen(10.5, "ADDED", "canary-3", mutated=mutated)
    assert read(history) == [(3, "mutated" if mutated else "unmutated")]


def test_an_odd_object_is_not_known() -> None:
    """An entry that does not say whether the object was mutated says that there was one, and nothing else."""
    history = Creates().watched(0, 100).create(10, 3)
    history.add(11, "change", WATCH_CANARIES, "ADDED", {"object": {"metadata": {"name": "canary-3"}}})
    assert read(history) == [(3, "unknown")]


@pytest.mark.parametrize(("mutated_for", "became"), [(["owned"], "mutated"), (["another"], "unmutated")])
def test_it_is_judged_by_its_own_policy(mutated_for: list[str], became: Became) -> None:
    """What it has for the policy that it was asked about decides, by the name that the question gave it."""
    history = Creates().watched(0, 100).other(10, 3, name="team-canary-3").made(11, "team-canary-3", *mutated_for)
    assert read(history) == [(3, became)]


def test_what_no_watch_reports_is_not_known() -> None:
    """A request for another kind, or elsewhere, did not come to nothing because the watch on pods saw nothing."""
    assert read(Creates().watched(0, 100).other(10, 3, unwatched=True)) == [(3, "unknown")]
    assert read(Creates().watched(0, 100).other(10, 3)) == [(3, "nothing")]


def test_nothing_came_into_being() -> None:
    """If the watch misses nothing until the API server must have given the create up, there is no object."""
    assert read(Creates().watched(0, 100).create(10, 3)) == [(3, "nothing")]


@pytest.mark.parametrize(
    "history",
    [
        Creates().create(10, 3),
        Creates().watched(0, 40).create(10, 3),
        Creates().watched(12, 100).create(10, 3),
        Creates().watched(0, 12).seen(20, "GAP", why="refused").watched(30, 100).create(10, 3),
        Creates().watched(0, 100).create(80, 3).add(101, "mark", "experiment", "end"),
    ],
    ids=["not watched", "not to the end", "not from the begin", "listed anew", "ends too early"],
)
def test_what_may_have_been_missed_is_not_known(history: HistoryBuilder) -> None:
    """An object that nobody may have seen is not known not to have been there."""
    assert read(history) == [(3, "unknown")]


def test_a_gap_after_which_it_went_on_hides_nothing() -> None:
    """A watch that went on from where it was told what was created meanwhile, and what was not."""
    history = Creates().watched(0, 12).create(10, 3).create(11, 4).seen(20, "GAP", why="refused")
    history.seen(29, "ADDED", "canary-4", mutated=False).seen(30, "RESUMED").seen(100, "BOOKMARK")
    assert read(history) == [(3, "nothing"), (4, "unmutated")]


def test_an_object_belongs_to_the_last_question_of_its_number() -> None:
    """A second probe numbers anew; what was there before a question was asked is not its own."""
    history = Creates().watched(0, 200).create(10, 3).create(100, 3)
    history.seen(5, "ADDED", "canary-3").seen(100.5, "ADDED", "canary-3", mutated=False)
    assert read(history) == [(3, "nothing"), (3, "unmutated")]


def test_what_is_answered_or_asked_as_a_dry_run_is_none() -> None:
    """Only a real create without an answer has to be resolved."""
    history = Creates().watched(0, 100).create(10, 3, "ok").create(20, 4, "fail").create(30, 5, dry_run=True)
    assert read(history.add(40, "change", WATCH_CANARIES, "ADDED", {"object": {}})) == []
