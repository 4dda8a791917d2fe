"""Audit: what API servers wrote down of requests is in the history once, whatever happens to their logs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.history.vocabulary import REQUEST, REQUESTS
from tests.fakes.audit_log import MUTATION, VALIDATION, AuditLog, event
from tests.fakes.world import World

DENIED = 'admission webhook "validation.gatekeeper.sh" denied the request: [chaos-rego] it violates'


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with World().cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def log(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuditLog]:
    with AuditLog(tmp_path, cluster) as log:
        log.shell.install(monkeypatch)
        yield log


def copied(log: AuditLog, line: str) -> Any:
    """Return what one line becomes."""
    log.new()
    log.grow(line)
    (request, _) = log.new()
    assert (request.kind, request.f) == ("info", REQUEST)
    return request.value


def test_only_what_is_new_is_told(log: AuditLog) -> None:
    """What was logged before the first reading is not told, what comes after it once."""
    assert log.ids() == ([], "ok")
    log.grow(event("one"), event("two"))
    assert log.ids() == (["one", "two"], "ok")
    assert log.ids() == ([], "ok")


def test_questions_that_were_decided_alike_stand_together(log: AuditLog) -> None:
    """Of what was decided at once, by all who had to, only how is kept: there are fifty a second."""
    log.new()
    log.grow(event("one"), event("no", code=403, said=DENIED), event("not", mutated=False), event("two"))
    *requests, _ = log.new()
    assert {entry.f for entry in requests} == {REQUESTS}
    assert [entry.value for entry in requests] == [
        {"code": 201, "called": {MUTATION: True}, "denied_by": "", "audit_ids": ["one", "two"]},
        {"code": 403, "called": {MUTATION: True}, "denied_by": VALIDATION, "audit_ids": ["no"]},
        {"code": 201, "called": {MUTATION: False}, "denied_by": "", "audit_ids": ["not"]},
    ]


def test_a_webhook_that_was_done_without(log: AuditLog) -> None:
    """It is named, the one that mutates and the one that only validates, with how long the API server waited."""
    line = event("a", took=4.0, mutated=False, failed_open=(MUTATION, VALIDATION), mutating_webhook="980.5ms")
    value = copied(log, line)
    assert value["failed_open"] == [MUTATION, VALIDATION]
    assert value["called"] == {MUTATION: False}
    assert value["seconds"] == {"mutating": pytest.approx(0.9805)}
    assert (value["received"], value["decided"]) == (1_800_000_010.0, 1_800_000_014.0)


def test_a_pod_has_the_uid_of_the_response(log: AuditLog) -> None:
    """A controller gives a name to begin with only: its pod is known by what the API server answered."""
    value = copied(log, event("p", uid="u1"))
    assert (value["uid"], value["name"], value["namespace"]) == ("u1", "set-u1", "chaos-work")
    assert value["who"].endswith("replicaset-controller")


@pytest.mark.parametrize(
    ("said", "code", "by"),
    [
        (DENIED, 403, VALIDATION),
        ("pods \"x\" is forbidden: ValidatingAdmissionPolicy 'vap' with binding 'b' denied request: no", 422, "vap"),
    ],
)
def test_who_denied(log: AuditLog, said: str, code: int, by: str) -> None:
    """A denial comes from a policy, and the entry names that policy."""
    log.new()
    log.grow(event("a", code=code, said=said))
    (request, _) = log.new()
    assert request.value["denied_by"] == by


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('failed calling webhook "check-ignore-label.gatekeeper.sh": Post "x": context deadline exceeded', 500),
        ('pods is forbidden: User "kubernetes-admin" cannot create resource "pods"', 403),
        ("ValidatingAdmissionPolicy 'vap' with binding 'b' failed to configure: no params", 422),
        ("Too many requests", 429),
        ("Connection closed early", 200),
    ],
)
def test_a_refusal_that_is_no_denial(log: AuditLog, said: str, code: int) -> None:
    """It says nothing of the policy, and is told in full."""
    value = copied(log, event("a", code=code, said=said))
    assert (value["code"], value["said"], value["denied_by"]) == (code, said, "")


def test_webhooks_that_are_called_twice(log: AuditLog) -> None:
    """A webhook that mutated in either round has mutated."""
    line = event("a", mutated=True).replace(
        '"annotations":{',
        '"annotations":{"mutation.webhook.admission.k8s.io/round_1_index_0":'
        '"{\\"webhook\\":\\"mutation.gatekeeper.sh\\",\\"mutated\\":false}",',
    )
    log.new()
    log.grow(line)
    assert log.new()[0].value["called"] == {MUTATION: True}


def test_what_is_under_way_is_not_told(log: AuditLog) -> None:
    """A request has one line that counts: the last one, also if the API server panicked."""
    log.new()
    log.grow(event("a", stage="ResponseStarted"), event("a", stage="Panic", code=500, said="APIServer panic'd: x"))
    requests = [entry.value for entry in log.new() if entry.f == REQUEST]
    assert [(request["audit_id"], request["code"]) for request in requests] == [("a", 500)]


def test_an_api_server_that_was_killed(log: AuditLog) -> None:
    """It left half a line, behind which the next one goes on: that is told, the half is lost, and it is said."""
    log.new()
    log.grow(event("half")[:200])
    log.new()
    log.grow(event("next"))
    *requests, reading = log.new()
    assert [entry.value["audit_ids"] for entry in requests] == [["next"]]
    assert (reading.kind, reading.value["said"]) == ("info", "1 lines are broken")
    assert reading.value["since"] < reading.value["until"]
    assert log.ids() == ([], "ok")


@pytest.mark.parametrize("line", ["{}\n", "[]\n", "null\n", "nonsense\n", '{"stage":"ResponseComplete"}\n'])
def test_odd_lines(log: AuditLog, line: str) -> None:
    """Whatever stands in a log, what stands behind it is told."""
    log.new()
    log.grow(line, event("next"))
    ids, _ = log.ids()
    assert "next" in ids
