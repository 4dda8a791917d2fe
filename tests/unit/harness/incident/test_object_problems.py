"""Object problems: a kind, a namespace or a template that surely nobody brings is told before there is a cluster."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.shrink.parts import remove_parts, structure
from tests.fakes.users import adopted

_KILL = {"fault": "kill_containers", "at": 1, "with": {"selector": "a=b"}}
_RECOVERS = {"check": "recovers_after", "with": {"seconds": 60, "how": "killed", "fault": "kill containers"}}
_TEMPLATE = {
    "apiVersion": "templates.gatekeeper.sh/v1",
    "kind": "ConstraintTemplate",
    "metadata": {"name": "teamowners"},
    "spec": {"crd": {"spec": {"names": {"kind": "TeamOwners"}}}, "targets": []},
}
_CONSTRAINT = {"apiVersion": "constraints.gatekeeper.sh/v1beta1", "kind": "TeamOwners", "metadata": {"name": "a"}}
_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {"names": {"kind": "Widget"}},
}
_WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
_SHOP = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "shop"}}
_OWN_SERVICE = {
    "apiVersion": "serving.example.com/v1",
    "kind": "Service",
    "metadata": {"name": "s", "namespace": "default"},
}
_OWN_KIND = {
    **_DEFINITION,
    "metadata": {"name": "services.serving.example.com"},
    "spec": {"names": {"kind": "Service"}},
}
_UNMET: list[dict[str, Any]] = [_CONSTRAINT, _WIDGET, _MAP]


def _load(folder: Path, on: Any = None, **changes: Any) -> LoadedIncident:
    given = {"schema": 1, "title": "A title", "faults": [_KILL], "claims": [_RECOVERS], **changes}
    path = folder / "a.yaml"
    path.write_text(json.dumps(given), encoding="utf-8")
    return load(path, on=on)


def _problems(folder: Path, **changes: Any) -> list[str]:
    with pytest.raises(BadScenario) as refused:
        _load(folder, **changes)
    return [problem.partition("a.yaml:")[2].partition(" ")[2] for problem in refused.value.problems]


def _policies(*objects: dict[str, Any], **asked: Any) -> dict[str, Any]:
    ask = {"ask": "q", "answer": "denied", **asked}
    items: list[dict[str, Any]] = [{"object": one} for one in objects]
    return {"policies": [*items[:-1], {**items[-1], **({"asks": [ask]} if asked else {})}]}


@pytest.mark.parametrize(
    "changes",
    [
        _policies(_TEMPLATE, _CONSTRAINT),
        _policies(_TEMPLATE, object=_CONSTRAINT),
        _policies(_TEMPLATE, object={**_CONSTRAINT, "metadata": {}}, verb="create", dry_run=False),
        {"policies": [{"policy": "deny_pods_by_cel"}, {"object": {**_CONSTRAINT, "kind": "ChaosDeniedByCel"}}]},
        _policies(_DEFINITION, _WIDGET),
        _policies(_OWN_KIND, _OWN_SERVICE),
        _policies(_DEFINITION, object=_WIDGET),
        _policies(_SHOP, _MAP),
        _policies(_SHOP, object=_MAP),
        {**_policies(_TEMPLATE, object=_MAP), "setup": [{"object": _SHOP}]},
        _policies(_TEMPLATE, object={**_MAP, "metadata": {}}, namespace="kube-system"),
        {"workload": [{"object": _SHOP}, {"object": _MAP}]},
        *(
            {"workload": [{"object": {**_MAP, "metadata": {"name": "m", "namespace": name}}}]}
            for name in ("default", "gatekeeper-system", "chaos-canary")
        ),
        {"faults": [_KILL, {"fault": "exhaust_quota", "at": 5, "with": {"namespace": "chaos-canary"}}]},
    ],
)
def test_what_somebody_brings(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Kinds and namespaces of every cluster, and what the file brings, wherever it does."""
    assert _load(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            _policies(_CONSTRAINT),
            "policies.0: TeamOwners a: no ConstraintTemplate of this file defines the kind; add it to `policies`",
        ),
        (
            _policies(_TEMPLATE, {**_CONSTRAINT, "kind": "TeamOwner"}),
            "policies.1: TeamOwner a: no ConstraintTemplate of this file defines the kind; did you mean TeamOwners?",
        ),
        (
            _policies(_TEMPLATE, object={**_CONSTRAINT, "kind": "Elsewhere"}),
            "policies.0.asks.0: Elsewhere: no ConstraintTemplate of this file defines the kind",
        ),
        (_policies(_CONSTRAINT, _TEMPLATE), "policies.0: TeamOwners a comes before the ConstraintTemplate of its kind"),
        (
            _policies(_WIDGET),
            "policies.0: Widget w: no cluster has the kind, and no object here defines it; see `kubectl",
        ),
        (
            _policies(_TEMPLATE, object={**_MAP, "kind": "ConfigMp", "metadata": {}}),
            "policies.0.asks.0: ConfigMp: no cluster has the kind, and no object here defines it; did you mean Config",
        ),
        (
            _policies(_MAP),
            "policies.0: ConfigMap m: no cluster has the namespace 'shop', and this file brings none of that name",
        ),
        (
            _policies(_TEMPLATE, object=_MAP),
            "policies.0.asks.0: ConfigMap: no cluster has the namespace 'shop', and this file brings none of that name",
        ),
        (
            _policies(_TEMPLATE, object={**_MAP, "metadata": {}}, namespace="kube-sytem"),
            "policies.0.asks.0: ConfigMap: no cluster has the namespace 'kube-sytem', and this file brings none of",
        ),
        (
            {"workload": [{"object": _SHOP}, {"object": {**_MAP, "metadata": {"name": "m", "namespace": "shp"}}}]},
            "workload.1: ConfigMap m: no cluster has the namespace 'shp', and this file brings none of that name; did",
        ),
        (
            {**_policies(_CONSTRAINT), "setup": [{"object": _SHOP}, {"object": _DEFINITION}]},
            "policies.0: TeamOwners a: no ConstraintTemplate of this file",
        ),
        *(
            (
                {"workload": [{"object": {**_MAP, "apiVersion": version, "kind": kind, "metadata": {"name": "m"}}}]},
                f"workload.0: {kind} m: apiVersion '{version}' has no such kind; did you mean {meant}?",
            )
            for version, kind, meant in (
                ("v1", "Deployment", "apps/v1"),
                ("networking/v1", "NetworkPolicy", "networking.k8s.io/v1"),
                ("core/v1", "ConfigMap", "v1"),
                ("apps/v1", "Event", "v1 or events.k8s.io/v1"),
            )
        ),
        ({"setup": [{"object": _WIDGET}]}, "setup.0: Widget w: no cluster has the kind, and no object here defines it"),
        ({"setup": [{"object": _MAP}]}, "setup.0: ConfigMap m: no cluster has the namespace 'shop'"),
    ],
)
def test_what_nobody_brings(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """Each is one problem of the item, or of the question, with what was meant."""
    (said,) = _problems(tmp_path, **changes)
    assert said.startswith(problem)


def test_all_of_them_at_once(tmp_path: Path) -> None:
    """Each object of each item is told; files count as what stands here."""
    (tmp_path / "b.yaml").write_text(yaml.safe_dump_all([_CONSTRAINT, _MAP]), encoding="utf-8")
    said = _problems(tmp_path, policies=[{"object": _TEMPLATE}, {"file": "b.yaml"}], workload=[{"object": _WIDGET}])
    assert [words.partition(": no")[0] for words in said] == ["policies.1: ConfigMap m", "workload.0: Widget w"]


@pytest.mark.parametrize(
    "item",
    [
        {"chart": "operator"},
        {"object": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "o", "namespace": "default"}}},
        {"object": {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "o", "namespace": "theirs"}}},
        {"object": {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.a.b"}}},
    ],
)
def test_what_setup_may_bring(tmp_path: Path, item: dict[str, Any]) -> None:
    """A chart, a program and a server of kinds may bring kinds, templates and namespaces."""
    (tmp_path / "operator").mkdir()
    (tmp_path / "operator/Chart.yaml").write_text("apiVersion: v2\nname: operator\nversion: 1.0.0\n", encoding="utf-8")
    ask = {"asks": [{"ask": "q", "answer": "denied", "object": _WIDGET}]}
    policies = [{"object": _CONSTRAINT}, {"object": _MAP, **ask}]
    step = {"fault": "delete_object", "at": 5, "with": {"kind": "Widget", "name": "w", "namespace": "shop"}}
    loaded = _load(tmp_path, setup=[item], policies=policies, workload=[{"object": _WIDGET}], faults=[_KILL, step])
    assert loaded.more


def test_a_cluster_of_the_user(tmp_path: Path) -> None:
    """It may have whatever the file does not bring."""
    loaded = _load(tmp_path, on=adopted(), policies=[{"object": one} for one in _UNMET])
    assert loaded.more
    assert len(_problems(tmp_path, policies=[{"object": one} for one in _UNMET])) == 3


def test_a_manifest_of_the_user(tmp_path: Path) -> None:
    """What is applied in place of a release may bring templates; values of a chart bring none."""
    labels = {"gatekeeper.sh/operation": "webhook"}
    containers = [{"name": "manager", "image": "openpolicyagent/gatekeeper:v3.23.1"}]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "gatekeeper", "namespace": "gatekeeper-system"},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(deployment), encoding="utf-8")
    policies = [{"object": one} for one in _UNMET]
    assert _load(tmp_path, shape={"gatekeeper": {"version": "v3.23.1", "install": "own.yaml"}}, policies=policies).more
    shape = {"gatekeeper": {"version": "v3.23.1", "replicas": 2}}
    assert len(_problems(tmp_path, shape=shape, policies=policies)) == 3


def test_a_constraint_is_not_left_without_its_template(tmp_path: Path) -> None:
    """Whoever shrinks the incident leaves out both, or the constraint alone."""
    loaded = _load(tmp_path, policies=[{"object": _TEMPLATE}, {"object": _CONSTRAINT}])
    template, constraint = (part for part in structure(loaded) if part.piece == "policy")
    assert remove_parts(loaded, frozenset({template})) is None
    for parts in ({constraint}, {template, constraint}):
        assert remove_parts(loaded, frozenset(parts)) is not None


def _placed(webhooks: object, **shape: Any) -> dict[str, Any]:
    values = {"on": "$worker", "webhooks": webhooks, "audit": True}
    return {"preparations": [{"preparation": "place_gatekeeper", "with": values}], "shape": shape}


@pytest.mark.parametrize(
    "changes",
    [
        _placed(0),
        _placed(3),
        _placed(3, install="chart"),
        _placed(5, gatekeeper={"version": "v3.23.1", "replicas": 5}),
        _placed(1, gatekeeper={"version": "v3.23.1", "replicas": 1}),
        _placed(9, install="chart", gatekeeper={"version": "v3.23.1", "values": "values.yaml"}),
    ],
)
def test_webhook_pods_that_there_are(tmp_path: Path, changes: dict[str, Any]) -> None:
    """As many as the release has, or the shape says; files of the user's may say any number."""
    (tmp_path / "values.yaml").write_text("replicas: 9\n", encoding="utf-8")
    assert _load(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            _placed(4),
            "Gatekeeper has 3 webhook pods to place, found 4; say `gatekeeper: {version: v3.23.1, replicas: 4}`",
        ),
        (
            _placed(2, gatekeeper={"version": "v3.23.1", "replicas": 1}),
            "Gatekeeper has 1 webhook pod to place, found 2;",
        ),
        (_placed(11), "expected at most 10, found 11"),
        (_placed(True), "expected a whole number, found True"),
    ],
)
def test_webhook_pods_that_there_are_not(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """They are told with how many there are, and how to have more."""
    (said,) = _problems(tmp_path, **changes)
    assert said.startswith(f"preparations.0.with.webhooks: {words}")


def test_webhook_pods_of_a_cluster_of_the_user(tmp_path: Path) -> None:
    """How many it has is known when it is asked."""
    changes = {"preparations": _placed(4)["preparations"]}
    with pytest.raises(BadScenario) as refused:
        _load(tmp_path, on=adopted(), **changes)
    assert not any("webhook pod" in problem for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("changes", "place", "meant"),
    [
        ({"faults": [{**_KILL, "with_": {}}]}, "faults.0.with_", "with"),
        ({"claims": [{**_RECOVERS, "with_": {}}]}, "claims.0.with_", "with"),
        ({"preparations": [{"preparation": "fail_closed", "with_": {}}]}, "preparations.0.with_", "with"),
        ({"probes": [{"probe": "ask_replicas", "with_": {}}]}, "probes.0.with_", "with"),
        ({"policies": [{"policy": "deny_pods", "with_": {}}]}, "policies.0.with_", "with"),
        (_policies(_TEMPLATE, object=_WIDGET, as_={"user": "u"}), "policies.0.asks.0.as_", "as"),
        ({"schema_": 1}, "schema_", "schema"),
    ],
)
def test_names_of_fields_in_python(tmp_path: Path, changes: dict[str, Any], place: str, meant: str) -> None:
    """A file has the names of the format alone, and is told which was meant."""
    (said,) = (problem for problem in _problems(tmp_path, **changes) if problem.startswith(place))
    assert said.startswith(f"{place}: no such field; did you mean {meant}? there are ")
