"""Audit: what became of a question, or of a pod, is known if an API server wrote it down, and unknown else."""

from dataclasses import replace
from typing import Any, Self

import pytest

from chaos_harness.harness.history import Header, History
from chaos_harness.harness.history.audit import Audit, WebhookReason
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.spans import Spans
from tests.fakes.audit_log import MUTATION, VALIDATION
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.histories import STARTED

NODES = ("audit w-control-plane", "audit w-control-plane2")
REFUSED, SLOW = "connect: connection refused", "context deadline exceeded"


class Audited(CanaryHistory):
    """A history in which questions have ids, and the logs of the API servers are copied."""

    def question(self, audit_id: str, at: float = 10.0, kind: Any = "fail", *, seq: int = 0, took: float = 0.1) -> Self:
        """Add a question and its answer; kind None: it never gets one."""
        value = {"seq": seq, "policy": "mutate pods", "dry_run": True}
        self.add(at, "invoke", f"canary {seq}", "create mutable pod", {**value, "late": 0.0, "audit_id": audit_id})
        if kind is not None:
            answer = {**value, "outcome": "unmutated", "said": "so"}
            self.add(at + took, kind, f"canary {seq}", "create mutable pod", answer)
        return self

    def request(self, audit_id: str = "a", at: float = 12.0, *, node: str = NODES[0], **value: Any) -> Self:  # type: ignore[override]
        """Add what an API server wrote down of one request, which is copied at a moment."""
        written = {
            "audit_id": audit_id,
            **dict.fromkeys(("verb", "resource", "namespace", "name", "uid", "who", "said", "denied_by"), ""),
            "code": 201,
            "received": STARTED + 10.01,
            "decided": STARTED + 10.05,
            "called": {MUTATION: False},
            "failed_open": [],
            "seconds": {},
        }
        return self.add(at, "info", node, "request", {**written, **value})

    def alike(self, *ids: str, at: float = 12.0, code: int = 201, mutated: bool = True, denied_by: str = "") -> Self:
        """Add what was decided at once and alike."""
        called = {MUTATION: mutated}
        value = {"code": code, "called": called, "denied_by": denied_by, "audit_ids": list(ids)}
        return self.add(at, "info", NODES[0], "requests", value)

    def copied(self, since: float, until: float, *, node: str = NODES[0], kind: Any = "ok") -> Self:
        """Add that a log is copied from a moment to another one."""
        return self.add(until + 0.5, kind, node, "read", {"since": STARTED + since, "until": STARTED + until})


def read(history: CanaryHistory) -> tuple[Audit, Coverage]:
    recorded = replace(history.recorded(), header=Header(2, "test", STARTED, "0"))
    coverage = Coverage(recorded)
    audit = Audit(coverage)
    follow(recorded, coverage, audit)
    return audit, coverage


def cause(history: CanaryHistory, webhook: str = MUTATION, audit_id: str = "a") -> WebhookReason | None:
    return read(history)[0].cause_of(audit_id, webhook)


def what(history: CanaryHistory, webhook: str = MUTATION) -> str:
    reason = cause(history, webhook)
    return reason.what if reason else "unknown"


def test_a_webhook_that_could_not_be_called() -> None:
    """It failed open: known of this request, and not of another one at that time; the log says why."""
    history = Audited().question("a").question("b", seq=1).alike("b", mutated=False)
    history.request("a", failed_open=[MUTATION]).call(10.03, REFUSED).call(10.2, SLOW)
    reason = cause(history)
    assert reason is not None
    assert (reason.what, reason.mutated) == ("failed open", False)
    assert [REFUSED in said for said in reason.logged] == [True]
    assert reason.took == pytest.approx(0.04)
    assert cause(history, audit_id="b") == WebhookReason("called", MUTATION, 201)
    assert cause(history, VALIDATION) == replace(reason, what="no trace", webhook=VALIDATION, logged=(), failed=None)


def test_what_webhooks_take_tells_which_reason_is_whose() -> None:
    """One that waited for a time-out is not confused with what was refused meanwhile, on either side."""
    slow: dict[str, Any] = {
        "received": STARTED + 10,
        "decided": STARTED + 14.02,
        "seconds": {"mutating": 1.0, "validating": 3.0},
    }
    history = Audited().question("a", took=4.0).request("a", failed_open=[MUTATION, VALIDATION], **slow)
    for at in (10.5, 11.5, 12.5):
        history.call(at, REFUSED).call(at, REFUSED, VALIDATION)
    history.call(11.01, SLOW).call(14.01, SLOW, VALIDATION)
    for webhook, seconds in ((MUTATION, 1.0), (VALIDATION, 3.0)):
        reason = cause(history, webhook)
        assert reason is not None
        assert [SLOW in said for said in reason.logged] == [True]
        assert reason.took == seconds


def test_reasons_that_may_both_be_its_own() -> None:
    """Where two calls failed in the same moment for different reasons, both are given, for nobody knows."""
    history = Audited().question("a").request("a", failed_open=[MUTATION]).call(10.02, REFUSED).call(10.03, SLOW)
    reason = cause(history)
    assert reason is not None
    assert len(reason.logged) == 2


@pytest.mark.parametrize(
    ("value", "webhook", "expected"),
    [
        ({}, MUTATION, "called"),
        ({"called": {}}, MUTATION, "not called"),
        ({}, VALIDATION, "no trace"),
        ({"failed_open": [VALIDATION]}, VALIDATION, "failed open"),
        ({"failed_open": [VALIDATION]}, MUTATION, "called"),
        ({"code": 500, "said": f'failed calling webhook "{MUTATION}": x'}, MUTATION, "failed closed"),
        ({"code": 500, "said": f'failed calling webhook "{VALIDATION}": x'}, MUTATION, "refused"),
        ({"code": 403, "denied_by": VALIDATION}, VALIDATION, "denied"),
        ({"code": 403, "said": "pods is forbidden: User"}, VALIDATION, "refused"),
        ({"code": 429}, MUTATION, "refused"),
        ({"code": 200, "said": "Connection closed early"}, MUTATION, "broken off"),
    ],
)
def test_what_became_of_it(value: dict[str, Any], webhook: str, expected: str) -> None:
    """An admitted, a denied, a refused and an abandoned request are told apart, and what each webhook did about it."""
    history = Audited().question("a").question("other", seq=1).alike("other").request("a", **value)
    assert what(history, webhook) == expected


def test_a_question_without_an_answer() -> None:
    """Also of what was never answered, or answered with nothing that says anything, it is known how it was decided."""
    history = Audited().question("a", kind=None).question("b", kind="info", seq=1)
    history.alike("b").request("a", failed_open=[MUTATION])
    assert what(history) == "failed open"
    audit, _ = read(history)
    decision = audit.decision_of("b")
    assert decision is not None
    assert decision.admitted
    assert decision.called == {MUTATION: True}


def test_the_log_may_be_ahead_of_the_answer() -> None:
    """Who waits for an answer until it is given up finds the decision in the log long before."""
    history = Audited().question("a", took=8.0, kind="info").request("a", at=12.0)
    assert what(history) == "called"


def test_good_answers_are_forgotten() -> None:
    """Nothing is kept of what was answered as it must be, before or after the log tells of it."""
    history = Audited().question("a", took=8.0, kind="ok").question("b", kind="ok", seq=1).alike("a", "b")
    audit, _ = read(history)
    assert (audit.decision_of("a"), audit.decision_of("b")) == (None, None)
    assert not audit._asked
    assert not audit._decisions


def test_a_second_canary_begins_anew() -> None:
    """Numbers are used again by the next canary; ids are not."""
    history = (
        Audited().question("a", 10).question("b", 20, kind="ok").request("a", failed_open=[MUTATION]).alike("b", at=22)
    )
    assert what(history) == "failed open"


def test_what_no_api_server_decided() -> None:
    """Once all logs are read for as long as an API server may work at it, it is known never to have been decided."""
    history = Audited().question("a", kind=None).copied(0, 80)
    assert cause(history) == WebhookReason("undecided", MUTATION)


@pytest.mark.parametrize(
    "history",
    [
        Audited().question("a", kind=None),
        Audited().question("a", kind=None).copied(0, 70),
        Audited().question("a", kind=None).copied(11, 80),
        Audited().question("a", kind=None).copied(0, 30).copied(30, 40, kind="info").copied(40, 80),
        Audited().question("a", kind=None).copied(0, 80).copied(0, 40, node=NODES[1]),
        Audited().question("a", kind=None).copied(0, 80).add(5, "info", NODES[1], "read", {"said": "away"}),
        Audited().question("a", kind=None).copied(0, 80).add(9, "invoke", "api server", "read", {"servers": 3}),
        Audited().question("b", kind=None).copied(0, 80),
    ],
)
def test_what_is_not_known(history: Audited) -> None:
    """Without a log, with one that was not read to the end, or lost a part, or is one of several, nothing is known."""
    assert cause(history) is None


def test_a_log_that_is_cut_hides_nothing_that_is_there() -> None:
    """What stands in a log is true, whatever else of it is missing."""
    history = Audited().question("a").request("a", failed_open=[MUTATION]).copied(0, 5).copied(5, 20, kind="info")
    assert what(history) == "failed open"


def test_a_pod_is_known_by_its_uid() -> None:
    """What a controller created is found by what the watch knows of it, with who created it."""
    history = Audited().request("x", uid="u1", name="set-1", who="replicaset-controller", called={MUTATION: True})
    history.request("y", uid="u2", failed_open=[MUTATION]).request("z", called={MUTATION: False}, uid="u3")
    audit, _ = read(history)
    decision = audit.decision_of_pod("u1")
    assert decision is not None
    assert (decision.name, decision.who) == ("set-1", "replicaset-controller")
    reasons = [audit.cause_of_pod(uid, MUTATION) for uid in ("u1", "u2", "u3", "u4")]
    assert [(reason.what, reason.mutated) if reason else None for reason in reasons] == [
        ("called", True),
        ("failed open", False),
        ("called", False),
        None,
    ]


def test_coverage_of_each_control_plane() -> None:
    """Each log is a stream; what a reading lost is a hole, and a node that was away is none once it is read again."""
    history = Audited().copied(1, 10).copied(10, 20, kind="info").copied(20, 40)
    history.copied(1, 5, node=NODES[1]).add(10, "info", NODES[1], "read", {"said": "away"}).copied(5, 40, node=NODES[1])
    audit, coverage = read(history.add(41, "mark", "history", "end"))
    assert audit.streams == NODES
    assert coverage.of(NODES[0]).spans == Spans.of([(1, 10), (20, 40)])
    assert coverage.of(NODES[1]).spans == Spans.of([(1, 40)])
    assert audit.covered(2, 9)
    assert not audit.covered(2, 11)
    assert not audit.covered(0, 9)
    assert coverage.unknown(NODES, 2, 40) == Spans.of([(10, 20)])


@pytest.mark.parametrize("lost", range(6))
def test_a_lost_line_may_have_been_of_the_log(lost: int) -> None:
    """What was copied while a line of the history was lost is not covered: the line may have told of a request."""
    history = Audited().question("a", kind=None).copied(0, 9).copied(9, 20).copied(20, 80).copied(80, 90)
    history.add(80.1, "mark", "x", "x").request("a", at=80.2, failed_open=[MUTATION])
    whole = history.recorded()
    entries = [entry for entry in whole.entries if entry.index != lost]
    recorded = History(Header(2, "test", STARTED, "0"), entries)
    coverage = Coverage(recorded)
    audit = Audit(coverage)
    follow(recorded, coverage, audit)
    reason = audit.cause_of("a", MUTATION)
    assert reason is None or reason.what == "failed open"


def test_a_clock_that_is_set_moves_no_log() -> None:
    """Moments of the log are the history's by the clocks of the entry that tells of them."""
    recorded = Audited().question("a").request("a", failed_open=[MUTATION]).copied(0, 20).copied(20, 90).recorded()
    later = [replace(entry, wall=entry.wall + 1000) if entry.at > 21 else entry for entry in recorded.entries]
    moved = [
        replace(entry, value={**entry.value, "until": entry.value["until"] + 1000})
        if entry.f == "read" and entry.at > 21
        else entry
        for entry in later
    ]
    recorded = History(Header(2, "test", STARTED, "0"), moved)
    coverage = Coverage(recorded)
    follow(recorded, coverage)
    assert [tuple(round(at, 3) for at in span) for span in coverage.of(NODES[0]).spans] == [(0, 90)]


def test_a_history_without_audit_logs() -> None:
    """Old histories have none: then nothing was covered, ever."""
    audit, _ = read(CanaryHistory().asks(0, 10))
    assert audit.streams == ()
    assert not audit.covered(0, 1)
