"""Clocks: what a node's clock says is placed in a history by its offset, and not more surely than that is known."""

from dataclasses import replace
from typing import Any

import pytest

from chaos_harness.harness.history import Entry, Header
from chaos_harness.harness.history.audit import Audit
from chaos_harness.harness.history.clocks import Clocks, Offset
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.requests import Requests
from chaos_harness.harness.history.vocabulary import (
    CLOCK,
    CLOCK_STEP,
    FAIL_OPEN,
    HISTORY,
    READ,
    REGISTRY,
    REQUEST,
    numbered,
)
from chaos_harness.harness.history.webhook_failures import Failures
from tests.fakes.audit_log import MUTATION
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.histories import STARTED

NODE = "w-control-plane"


def clock(
    history: CanaryHistory, offset: float, uncertainty: float = 0.0, *, at: float = 0.5, node: str = NODE
) -> CanaryHistory:
    """Add what was read of a node's clock; without an offset it is this machine's own."""
    value = {"offset": offset, "uncertainty": uncertainty, "same": not offset}
    history.add(at, "ok", numbered(CLOCK, node), READ, value)
    return history


def registry(history: CanaryHistory, answered: float) -> CanaryHistory:
    value = {"method": "GET", "path": "/v2/x", "status": 200, "remote": "r", "time": STARTED + answered}
    history.add(12.0, "info", REGISTRY, REQUEST, value).add(12.0, "ok", REGISTRY, READ, {"until": STARTED + 11.9})
    return history


def requests(history: CanaryHistory) -> Requests:
    coverage = Coverage(history.recorded())
    reader = Requests(coverage.clocks)
    follow(history.recorded(), coverage, reader)
    return reader


def clocks(history: CanaryHistory) -> Clocks:
    coverage = Coverage(history.recorded())
    follow(history.recorded(), coverage)
    return coverage.clocks


def test_what_is_not_known_is_one_clock() -> None:
    """Histories from before clocks were read are placed as ever."""
    assert clocks(CanaryHistory()).of(NODE) == Offset()
    (request,) = requests(registry(CanaryHistory(), 10.0)).all
    assert [request.earliest, request.latest] == pytest.approx([10.0, 10.0])


def test_one_kernel_has_one_clock() -> None:
    """A node on this machine's kernel has its clock, and what it says is placed without a doubt."""
    (request,) = requests(registry(clock(CanaryHistory(), 0.0), 10.0)).all
    assert request.earliest == request.latest == pytest.approx(10.0)


def test_what_the_registry_logged_is_placed_by_its_clock() -> None:
    """Five seconds ahead, give or take a tenth: it came five seconds before, and neither edge is more sure."""
    (request,) = requests(registry(clock(CanaryHistory(), 5.0, 0.1), 15.0)).all
    assert [request.earliest, request.latest] == pytest.approx([9.9, 10.1])
    assert request.surely(9.8, 10.2)
    assert not request.surely(10.0, 11.0)
    assert request.perhaps(10.0, 11.0)


def test_several_nodes() -> None:
    """Each has its own; who is none of them is within what all allow."""
    history = clock(clock(CanaryHistory(), 1.0, 0.1), 1.2, 0.1, node="other")
    assert clocks(history).of(NODE) == Offset(1.0, 0.1)
    assert clocks(history).of().seconds == pytest.approx(1.1)
    assert clocks(history).of().unsure == pytest.approx(0.2)


@pytest.mark.parametrize("same", [True, False])
def test_this_machines_clock_is_set(same: bool) -> None:
    """The clock of another kernel stays, or follows later; the same clock is set with it."""
    history = clock(CanaryHistory(), 0.0 if same else 4.0)
    history.add(5, "info", HISTORY, CLOCK_STEP, {"seconds": 2.0})
    assert clocks(history).of(NODE) == (Offset() if same else Offset(3.0, 1.0))


@pytest.mark.parametrize(
    ("seconds", "shown", "span", "stayed"),
    [
        (600, 10, (10, 10), (-590, 10)),
        (600, 621, (21, 21), (21, 21)),
        (-30, 10, (10, 10), (10, 10)),
        (-30, -9, (-9, 21), (-9, 21)),
        (3, 21, (18, 21), (18, 18)),
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_a_moment_near_that_at_which_the_clock_was_set(
    seconds: float, shown: float, span: tuple[float, float], stayed: tuple[float, float], same: bool
) -> None:
    """What was shown before the clock was set is placed by that of then; what may be either is not sure.

    Another clock may have stayed as it was.
    """
    clocks = Clocks()
    reading = {"offset": 0.0, "uncertainty": 0.0, "same": same}
    clocks.take(Entry(0, "ok", numbered(CLOCK, NODE), READ, reading, 1.0, STARTED + 1))
    clocks.step(19.9, 20.0, seconds)
    clocks.take(Entry(1, "ok", numbered(CLOCK, NODE), READ, reading, 21.5, STARTED + 21.5 + seconds))
    entry = Entry(2, "info", "log", READ, None, 22.0, STARTED + 22 + seconds)
    assert clocks.place(entry, STARTED + shown, NODE) == pytest.approx(span if same else stayed)
    assert clocks.place_own(entry, STARTED + shown) == pytest.approx(span)


def test_a_newer_reading_places_what_comes_after_it() -> None:
    """What was placed before stays where it was, so that a claim is judged the same later."""
    history = clock(registry(clock(CanaryHistory(), 5.0, 0.1), 15.0), 9.0, 0.1, at=30)
    assert requests(history).all[0].latest == pytest.approx(10.1)
    assert clocks(history).of(NODE) == Offset(9.0, 0.1)


def _call(history: CanaryHistory, at: float, **node: Any) -> CanaryHistory:
    value = {"time": STARTED + at, "webhook": MUTATION, "said": "connection refused", **node}
    history.add(12.0, "info", FAIL_OPEN, "call", value)
    return history


def test_what_api_servers_logged_is_placed_by_the_clock_of_their_node() -> None:
    """Its own log and its audit log: the call that failed is found for the request in which it did."""
    history = clock(clock(CanaryHistory(), 60.0, 0.05), -60.0, 0.05, node="other")
    history.add(10.0, "invoke", "canary 0", "create", {"seq": 0, "policy": "mutate pods", "audit_id": "a"})
    history.add(10.1, "fail", "canary 0", "create", {"seq": 0, "policy": "mutate pods", "outcome": "unmutated"})
    request = {
        **dict.fromkeys(("verb", "resource", "namespace", "name", "uid", "who", "said", "denied_by"), ""),
        "audit_id": "a",
        "code": 201,
        "received": STARTED + 70.01,
        "decided": STARTED + 70.05,
        "called": {},
        "failed_open": [MUTATION],
        "seconds": {},
    }
    history.add(12.0, "info", f"audit {NODE}", REQUEST, request)
    recorded = replace(_call(history, 70.03, node=NODE).recorded(), header=Header(2, "test", STARTED, "0"))
    coverage = Coverage(recorded)
    audit = Audit(coverage)
    follow(recorded, coverage, audit, Failures(coverage, audit))
    decision, cause = audit.decision_of("a"), audit.cause_of("a", MUTATION)
    assert decision
    assert decision.placed == pytest.approx((10.0, 10.1))
    assert cause
    assert cause.logged == ("connection refused",)
    assert cause.failed == pytest.approx((9.98, 10.08))


@pytest.mark.parametrize(("unsure", "why"), [(0.0, ("not logged",)), (0.5, ("connection refused", "not logged"))])
def test_a_call_is_matched_by_time_as_well_as_that_is_known(unsure: float, why: tuple[str, ...]) -> None:
    """Without an audit log, a call may be that of an answer from which it is no farther than its clock is unsure."""
    history = clock(CanaryHistory(), 60.0, unsure).add(12.5, "ok", FAIL_OPEN, READ, {"until": STARTED + 12.4})
    recorded = _call(history, 70.5, node=NODE).recorded()
    coverage = Coverage(recorded)
    failures = Failures(coverage, Audit(coverage))
    follow(recorded, coverage, failures)
    assert failures.why_of_pod("x", MUTATION, 10.0, 10.2).names == why
