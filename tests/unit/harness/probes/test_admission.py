"""Admission: the canary asks in turn, at its rate, numbers what it asks, and deletes what it created."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ProbeBroken
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.policies import deny_pods, mutate_pods
from chaos_harness.harness.probes.admission import FORBIDDEN, admission_canary
from tests.fakes.policy_server import PolicyServer

QUESTIONS = (FORBIDDEN, *mutate_pods().questions, *deny_pods().questions)


@pytest.fixture
def policy_server() -> PolicyServer:
    policy_server = PolicyServer()
    policy_server.objects = {name: {"metadata": {"name": name}} for name in ("chaos-pods", "chaos-rego")}
    return policy_server


@pytest.fixture
def cluster(policy_server: PolicyServer, tmp_path: Path) -> Iterator[Cluster]:
    with policy_server.cluster(tmp_path) as cluster:
        yield cluster


def asked(cluster: Cluster, history: HistoryWriter, enough: int, *, rate: float = 50) -> list[Entry]:
    """Run a canary until it has asked `enough` questions; return its entries."""
    probe = admission_canary(cluster, history, rate=rate, questions=QUESTIONS)
    probe.start()
    for _ in Deadline.after(20, "questions").attempts(0.01, 0.05):
        if sum(entry.kind == "invoke" for entry in read(history.path).entries) >= enough:
            break
    probe.stop()
    return list(read(history.path).entries)


def test_every_question_has_one_number_and_one_answer(cluster: Cluster, history: HistoryWriter) -> None:
    """Numbers are consecutive, questions come in turn, and the answer repeats the number: none is lost or doubled."""
    entries = asked(cluster, history, 50)
    invoked = sorted((entry for entry in entries if entry.kind == "invoke"), key=lambda entry: entry.value["seq"])
    answered = sorted(entry.value["seq"] for entry in entries if entry.kind != "invoke")
    assert [entry.value["seq"] for entry in invoked] == answered == list(range(len(invoked)))
    for entry in invoked:
        question = QUESTIONS[entry.value["seq"] % len(QUESTIONS)]
        assert (entry.f, entry.value["policy"], entry.value["dry_run"]) == (
            question.f,
            question.policy,
            question.dry_run,
        )
        assert entry.value["round"] == entry.value["seq"] // len(QUESTIONS)
    assert {entry.kind for entry in entries} >= {"invoke", "ok"}
    assert {entry.value["outcome"] for entry in entries if entry.kind == "ok"} == {
        "denied by webhook",
        "mutated",
        "admitted",
    }


def test_a_process_asks_one_question_at_a_time(cluster: Cluster, history: HistoryWriter) -> None:
    """The entries of one process alternate: a question, its answer."""
    entries = asked(cluster, history, 50)
    for process in {entry.process for entry in entries}:
        mine = [entry for entry in entries if entry.process == process]
        for question, answer in zip(mine[::2], mine[1::2], strict=True):
            assert question.kind == "invoke"
            assert question.value["seq"] == answer.value["seq"]


def test_slow_answers_delay_no_question(cluster: Cluster, policy_server: PolicyServer, history: HistoryWriter) -> None:
    """While not one question is answered, the next ones are asked."""
    release = threading.Event()

    def silent(_path: str, _item: Any) -> None:
        release.wait(30)

    policy_server.answers = silent
    probe = admission_canary(cluster, history, rate=50, questions=QUESTIONS)
    probe.start()
    entries: list[Entry] = []
    for _ in Deadline.after(30, "questions").attempts(0.01, 0.05):
        entries = list(read(history.path).entries)
        if len(entries) >= 20:
            break
    release.set()
    probe.stop()
    assert {entry.kind for entry in entries[:20]} == {"invoke"}


def test_real_objects_are_deleted(cluster: Cluster, policy_server: PolicyServer, history: HistoryWriter) -> None:
    """What was really created is deleted again as soon as it is there, each once, and nothing else is."""
    asked(cluster, history, 50)
    assert policy_server.created[:5]
    assert set(policy_server.created[:5]) <= set(policy_server.deleted) <= set(policy_server.created)
    assert len(set(policy_server.deleted)) == len(policy_server.deleted)


def test_what_could_not_be_deleted_is_deleted_later(
    cluster: Cluster, policy_server: PolicyServer, history: HistoryWriter
) -> None:
    """A delete that fails is tried again behind later questions, a few at a time."""
    policy_server.deletes = False
    probe = admission_canary(cluster, history, rate=50, questions=QUESTIONS)
    probe.start()
    for _ in Deadline.after(20, "creates").attempts(0.01, 0.05):
        if len(policy_server.created) > 5:
            break
    policy_server.deletes = True
    for _ in Deadline.after(20, "deletes").attempts(0.01, 0.05):
        if set(policy_server.created[:5]) <= set(policy_server.deleted):
            break
    probe.stop()
    assert set(policy_server.created[:5]) <= set(policy_server.deleted)


def test_settles_when_what_was_asked_is_answered(
    cluster: Cluster, policy_server: PolicyServer, history: HistoryWriter
) -> None:
    """Settling waits for the answers to all earlier questions, and tells when they do not come."""
    release = threading.Event()

    def silent(_path: str, _item: Any) -> None:
        release.wait(30)

    policy_server.answers = silent
    probe = admission_canary(cluster, history, rate=20, questions=QUESTIONS)
    probe.start()
    for _ in Deadline.after(30, "a question").attempts(0.01, 0.05):
        if any(True for _ in read(history.path).entries):
            break
    with pytest.raises(ProbeBroken, match="questions without an answer"):
        probe.settle(Deadline.after(0.5, "answers"))
    asked_before = sum(entry.kind == "invoke" for entry in read(history.path).entries)
    threading.Timer(0.2, release.set).start()
    probe.settle(Deadline.after(30, "answers"))
    answered = {entry.value["seq"] for entry in read(history.path).entries if entry.kind != "invoke"}
    assert set(range(asked_before)) <= answered
    probe.stop()


def test_each_question_has_an_id_of_its_own(
    cluster: Cluster, history: HistoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent along, so that the API server logs the question under it, and stands beside the number."""
    sent: list[str] = []

    def send(*args: Any, audit_id: str = "", **rest: Any) -> Any:
        sent.append(audit_id)
        return request(*args, audit_id=audit_id, **rest)

    monkeypatch.setattr("chaos_harness.harness.probes.answers.request", send)
    entries = asked(cluster, history, 20)
    ids = [entry.value["audit_id"] for entry in entries if entry.kind == "invoke"]
    assert len(set(ids)) == len(ids)
    assert all(str(UUID(audit_id)) == audit_id for audit_id in ids)
    assert sorted(sent) == sorted(ids)
