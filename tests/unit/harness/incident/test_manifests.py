"""Applied: objects that ask for a generated policy are in force when its binding is there."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.harness.incident.manifests import policies_of
from tests.fakes.incidents import incident

_TEMPLATE: dict[str, Any] = {
    "apiVersion": "templates.gatekeeper.sh/v1",
    "kind": "ConstraintTemplate",
    "metadata": {"name": "chaosk"},
    "spec": {
        "crd": {"spec": {"names": {"kind": "ChaosK"}}},
        "targets": [{"code": [{"engine": "K8sNativeValidation", "source": {"generateVAP": True}}]}],
    },
}


def _constraint(point: str) -> dict[str, Any]:
    action = {"action": "deny", "enforcementPoints": [{"name": point}]}
    return {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": "ChaosK",
        "metadata": {"name": "c"},
        "spec": {"enforcementAction": "scoped", "scopedEnforcementActions": [action]},
    }


@pytest.mark.parametrize(("point", "bound"), [("vap.k8s.io", ("c",)), ("validation.gatekeeper.sh", ())])
def test_bound(tmp_path: Path, point: str, bound: tuple[str, ...]) -> None:
    """A constraint that asks for a binding is waited for until it has one, one that does not is not."""
    objects = [_TEMPLATE, _constraint(point)]
    (tmp_path / "k.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    (policy,) = policies_of(incident(tmp_path, policies=[{"file": "k.yaml"}]))

    assert (policy.name, policy.objects, policy.generated) == ("k.yaml", tuple(objects), bound)


def test_a_constraint_alone(tmp_path: Path) -> None:
    """Without its template in the same item nothing is known of what a constraint asks for."""
    items = [{"object": _TEMPLATE}, {"object": _constraint("vap.k8s.io")}]
    _, policy = policies_of(incident(tmp_path, policies=items))

    assert (policy.name, policy.generated) == ("ChaosK c", ())


def test_order(tmp_path: Path) -> None:
    """Policies, the harness's own among them, come before the workload."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    policies = policies_of(incident(tmp_path, policies=[{"policy": "mutate_pods"}], workload=[{"object": namespace}]))

    assert [policy.name for policy in policies] == ["mutate pods", "workload Namespace n"]
    assert policies[0].questions
