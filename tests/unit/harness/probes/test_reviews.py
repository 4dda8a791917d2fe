"""Reviews: each webhook pod is asked what the policies say, as the API server would, and told apart from the others."""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.policies import (
    CANARIES,
    AsUser,
    Question,
    WantedParts,
    deny_pods,
    deny_pods_by_cel,
    mutate_pods,
    mutate_templates,
)
from chaos_harness.harness.probes.admission import FORBIDDEN
from chaos_harness.harness.probes.replicas import ask_replicas
from chaos_harness.harness.probes.reviews import LABEL, reviews
from tests.fakes.policy_server import PolicyServer

POLICIES = (mutate_pods(), mutate_templates(), deny_pods(), deny_pods_by_cel())
QUESTIONS = (FORBIDDEN, *(question for policy in POLICIES for question in policy.questions))


@pytest.fixture
def policy_server() -> PolicyServer:
    policy_server = PolicyServer()
    policy_server.objects = {
        name: {"metadata": {"name": name}} for name in ("chaos-pods", "chaos-templates", "chaos-rego")
    }
    return policy_server


@pytest.fixture
def cluster(policy_server: PolicyServer, tmp_path: Path) -> Iterator[Cluster]:
    with policy_server.cluster(tmp_path) as cluster:
        yield cluster


def asked(cluster: Cluster, history: HistoryWriter, rounds: int) -> list[Entry]:
    """Run the probe for some rounds; return what it wrote."""
    probe = ask_replicas(cluster, history, every=0.02, questions=(*mutate_pods().questions, *deny_pods().questions))
    probe.start()
    for _ in Deadline.after(60, "rounds").attempts(0.01, 0.05):
        if sum(entry.f == "review" and entry.kind != "invoke" for entry in read(history.path).entries) >= 2 * rounds:
            break
    probe.stop()
    return list(read(history.path).entries)


def test_one_review_for_each_policy_that_webhook_pods_answer_for() -> None:
    """What the API server decides by itself is nothing that a webhook pod could be asked; the label is asked always."""
    assert [(review.f, review.path, review.wanted) for review in reviews(QUESTIONS)] == [
        ("review mutate pods", "/v1/mutate", "mutated"),
        ("review mutate templates", "/v1/mutate", "mutated"),
        ("review deny by rego", "/v1/admit", "denied"),
        ("review admit compliant pods", "/v1/admit", "allowed"),
        ("review deny by cel (webhook)", "/v1/admit", "denied"),
    ]
    assert (LABEL.f, LABEL.value, LABEL.path, LABEL.wanted) == ("review", {}, "/v1/admitlabel", "denied")


def test_a_review_is_what_the_api_server_sends() -> None:
    """It says who creates what, and where, in the form of admission.k8s.io/v1."""
    pod, deployment = (review.body["request"] for review in reviews(QUESTIONS)[:2])
    assert pod["kind"] == pod["requestKind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert deployment["resource"] == {"group": "apps", "version": "v1", "resource": "deployments"}
    for request in (pod, deployment):
        assert (request["operation"], request["namespace"], request["dryRun"]) == ("CREATE", "chaos-canary", True)
        assert request["object"]["metadata"]["name"] == request["name"]
        assert request["object"]["metadata"]["namespace"] == "chaos-canary"
        assert request["userInfo"]["username"]
    assert pod["object"]["kind"] == "Pod"


def _of(question: Question) -> dict[str, Any]:
    ((review,),) = (reviews([question]),)
    request: dict[str, Any] = review.body["request"]
    return request


def test_who_asks_for_what() -> None:
    """An update has both objects, a delete only the old one; the user is the one in whose name it is asked."""
    path = f"/api/v1/namespaces/{CANARIES}/configmaps"
    before = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "1", "b": "2"}}
    after = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": None, "c": "3"}}
    asker = AsUser("jane", ("developers",))
    question = Question("f", "p", "denied", path, after, verb="update", before=before, asker=asker)
    request = _of(question)
    assert (request["operation"], request["oldObject"]["data"]) == ("UPDATE", {"a": "1", "b": "2"})
    assert request["object"]["data"] == {"b": "2", "c": "3"}
    assert request["userInfo"] == {"username": "jane", "groups": ["developers", "system:authenticated"]}
    request = _of(replace(question, verb="delete", body=before, before=None))
    assert (request["operation"], request["object"], request["oldObject"]["data"]) == ("DELETE", None, before["data"])


def test_what_has_no_namespace() -> None:
    """An object of the cluster is reviewed without one; the label is asked about in any case."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
    request = _of(Question("f", "p", "denied", "/api/v1/namespaces", body))
    assert "namespace" not in request
    assert request["object"] == body


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        ([{"op": "add", "path": "/metadata/labels", "value": {"owner": "me"}}], "mutated"),
        ([{"op": "add", "path": "/metadata/labels", "value": {"owner": "you"}}], "allowed"),
        ([{"op": "add", "path": "/metadata/annotations", "value": {"owner": "me"}}], "allowed"),
        ([], "allowed"),
    ],
)
def test_a_patch_is_judged_by_what_it_makes(operations: list[dict[str, Any]], said: str) -> None:
    """It must give the object the wanted value at the wanted path; another mutator's patch is none of ours."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    path, parts = f"/api/v1/namespaces/{CANARIES}/configmaps", WantedParts({"metadata.labels.owner": "me"})
    (review,) = reviews([Question("f", "p", "mutated", path, body, parts=parts)])
    patch = b64encode(json.dumps(operations).encode()).decode()
    assert review.said({"allowed": True, "patch": patch}) == said


def test_each_round_asks_for_the_label_and_one_more(cluster: Cluster, history: HistoryWriter) -> None:
    """Questions come in turn, one at a time, to each replica; the answers name pod, uid, question and round."""
    entries = asked(cluster, history, 6)
    for pod in ("a", "b"):
        mine = [entry for entry in entries if entry.process == f"replica {pod}"]
        turn = [
            "review",
            "review mutate pods",
            "review",
            "review deny by rego",
            "review",
            "review admit compliant pods",
        ]
        assert [entry.f for entry in mine[::2]][:6] == turn
        assert [entry.f for entry in mine[1::2]][:6] == turn
        assert {entry.kind for entry in mine} == {"invoke", "ok"}
        assert mine[2].value == {"pod": pod, "uid": pod, "round": 0, "question": "mutate pods"}
        assert [entry.value["round"] for entry in mine[:12]] == [0] * 4 + [1] * 4 + [2] * 4
        assert [entry.value["said"] for entry in mine[1:12:2]] == [
            "denied",
            "mutated",
            "denied",
            "denied",
            "denied",
            "allowed",
        ]


def test_a_replica_without_its_policies_is_told_apart(
    cluster: Cluster, policy_server: PolicyServer, history: HistoryWriter
) -> None:
    """One that denies the label and neither mutates nor denies what violates a policy fails, and only it does."""
    policy_server.lax = {"b"}
    failed = [entry for entry in asked(cluster, history, 6) if entry.kind == "fail"]
    assert {(entry.process, entry.f, entry.value["said"]) for entry in failed} == {
        ("replica b", "review mutate pods", "allowed"),
        ("replica b", "review deny by rego", "allowed"),
    }
