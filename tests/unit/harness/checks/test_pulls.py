"""Pulls: histories that hold, that violate and that decide nothing, for each check."""

from dataclasses import replace
from typing import Any

import pytest

from chaos_harness.harness.checks.pulls import asked_no_registry, asked_registry, no_request_during
from chaos_harness.harness.history import EntryKind
from chaos_harness.harness.history.vocabulary import WATCH_EVENTS
from chaos_harness.harness.verdict import CheckFunction
from tests.fakes.histories import STARTED, HistoryBuilder, set_clock

REPOSITORY = "openpolicyagent/gatekeeper"
MANIFEST = f"/v2/{REPOSITORY}/manifests/v3.23.1?ns=docker.io"
ASKED = asked_registry(REPOSITORY)
NOT_ASKED = asked_no_registry(REPOSITORY)


def cut() -> HistoryBuilder:
    """Return a container that starts at 2 s, and a cut from 10 to 80 s; the registry's log is read to the end."""
    return HistoryBuilder().event(2, "Started", "a").fault(9, 10, 80).log_read(5).log_read(90)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_asked(method: str) -> None:
    """A request for the manifest before the cut is what `Always` does, and what IfNotPresent must not do."""
    recorded = cut().request(2, MANIFEST, method=method).recorded()
    assert ASKED(recorded).outcome == "holds"
    assert (NOT_ASKED(recorded).outcome, NOT_ASKED(recorded).at) == ("violated", 2)


@pytest.mark.parametrize(
    "history",
    [
        cut(),
        cut().request(85, MANIFEST),
        cut().request(2, "/v2/"),
        cut().request(2, "/v2/openpolicyagent/gatekeeper-crds/manifests/v3.23.1"),
        cut().request(2, MANIFEST, method="PUT"),
    ],
    ids=["nothing", "after-the-cut", "no-manifest", "another-repository", "a-push"],
)
def test_not_asked(history: HistoryBuilder) -> None:
    """Other requests, and those after the cut, do not count."""
    assert (ASKED(history.recorded()).outcome, ASKED(history.recorded()).at) == ("violated", 9)
    assert NOT_ASKED(history.recorded()).outcome == "holds"


@pytest.mark.parametrize(
    "history",
    [
        HistoryBuilder().event(2, "Started", "a").fault(9, 10, 80).log_read(5),
        HistoryBuilder().fault(9, 10, 80).log_read(90),
        HistoryBuilder().event(20, "Started", "a").fault(9, 10, 80).log_read(90),
        HistoryBuilder().event(2, "Started", "a").fault(9, None, 80).log_read(90),
    ],
    ids=["log-not-read", "nothing-started", "started-too-late", "unproved"],
)
def test_asked_undecided(history: HistoryBuilder) -> None:
    """Without the registry's log, a container that started, and a cut, silence means nothing."""
    assert ASKED(history.recorded()).outcome == "inconclusive"
    assert NOT_ASKED(history.recorded()).outcome == "inconclusive"


@pytest.mark.parametrize(("line", "outcome"), [(95, "holds"), (2, "inconclusive")])
def test_a_cut_whose_begin_is_missing(line: float, outcome: str) -> None:
    """One that came later takes nothing from what was before the first; where lines are missing before, it may."""
    history = cut().request(1, MANIFEST).log_read(3).fault(96, 97, 99, process="fault 2")
    history.add(95, "info", "cluster", "snapshot").add(2, "info", "cluster", "snapshot")
    recorded = history.recorded()
    without = [entry for entry in recorded.entries if (entry.at, entry.f) not in {(96, "inject"), (line, "snapshot")}]
    assert ASKED(replace(recorded, entries=without)).outcome == outcome


def test_cut_is_a_cut() -> None:
    """No request between the proof of the cut and its end: the cut held; requests around it do not matter."""
    recorded = cut().request(2, MANIFEST).request(9.5, MANIFEST).request(80.5, MANIFEST).recorded()
    verdict = no_request_during()(recorded)
    assert verdict.outcome == "holds"
    assert verdict.figures["cut_seconds"] == 70


def test_leaky_cut() -> None:
    """A request that the registry answered during the cut is a violation, and is told."""
    verdict = no_request_during()(cut().request(40, MANIFEST).recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 40)
    assert MANIFEST in verdict.evidence[0]


@pytest.mark.parametrize(
    "history",
    [
        HistoryBuilder().fault(9, 10, 80).log_read(79),
        HistoryBuilder().fault(9, 10, None).log_read(90),
        HistoryBuilder().log_read(90),
    ],
    ids=["log-not-read", "not-healed", "no-fault"],
)
def test_cut_undecided(history: HistoryBuilder) -> None:
    """Without a proved and healed cut, and the registry's log to its end, nothing is decided."""
    assert no_request_during()(history.recorded()).outcome == "inconclusive"


def test_many_requests() -> None:
    """Of many requests the first are told, and how many more there were."""
    history = cut()
    for at in range(20, 28):
        history.request(at, MANIFEST)
    assert no_request_during()(history.recorded()).evidence[-1] == "and 3 more"


@pytest.mark.parametrize("first", [30, 70])
def test_each_cut(first: float) -> None:
    """Of a cut that was repeated each time is judged, and none may be unproved or go on for ever."""
    history = HistoryBuilder().fault(9, 10, 40).fault(59, 60, 80, process="fault 2").log_read(5).log_read(90)
    verdict = no_request_during()(history.recorded())
    assert (verdict.outcome, verdict.figures["cut_seconds"]) == ("holds", 50)
    assert no_request_during()(history.request(first, MANIFEST).recorded()).outcome == "violated"
    assert no_request_during("fault 2")(history.recorded()).outcome == ("violated" if first == 70 else "holds")
    history = HistoryBuilder().fault(9, None, 40).fault(59, 60, 80, process="fault 2").log_read(5).log_read(90)
    assert no_request_during()(history.recorded()).outcome == "inconclusive"


def request(at: float) -> tuple[EntryKind, str, str, dict[str, Any]]:
    """Return the copy of a request that was answered at this moment."""
    value = {"time": STARTED + at, "method": "HEAD", "path": MANIFEST, "status": 200, "remote": "10.0.0.2"}
    return "info", "registry", "request", value


@pytest.mark.parametrize(("at", "outcome"), [(7.0, "holds"), (50.0, "violated"), (82.0, "inconclusive")])
@pytest.mark.parametrize("seconds", [-3.0, 30.0])
def test_the_clock_is_set(seconds: float, at: float, outcome: str) -> None:
    """Where the wall clock was set between an answer and its reading nobody knows when it was: it may be in the cut."""
    history = HistoryBuilder().fault(9, 10, 80).log_read(5)
    for moment in (8.5, 20, 40, 60, 79.9, 84, 86.5, 90):
        history.add(moment, "ok", "registry", "read", {"until": STARTED + moment})
    copied = 52.0 if at == 50 else 83.9  # 60 is the reading after 50, and 84 that after 82
    history.add(copied, *request({7: 82, 50: 51}.get(int(at), 81)))
    assert no_request_during()(set_clock(history.recorded(), at, seconds)).outcome == outcome


def test_a_clock_that_is_set_moves_no_request() -> None:
    """A request that is read long after the clock was set stands where it was answered."""
    history = HistoryBuilder().event(2, "Started", "a").log_read(5).fault(39, 40, 80)
    history.add(10, "ok", "registry", "read", {"until": STARTED + 10})
    history.add(62, *request(60))
    history.add(90, "ok", "registry", "read", {"until": STARTED + 90})
    verdict = no_request_during()(set_clock(history.recorded(), 6, 600))
    assert verdict.outcome == "violated"
    assert verdict.at == pytest.approx(60)


@pytest.mark.parametrize("history", [cut(), cut().request(40, MANIFEST), cut().request(2, MANIFEST)])
@pytest.mark.parametrize("check", [ASKED, NOT_ASKED, no_request_during()])
def test_any_line_may_be_missing(history: HistoryBuilder, check: CheckFunction) -> None:
    """Without any one of its lines, or of those at its end, a verdict stays or decides nothing."""
    recorded = history.add(3, "change", WATCH_EVENTS, "LISTED", {"resource_version": "1"}).recorded()
    entries = list(recorded.entries)
    expected = {check(recorded).outcome, "inconclusive"}
    for index in range(len(entries)):
        assert check(replace(recorded, entries=entries[:index] + entries[index + 1 :])).outcome in expected
        assert check(replace(recorded, entries=entries[:index], ended=False)).outcome in expected
