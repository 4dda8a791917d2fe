"""Step problems: what a step asks of a cluster that it cannot have is refused before there is one."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.shape import RECORDED, Shape
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.load import load

_KILL = {"fault": "kill_containers", "at": 1, "with": {"selector": "a=b"}}
_GOOD: dict[str, Any] = {
    "schema": 1,
    "title": "A title",
    "faults": [_KILL],
    "claims": [{"check": "recovers_after", "with": {"seconds": 60, "how": "killed", "fault": "kill containers"}}],
}
_CEL = {"policies": [{"policy": "deny_pods_by_cel"}]}
_EDIT = {"kind": "ChaosDeniedByCel", "name": "chaos-cel-vap", "patch": {"spec": {"a": 1}}}
_POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "chaos-a"}}


def _load(folder: Path, **changes: Any) -> None:
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(_GOOD | changes, sort_keys=False), encoding="utf-8")
    load(path)


def _step(fault: str, **values: Any) -> dict[str, Any]:
    """Return the change that adds a step to the one that the claim is about."""
    return {"faults": [_KILL, {"fault": fault, "at": 5, "with": values}]}


def _when(**when: Any) -> dict[str, Any]:
    return {"faults": [_KILL, {"fault": "delete_replicas", "when": when}]}


def _placed(**values: Any) -> dict[str, Any]:
    return {"preparations": [{"preparation": "place_gatekeeper", "with": {"webhooks": 1, "audit": True} | values}]}


@pytest.mark.parametrize(
    "changes",
    [
        _step("stop_node", node="$worker2"),
        _step("stop_node", node="$control-plane3") | {"shape": {"control_planes": 3}},
        _step("stop_node", node="$node(gatekeeper.sh/operation=audit)"),
        _step("restart_api_server", node="$control-plane"),
        _step("pause_etcd", node="$control-plane"),
        _step("stop_kubelet", node="$control-plane"),
        _step("stop_node", node=["$control-plane", "$worker", "$worker2"]),
        _step("edit_object", **_EDIT) | _CEL,
        _step("edit_object", kind="Deployment", name="a", namespace="gatekeeper-system", patch={"spec": {"a": 1}}),
        _step("edit_object", kind="ConfigMap", name="a", namespace="shop", patch={"data": {"a": "1"}})
        | {"workload": [{"object": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}}]},
        _when(kind="ChaosDeniedByCel", event="MODIFIED", name="chaos-cel-*") | _CEL,
        _when(kind="ConstraintTemplate") | _CEL,
        _placed(on="$worker2"),
    ],
)
def test_what_a_cluster_has(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Nodes of the shape, kinds of Kubernetes and Gatekeeper, and what the file itself brings are accepted."""
    _load(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (_step("stop_node", node="$worker9"), "faults.1.with.node: $worker9: the shape has 2 workers"),
        (_step("drain_node", node="$any-worker") | {"shape": {"workers": 0}}, "$any-worker: the shape has no worker"),
        (_step("restart_api_server", node="$control-plane2"), "$control-plane2: the shape has 1 control plane"),
        (
            _step("cut_registry", how="drop", nodes=["$worker", "$worker3"]),
            "faults.1.with.nodes.1: $worker3: the shape has 2 workers",
        ),
        (_step("kill_node", node="$control-plane"), "faults.1.with.node: it is the only control plane: no API server"),
        (_step("kill_node", node=["$control-plane"]), "faults.1.with.node: it is the only control plane: no API ser"),
        (_step("stop_node", node=["$worker", "$worker3"]), "faults.1.with.node.1: $worker3: the shape has 2 workers"),
        (_step("restart_api_server", node="$worker"), "no API server runs on $worker; say $control-plane"),
        (_step("pause_etcd", node="$any-worker"), "no etcd runs on $any-worker; say $control-plane"),
        (_placed(on="$worker") | {"shape": {"workers": 1}}, "preparations.0.preparation: place_gatekeeper needs two"),
        (_placed(on="$control-plane"), "preparations.0.with.on: place_gatekeeper places pods on a worker, found"),
        (_placed(on="$worker", webhooks=99), "preparations.0.with.webhooks: expected at most 10, found 99"),
        (
            _step("cut_registry") | {"shape": {"registry": False, "install": "chart"}},
            "faults.1: cut_registry needs a registry, and the shape has none: `registry: false`",
        ),
        (
            _step("edit_object", **_EDIT | {"kind": "ChaosDeniedBySel"}) | _CEL,
            "the kind 'ChaosDeniedBySel', and this file does not bring it; did you mean ChaosDeniedByCel?",
        ),
        (
            _step("edit_object", **_EDIT | {"name": "chaos-cel-vab"}) | _CEL,
            "faults.1.with.name: this file has no ChaosDeniedByCel 'chaos-cel-vab'; did you mean chaos-cel-vap? there",
        ),
        (
            _step("delete_object", kind="ConfigMp", name="a"),
            "faults.1.with.kind: no cluster has the kind 'ConfigMp', and this file does not bring it; did you mean",
        ),
        (_step("edit_object", **_EDIT), "no cluster has the kind 'ChaosDeniedByCel', and this file does not bring it;"),
        (_when(kind="Deploymnt"), "faults.1.when.kind: no cluster has the kind 'Deploymnt', and this file does not"),
        (
            _when(kind="ConstraintTemplate", name="chaosdeniedbysel") | _CEL,
            "this file has no ConstraintTemplate 'chaosdeniedbysel'; did you mean chaosdeniedbycel?",
        ),
        (
            _step("reschedule_pod", pod="a", namespace="gatekeeper-sytem"),
            "the namespace 'gatekeeper-sytem', and this file brings none of that name; did you mean gatekeeper-system?",
        ),
        (
            _CEL | {"watch": ["constraints ChaosDeniedByCell"]},
            "watch.0: no template of this file defines the kind 'ChaosDeniedByCell'; did you mean ChaosDeniedByCel?",
        ),
        (
            {"workload": [{"object": _POD | {"spec": {"nodeName": "$worker"}}}]},
            "workload.0.object.spec.nodeName: $worker stands for something in faults and preparations alone; here it",
        ),
        ({"probes": [{"probe": "ask_api_server", "with": {"every": 0}}]}, "every: expected at least 0.05, found 0"),
        ({"probes": [{"probe": "ask_api_server", "with": {"every": -3}}]}, "every: expected at least 0.05, found -3"),
        (_step("crowd_templates", rules=-1), "faults.1.with.rules: expected at least 1, found -1"),
        ({"shape": {"registry": False}}, "shape: the manifest's imagePullPolicy is Always, so Gatekeeper never starts"),
    ],
)
def test_what_no_cluster_has(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """Each is one problem of the file, with the word that was meant, or what there is."""
    with pytest.raises(BadScenario) as error:
        _load(tmp_path, **changes)

    assert len(error.value.problems) == 1, error.value.problems
    assert problem in error.value.problems[0]


def test_an_option_may_take_away_what_a_step_needs(tmp_path: Path) -> None:
    """What counts is the shape with the options that replace the file's."""
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(_GOOD | _step("stop_node", node="$worker2")), encoding="utf-8")

    load(path)
    with pytest.raises(BadScenario, match=r"\$worker2: the shape has 1 worker$"):
        load(path, {"workers": 1})


def test_a_shape_that_cannot_start() -> None:
    """The manifest always asks a registry for its image; one that was run before is only read."""
    with pytest.raises(BadScenario, match=r"^options: the manifest's imagePullPolicy is Always"):
        Shape.parse({"registry": False}, "options")
    assert Shape.parse({"registry": False}, context=RECORDED).registry is False
    assert Shape.parse({"registry": False, "gatekeeper": None}).gatekeeper is None
