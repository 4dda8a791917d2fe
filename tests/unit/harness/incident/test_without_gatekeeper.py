"""Without Gatekeeper: a baseline's file asks nothing of what its cluster does not have, and is accepted otherwise."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.model import ExpectationSpec

_STOP = {"fault": "stop_node", "at": 1, "lasts": 20, "with": {"node": "$worker"}}
_BASELINE: dict[str, Any] = {
    "schema": 1,
    "title": "A node is lost without Gatekeeper",
    "shape": {"gatekeeper": None},
    "watch": ["control plane", "workload"],
    "probes": [{"probe": "ask_api_server"}],
    "faults": [_STOP],
    "claims": [{"check": "leases_admitted", "with": {"fault": "stop node"}}, {"check": "control_plane_unharmed"}],
}
_ASSIGN = {"apiVersion": "mutations.gatekeeper.sh/v1", "kind": "Assign", "metadata": {"name": "a"}}
_POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "a"},
}


def _load(folder: Path, **changes: Any) -> LoadedIncident:
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(_BASELINE | changes, sort_keys=False), encoding="utf-8")
    return load(path)


def _step(fault: str, **values: Any) -> dict[str, Any]:
    return {"faults": [_STOP, {"fault": fault, "at": 5, "with": values}]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"policies": [{"object": _POLICY}]},
        _step("kill_containers", selector="component=etcd", namespace="kube-system"),
        _step("cut_registry"),
    ],
)
def test_what_needs_no_gatekeeper(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Faults of nodes, of the registry and of other pods, claims on the control plane, and native policies load."""
    assert _load(tmp_path, **changes).shape.gatekeeper is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"policies": [{"policy": "mutate_pods"}]}, "policies.0.policy: mutate_pods is enforced by Gatekeeper"),
        ({"policies": [{"object": _ASSIGN}]}, "policies.0: Assign a is Gatekeeper's"),
        ({"workload": [{"object": _ASSIGN}]}, "workload.0: Assign a is Gatekeeper's"),
        ({"preparations": [{"preparation": "fail_closed"}]}, "preparations.0.preparation: fail_closed sets Gatekeeper"),
        ({"probes": [{"probe": "ask_api_server"}, {"probe": "ask_replicas"}]}, "probes.1.probe: ask_replicas asks"),
        ({"watch": ["control plane", "generated"]}, "watch.1: generated are Gatekeeper's"),
        (_step("delete_replicas"), "faults.1.fault: delete_replicas harms Gatekeeper"),
        (_step("cut_webhook"), "faults.1.fault: cut_webhook harms Gatekeeper"),
        (
            _step("kill_containers", selector="a=b"),
            "faults.1.fault: kill_containers is done to pods of gatekeeper",
        ),
        (_step("kill_node", node="$node(a=b)"), "faults.1.with.node: $node(a=b) stands for something of Gatekeeper's"),
        (
            {"claims": [{"check": "undisturbed", "with": {"during": "stop node"}}]},
            "undisturbed judges Gatekeeper",
        ),
        (
            {"claims": [{"check": "fail_open_window", "with": {"seconds": 5, "fault": "stop node"}}]},
            "claims.0.check: fail_open_window judges Gatekeeper",
        ),
    ],
)
def test_what_only_gatekeeper_answers(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """Each is one problem of the file, which names the shape's line, and no cluster is made for it."""
    with pytest.raises(BadScenario) as error:
        _load(tmp_path, **changes)

    assert len(error.value.problems) == 1, error.value.problems
    assert problem in error.value.problems[0]
    assert ", and the shape has no Gatekeeper: `gatekeeper: null`" in error.value.problems[0]


@pytest.mark.parametrize(("versions", "fits"), [("", True), (">=3.16", False)])
def test_no_version_is_in_no_range(versions: str, fits: bool) -> None:
    """A defect of a range of versions is not expected on a cluster without Gatekeeper."""
    expected = ExpectationSpec(verdict="violated", gatekeeper=versions)
    assert expected.meant_for(Shape(gatekeeper=None)) is fits
