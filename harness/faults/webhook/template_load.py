"""Template load: the fault that makes Gatekeeper compile many templates, which delays all its other work."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from kubernetes.client import ApiClient
from pydantic import Field

from chaos_harness.clusters.api.rest import apply, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.policies.status import seen_by_all
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, undo_by_kubectl

__all__ = ["crowd_templates", "delete_templates", "filler"]

_TEMPLATES = "/apis/templates.gatekeeper.sh/v1/constrainttemplates"
_LABEL = "chaos-harness/crowd"
_SECONDS = 180.0
_MOST = 300


def crowd_templates(
    count: Annotated[int, Field(ge=1, le=300)] = 40, *, rules: Annotated[int, Field(ge=1, le=1000)] = 60
) -> Fault:
    """Return the fault that creates `count` templates in Rego, each with so many `rules` to compile.

    No constraint uses them: they cost only time. Healing deletes them. Raises BadScenario.
    """
    if not (1 <= count <= _MOST and 1 <= rules <= _MOST):
        raise BadScenario(f"crowd_templates({count}, rules={rules}): expected 1 to {_MOST} of each")
    return _TemplateLoad(count, rules)


def filler(
    number: int, revision: str, *, rules: Annotated[int, Field(ge=1, le=1000)] = 60, label: str = ""
) -> dict[str, Any]:
    """Return a template in Rego with many rules, which differ from revision to revision."""
    rule = (
        'violation[{{"msg": msg}}] {{ labels := input.review.object.metadata.labels; labels["{n}"] == "{revision}"; '
        'found := [each | each := labels[_]; startswith(each, "{n}")]; count(found) > {n}; '
        'msg := sprintf("%v", [found]) }}'
    )
    kind = f"ChaosFiller{number}"
    rego = "\n".join([f"package {kind.lower()}", *(rule.format(n=n, revision=revision) for n in range(rules))])
    labels = {"labels": {_LABEL: label}} if label else {}
    return {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": kind.lower(), **labels},
        "spec": {
            "crd": {"spec": {"names": {"kind": kind}}},
            "targets": [{"target": "admission.k8s.gatekeeper.sh", "rego": rego}],
        },
    }


@undo
def delete_templates(engine: Engine, *, control_plane: str, label: str, others: Sequence[str] = ()) -> None:
    """Delete all templates with a label and wait until they are gone; no such template, or kind, is no error."""
    words = ("delete", "constrainttemplates", "--selector", f"{_LABEL}={label}", f"--timeout={_SECONDS:.0f}s")
    undo_by_kubectl(engine, control_plane, others, *words, seconds=_SECONDS + 10)


class _TemplateLoad:
    name = "crowd templates"

    def __init__(self, count: int, rules: int) -> None:
        self._label = secrets.token_hex(4)
        self._templates = [filler(number, self._label, rules=rules, label=self._label) for number in range(count)]

    def inject(self, injection: Injection) -> None:
        deadline = Deadline.after(_SECONDS, f"{len(self._templates)} templates to be applied")
        injection.undo(delete_templates, label=self._label, **control_plane_arguments(injection.cluster))
        with injection.cluster.client() as api:
            apply(api, self._templates, deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Require that all templates exist and that Gatekeeper compiles them; count those some pod has not seen."""
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.2):
                crowd = self._list_templates(api)
                if len(crowd) != len(self._templates):
                    raise FaultNotApplied(f"expected {len(self._templates)} templates of the crowd, found {len(crowd)}")
                if any(template.get("status", {}).get("byPod") for template in crowd):
                    waiting = sum(not seen_by_all(template) for template in crowd)
                    return f"{len(crowd)} templates exist, {waiting} still to be compiled by some pod"
        raise FaultNotApplied("expected a pod of Gatekeeper's to compile a template of the crowd, none did")

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check("the templates were not looked at")
        with cluster.client() as api:
            left = [template["metadata"]["name"] for template in self._list_templates(api)]
        if left:
            raise FaultNotApplied(f"expected no template of the crowd, {', '.join(left)} is left")
        return f"{len(self._templates)} templates are gone"

    def _list_templates(self, api: ApiClient) -> list[Mapping[str, Any]]:
        crowd: list[Mapping[str, Any]] = request(
            api, "GET", _TEMPLATES, query={"labelSelector": f"{_LABEL}={self._label}"}
        )["items"]
        return crowd
