"""Draft: what a user's cluster is like becomes an incident file that can be read, without its secrets."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.draft import draft
from chaos_harness.harness.incident.judge import judge
from chaos_harness.harness.incident.load import load
from tests.fakes.replica_histories import ReplicaHistory, killed_and_back, killed_for_good
from tests.gatekeeper_names import CONTROLLER

_NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def _deployment(name: str, tag: str = "v3.20.1", **labels: str) -> dict[str, Any]:
    container = {
        "image": f"openpolicyagent/gatekeeper:{tag}",
        "imagePullPolicy": "Always",
        "args": ["--port=8443", "--token=planted0123"],
        "resources": {"limits": {"memory": "512Mi"}},
    }
    metadata = {"name": name, "labels": labels}
    return {"metadata": metadata, "spec": {"replicas": 3, "template": {"spec": {"containers": [container]}}}}


def _event(message: str, at: str, namespace: str = "gatekeeper-system") -> dict[str, Any]:
    about = {"kind": "Pod", "name": "a", "namespace": namespace}
    return {"reason": "Failed", "message": message, "lastTimestamp": at, "involvedObject": about}


_CONSTRAINT = {
    "metadata": {
        "name": "c",
        "uid": "1",
        "resourceVersion": "7",
        "managedFields": [],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    },
    "spec": {"match": {}},
    "status": {"byPod": []},
}


_TEMPLATE = {
    "metadata": {"name": "k"},
    "spec": {"crd": {"spec": {"names": {"kind": "K"}}}, "targets": []},
}


class _Cluster:
    """A cluster that answers what is in `answers`, as a user who may see only that would be answered."""

    def __init__(self, **changes: Any) -> None:
        apps = "/apis/apps/v1/namespaces/gatekeeper-system/deployments"
        admission = "/apis/admissionregistration.k8s.io/v1"
        version, templates = "constraints.gatekeeper.sh/v1beta1", "templates.gatekeeper.sh/v1"
        webhook = {"name": "validation.gatekeeper.sh", "failurePolicy": "Fail", "timeoutSeconds": 3}
        self.answers: dict[str, Any] = {
            apps: [_deployment("gatekeeper-controller-manager"), _deployment("gatekeeper-audit")],
            "/version": {"gitVersion": "v1.30.9"},
            "/api/v1/nodes": [
                {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}},
                *({"metadata": {}} for _ in range(5)),
            ],
            f"{admission}/validatingwebhookconfigurations": [{"webhooks": [webhook, {"name": "other.example"}]}],
            "/api/v1/events": [
                _event("Back-off pulling image, Bearer planted0123456789", "2026-11-24T11:59:00Z"),
                _event("too old", "2026-11-24T10:00:00Z"),
                _event("not ours", "2026-11-24T11:59:00Z", "default"),
                _event('failed calling admission webhook "x"', "2026-11-24T11:30:00Z", "default"),
            ],
            "/apis/templates.gatekeeper.sh": {"preferredVersion": {"groupVersion": templates}},
            f"/apis/{templates}": {
                "resources": [{"name": "constrainttemplates", "kind": "ConstraintTemplate", "verbs": ["list"]}]
            },
            f"/apis/{templates}/constrainttemplates": [_TEMPLATE],
            "/apis/constraints.gatekeeper.sh": {"preferredVersion": {"groupVersion": version}},
            f"/apis/{version}": {
                "resources": [
                    {"name": "ks", "kind": "K", "verbs": ["list"]},
                    {"name": "ks/status", "kind": "K", "verbs": ["get"]},
                ]
            },
            f"/apis/{version}/ks": [_CONSTRAINT],
            **changes,
        }

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        return self.answers.get(path)

    def items(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        return self.answers.get(path, [])


def _draft(**changes: Any) -> str:
    return draft(_Cluster(**changes), _NOW)  # type: ignore[arg-type]


def test_a_draft_can_be_read(tmp_path: Path) -> None:
    """The draft is an incident with the cluster's versions as far as there are recipes, and its policies, bare."""
    path = tmp_path / "a.yaml"
    path.write_text(_draft(), encoding="utf-8")
    loaded = load(path)

    assert (loaded.shape.gatekeeper, loaded.shape.install, loaded.shape.workers) == ("v3.20.1", "manifest", 3)
    assert "kubernetes" not in loaded.incident.shape.model_fields_set
    (template,), (constraint,) = loaded.policies
    assert template["metadata"] == {"name": "k"}
    assert constraint == {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": "K",
        "metadata": {"name": "c"},
        "spec": {"match": {}},
    }


@pytest.mark.parametrize(("history", "outcome"), [(killed_and_back, "holds"), (killed_for_good, "violated")])
def test_a_draft_can_be_decided(tmp_path: Path, history: Callable[..., ReplicaHistory], outcome: str) -> None:
    """Its own claim is decided by what its own step does, with nothing else in effect."""
    (tmp_path / "a.yaml").write_text(_draft(), encoding="utf-8")
    loaded = load(tmp_path / "a.yaml")
    quiet = ReplicaHistory().watched(0, 95)
    recorded = (history(30, history=quiet) if outcome == "holds" else history(quiet)).recorded()
    (judged,) = judge(loaded.incident, loaded.shape, recorded)

    assert [step.fault for step in loaded.incident.faults] == ["kill_containers"]
    assert judged.outcome == outcome


def test_what_is_told() -> None:
    """Versions without a recipe, webhooks, arguments and what failed in the last hour stand in the comments."""
    text = _draft()

    assert f"# Kubernetes v1.30.9 (there is no recipe for it; there are {known_versions.KUBERNETES[0]}" in text
    assert "# Gatekeeper v3.20.1, installed by its manifest" in text
    assert "# 6 nodes, 5 of them workers" in text
    assert (
        '# gatekeeper-audit: 3 replicas, imagePullPolicy Always, limits {"memory": "512Mi"}, args --port=8443' in text
    )
    assert "# webhook validation.gatekeeper.sh: failurePolicy Fail, timeoutSeconds 3, 0 matchConditions" in text
    assert "other.example" not in text
    assert "# event Failed Pod/a: Back-off pulling image" in text
    assert "failed calling admission webhook" in text
    assert "too old" not in text
    assert "not ours" not in text


def test_no_secret_is_told() -> None:
    """What looks like a token, wherever the cluster said it, is not in the draft."""
    assert "planted" not in _draft()


def test_a_chart() -> None:
    """A Deployment that Helm manages was installed by a chart."""
    labels = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "gatekeeper-3.20.1"}
    deployments = [_deployment("gatekeeper-controller-manager", **labels)]
    text = _draft(**{"/apis/apps/v1/namespaces/gatekeeper-system/deployments": deployments})

    assert "installed by the chart gatekeeper-3.20.1" in text
    assert "install: chart" in text


def test_quiet() -> None:
    """That nothing failed is said."""
    assert "# no event of the last hour says that something of Gatekeeper failed" in _draft(**{"/api/v1/events": []})


@pytest.mark.parametrize("hidden", ["\x1b]52;c;cm0=\x07", "a\0b", "\u202egpj", "\u2028", "\udc80", "a\r\x85b"])
def test_signs_that_nobody_sees(tmp_path: Path, hidden: str) -> None:
    """Whatever the cluster's objects and events have in them, the draft is text that can be shown, and can be read."""
    constraint = {"metadata": {"name": "c", "labels": {"a": hidden}}, "spec": {hidden: [hidden]}}
    event = _event(f"admission webhook {hidden}", "2026-11-24T11:59:00Z")
    text = _draft(**{"/apis/constraints.gatekeeper.sh/v1beta1/ks": [constraint], "/api/v1/events": [event]})

    assert escape_controls(text, lines=True) == text
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    kept = load(path).policies
    assert len(kept) == 1 if hidden == "\udc80" else kept[1][0]["spec"] == {hidden: [hidden]}


@pytest.mark.parametrize(
    "constraint",
    [
        {"metadata": {"name": "../../nodes/n"}, "spec": {}},
        {"metadata": {"name": "c"}, "spec": {"a": 10**400}},
        {"metadata": {"name": "c"}, "spec": {"a": float("nan")}},
        {"metadata": {"name": "c"}, "spec": json.loads('{"a":' * 40 + "1" + "}" * 40)},
        {"metadata": {"name": "c"}, "spec": {"a": "x" * 300_000}},
        {"metadata": {"name": "c"}, "spec": {"a": list(range(20_000))}},
        {"metadata": {"name": "c"}, "spec": {"secret": {"kind": "Secret", "data": {"a": "b"}}}},
    ],
)
def test_what_no_incident_can_hold(tmp_path: Path, constraint: dict[str, Any]) -> None:
    """A policy with which the draft could not be read is left out, and told; the others are there."""
    path = tmp_path / "a.yaml"
    path.write_text(_draft(**{"/apis/constraints.gatekeeper.sh/v1beta1/ks": [constraint, _CONSTRAINT]}))

    assert [objects[0]["metadata"]["name"] for objects in load(path).policies] == ["k", "c"]
    assert f"# left out, because no incident can hold it: K {constraint['metadata']['name']}\n" in path.read_text()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"/apis/templates.gatekeeper.sh/v1/constrainttemplates": []},
            "no ConstraintTemplate of its kind is here: K c",
        ),
        (
            {"/apis/templates.gatekeeper.sh/v1/constrainttemplates": [{**_TEMPLATE, "spec": {"a": "x" * 300_000}}]},
            "no ConstraintTemplate of its kind is here: K c",
        ),
        (
            {"/apis/constraints.gatekeeper.sh/v1beta1/ks": [{"metadata": {"name": "c", "namespace": "their-own"}}]},
            "no cluster of the harness has its namespace their-own: K c",
        ),
    ],
)
def test_what_the_drafts_cluster_does_not_take(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    """A constraint without its template, and an object in another namespace, are left out, and told."""
    path = tmp_path / "a.yaml"
    path.write_text(_draft(**changes), encoding="utf-8")

    assert "K" not in [objects[0]["kind"] for objects in load(path).policies]
    assert f"# left out, because {why}\n" in path.read_text(encoding="utf-8")


def test_many_policies(tmp_path: Path) -> None:
    """Of more policies than a file holds, those that fit are there."""
    many = [{"metadata": {"name": f"c{number}"}, "spec": {"a": "x" * 3000}} for number in range(150)]
    path = tmp_path / "a.yaml"
    path.write_text(_draft(**{"/apis/constraints.gatekeeper.sh/v1beta1/ks": many}))
    assert 20 < len(load(path).policies) < 100


def test_what_redaction_breaks_is_redacted_by_its_structure(tmp_path: Path) -> None:
    """A text from which the redactor takes a quote can be read all the same, and the secret is not in it."""
    constraint = {"metadata": {"name": "c"}, "spec": {"a": "no: password: planted0123", "password": "planted4567"}}
    path = tmp_path / "a.yaml"
    path.write_text(_draft(**{"/apis/constraints.gatekeeper.sh/v1beta1/ks": [constraint]}))

    assert load(path).policies
    assert "planted" not in path.read_text()


@pytest.mark.parametrize(
    "changes",
    [
        {"/version": [1]},
        {"/api/v1/nodes": [{}]},
        {"/apis/constraints.gatekeeper.sh": {"preferredVersion": None}},
        {"/apis/constraints.gatekeeper.sh/v1beta1": {"resources": ["a"]}},
        {"/apis/apps/v1/namespaces/gatekeeper-system/deployments": [{"metadata": {"name": []}}]},
        {"/apis/apps/v1/namespaces/gatekeeper-system/deployments": [{"metadata": {"name": CONTROLLER}}]},
    ],
)
def test_no_kubernetes(changes: dict[str, Any]) -> None:
    """What answers otherwise than an API server does is one error, with what to type."""
    with pytest.raises(BadScenario, match="expected objects of Kubernetes, found something else") as error:
        _draft(**changes)
    assert "`kubectl version`" in str(error.value)


def test_no_gatekeeper() -> None:
    """A cluster without Gatekeeper, or one whose user may not see it, is refused."""
    with pytest.raises(BadScenario, match="found none that this user may see"):
        _draft(**{"/apis/apps/v1/namespaces/gatekeeper-system/deployments": []})
