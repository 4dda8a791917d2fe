"""Admission: the canary asks in turn, at its rate, numbers what it asks, and deletes what it created."""

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import list_objects, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ProbeBroken
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.policies import PODS, deny_pods, mutate_pods, pod
from chaos_harness.harness.probes import admission
from chaos_harness.harness.probes.admission import FORBIDDEN, admission_canary
from chaos_harness.harness.probes.answers import ask
from tests.live_api.server import ApiServer
from tests.live_api.webhook import Webhook, denial, mutation

QUESTIONS = (FORBIDDEN, *mutate_pods().questions, *deny_pods().questions)


def decide(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Deny what violates, and the namespace that is forbidden."""
    labels = request["object"]["metadata"].get("labels") or {}
    if request["kind"]["kind"] == "Namespace" or "chaos-harness/violates" in labels:
        return denial("[chaos-rego] no, as check-ignore-label.gatekeeper.sh says")
    return {"allowed": True}


@pytest.fixture
def enforcing(api: ApiClient, webhook: Webhook) -> Webhook:
    """Give the webhook that enforces what the questions ask for, when the API server asks it."""
    webhook.decide, webhook.mutate = decide, mutation
    webhook.configure(api)
    webhook.configure(api, "Mutating")
    wait_for(lambda: all(ask(api, question, "x", dry_run=True).kind == "ok" for question in QUESTIONS))
    return webhook


def wait_for(what: Callable[[], bool]) -> None:
    for _ in Deadline.after(60, "the canary").attempts(0.01, 0.05):
        if what():
            return
    pytest.fail("it did not come in a minute")


def invoked(history: HistoryWriter) -> int:
    return sum(entry.kind == "invoke" for entry in read(history.path).entries)


def asked(cluster: Cluster, history: HistoryWriter, enough: int, *, rate: float = 50) -> list[Entry]:
    """Run a canary until it has asked `enough` questions; return its entries."""
    probe = admission_canary(cluster, history, rate=rate, questions=QUESTIONS)
    probe.start()
    try:
        wait_for(lambda: invoked(history) >= enough)
    finally:
        probe.stop()
    return list(read(history.path).entries)


def pods(api: ApiClient) -> set[str]:
    return {pod["metadata"]["name"] for pod in list_objects(api, PODS, "items")}


@pytest.mark.usefixtures("enforcing")
def test_every_question_has_one_number_and_one_answer(cluster: Cluster, history: HistoryWriter) -> None:
    """Numbers are consecutive, questions come in turn, and the answer repeats the number: none is lost or doubled."""
    entries = asked(cluster, history, 50)
    questions = sorted((entry for entry in entries if entry.kind == "invoke"), key=lambda entry: entry.value["seq"])
    answered = sorted(entry.value["seq"] for entry in entries if entry.kind != "invoke")
    assert [entry.value["seq"] for entry in questions] == answered == list(range(len(questions)))
    for entry in questions:
        question = QUESTIONS[entry.value["seq"] % len(QUESTIONS)]
        assert (entry.f, entry.value["policy"]) == (question.f, question.policy)
        assert entry.value["dry_run"] == question.dry_run
        assert entry.value["round"] == entry.value["seq"] // len(QUESTIONS)
    assert {entry.kind for entry in entries} == {"invoke", "ok"}
    assert {entry.value["outcome"] for entry in entries if entry.kind == "ok"} == {
        "denied by webhook",
        "mutated",
        "admitted",
    }


@pytest.mark.usefixtures("enforcing")
def test_a_process_asks_one_question_at_a_time(cluster: Cluster, history: HistoryWriter) -> None:
    """The entries of one process alternate: a question, its answer."""
    entries = asked(cluster, history, 50)
    for process in {entry.process for entry in entries}:
        mine = [entry for entry in entries if entry.process == process]
        for question, answer in zip(mine[::2], mine[1::2], strict=True):
            assert question.kind == "invoke"
            assert question.value["seq"] == answer.value["seq"]


def test_slow_answers_delay_no_question(cluster: Cluster, server: ApiServer, history: HistoryWriter) -> None:
    """While not one question is answered, the next ones are asked."""
    server.freeze()
    probe = admission_canary(cluster, history, rate=50, questions=QUESTIONS)
    probe.start()
    wait_for(lambda: invoked(history) >= 20)
    answered = {entry.kind for entry in read(history.path).entries} & {"ok", "fail"}
    server.thaw()
    probe.stop()
    assert not answered


def test_more_open_questions_than_time_outs_allow_pause_the_asking(
    cluster: Cluster, server: ApiServer, history: HistoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe does not die of it, and asks again as soon as there are answers."""
    monkeypatch.setattr(admission, "TIMEOUT", (0.0, 0.0))
    monkeypatch.setattr(admission, "_DELETE_TIMEOUT", (0.0, 0.0))
    most = admission._FEW
    server.freeze()
    probe = admission_canary(cluster, history, rate=200, questions=QUESTIONS)
    probe.start()
    wait_for(lambda: invoked(history) == most)
    for _ in Deadline.after(0.2, "what must not come").attempts():
        assert invoked(history) == most
    server.thaw()
    wait_for(lambda: invoked(history) > most)
    probe.stop()


@pytest.mark.usefixtures("enforcing")
def test_real_objects_are_deleted(cluster: Cluster, api: ApiClient, history: HistoryWriter) -> None:
    """What was really created is deleted again as soon as it is there, and nothing else is."""
    request(api, "POST", PODS, body={**pod(), "metadata": {"name": "another"}})
    entries = asked(cluster, history, 50)
    answers = [entry.value for entry in entries if entry.kind != "invoke"]
    assert any(answer["outcome"] == "mutated" and not answer["dry_run"] for answer in answers)
    assert pods(api) == {"another"}


def test_what_could_not_be_deleted_is_deleted_later(
    cluster: Cluster, api: ApiClient, enforcing: Webhook, history: HistoryWriter
) -> None:
    """A delete that fails is tried again behind later questions, a few at a time."""
    enforcing.decide = lambda review: denial("not now") if review["operation"] == "DELETE" else decide(review)
    enforcing.configure(api, operations=("CREATE", "DELETE"))
    probe = admission_canary(cluster, history, rate=50, questions=QUESTIONS)
    probe.start()
    try:
        wait_for(lambda: len(pods(api)) > 5)
        kept = pods(api)
        enforcing.decide = lambda review: {"allowed": True} if review["operation"] == "DELETE" else decide(review)
        wait_for(lambda: not kept & pods(api))
    finally:
        probe.stop()


def test_settles_when_what_was_asked_is_answered(cluster: Cluster, server: ApiServer, history: HistoryWriter) -> None:
    """Settling waits for the answers to all earlier questions, and tells when they do not come."""
    server.freeze()
    probe = admission_canary(cluster, history, rate=20, questions=QUESTIONS)
    probe.start()
    wait_for(lambda: invoked(history) > 0)
    with pytest.raises(ProbeBroken, match="questions without an answer"):
        probe.settle(Deadline.after(0.5, "answers"))
    asked_before = invoked(history)
    threading.Timer(0.2, server.thaw).start()
    probe.settle(Deadline.after(30, "answers"))
    answered = {entry.value["seq"] for entry in read(history.path).entries if entry.kind != "invoke"}
    assert set(range(asked_before)) <= answered
    probe.stop()


@pytest.mark.usefixtures("enforcing")
def test_each_question_is_found_in_the_audit_log(cluster: Cluster, server: ApiServer, history: HistoryWriter) -> None:
    """It has an id of its own, which is sent along and stands beside the number; without an answer it may be lost."""
    entries = asked(cluster, history, 20)
    answered = {entry.value["seq"] for entry in entries if entry.kind in {"ok", "fail"}}
    asked_for = {entry.value["seq"]: entry.value["audit_id"] for entry in entries if entry.kind == "invoke"}
    assert len(set(asked_for.values())) == len(asked_for)
    ids = {asked_for[seq] for seq in answered}
    assert ids

    def logged() -> set[str]:
        events = [json.loads(line) for line in server.audit_log.read_text(encoding="utf-8").splitlines()]
        return {event["auditID"] for event in events if event["verb"] == "create"}

    wait_for(lambda: ids <= logged())
