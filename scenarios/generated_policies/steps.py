"""Generated policies: templates and constraints that ask for generation, and how scenarios change them."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from chaos_harness.clusters.api.rest import apply, delete, merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.changes import ObjectDict
from chaos_harness.clusters.watching.watch import State, wait_until
from chaos_harness.harness.errors import DeadlineExceeded
from chaos_harness.harness.faults.webhook.template_load import filler
from chaos_harness.harness.gatekeeper.in_force import Reporters
from chaos_harness.harness.history.objects import condition
from chaos_harness.harness.policies.generation_rules import Rules
from chaos_harness.harness.policies.status import seen_by_all

__all__ = ["BOTH", "CONFIG_MAPS", "LEASES", "WEBHOOK_ONLY", "PolicyInCluster", "SamplePolicy"]


BOTH = ("validation.gatekeeper.sh", "vap.k8s.io")
WEBHOOK_ONLY = BOTH[:1]

_TEMPLATES = "/apis/templates.gatekeeper.sh/v1/constrainttemplates"
_CONSTRAINTS = "/apis/constraints.gatekeeper.sh/v1beta1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_POLICIES = f"{_ADMISSION}/validatingadmissionpolicies"
_BINDINGS = f"{_ADMISSION}/validatingadmissionpolicybindings"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_SECONDS = 90.0
_GENERATE = "/spec/targets/0/code/0/source/generateVAP"


@dataclass(frozen=True)
class SamplePolicy:
    """A template of kind `kind` in CEL, with its one constraint, on objects of group `group` and kind `of`."""

    kind: str
    group: str
    of: str
    expression: str
    match: ObjectDict = field(default_factory=dict, hash=False)

    def template(self) -> ObjectDict:
        """Return the template; it asks for a policy explicitly, so that the version's default does not matter."""
        validation = {"expression": self.expression, "message": f"{self.of} breaks {self.kind}"}
        code = {"engine": "K8sNativeValidation", "source": {"generateVAP": True, "validations": [validation]}}
        parameters = {"type": "object", "properties": {"revision": {"type": "string"}}}
        crd = {"names": {"kind": self.kind}, "validation": {"openAPIV3Schema": parameters}}
        return _template(self.kind, crd, {"code": [code]})

    def constraint(self) -> ObjectDict:
        """Return the constraint; Gatekeeper's webhook and a generated policy enforce it."""
        kinds = [{"apiGroups": [self.group], "kinds": [self.of]}]
        return {
            "apiVersion": "constraints.gatekeeper.sh/v1beta1",
            "kind": self.kind,
            "metadata": {"name": "chaos"},
            "spec": {
                "enforcementAction": "scoped",
                "scopedEnforcementActions": _scoped(BOTH),
                "match": {"kinds": kinds, **self.match},
                "parameters": {"revision": "0"},
            },
        }


CONFIG_MAPS = SamplePolicy(
    "ChaosLabels", "", "ConfigMap", "has(object.metadata.labels) && 'owner' in object.metadata.labels",
    match={"namespaces": ["chaos-*"]},
)  # fmt: skip
"""Requires a label on ConfigMaps in namespaces chaos-…, which only scenarios use."""

LEASES = SamplePolicy("ChaosLeases", "coordination.k8s.io", "Lease", "has(object.spec)")
"""Requires of all Leases what every Lease has: no request violates it, and the control plane needs Leases."""


class PolicyInCluster:
    """One policy in a cluster: applied, edited, waited for. Opened by `with`."""

    def __init__(self, cluster: Cluster, policy: SamplePolicy) -> None:
        self.policy = policy
        self.name = policy.kind.lower()
        self._cluster = cluster
        binding = Rules.of(cluster.shape.gatekeeper).binding(policy.constraint())
        self.binding = binding.name
        self._generated = {"policy": (_POLICIES, binding.policy), "binding": (_BINDINGS, binding.name)}
        self._open = ExitStack()
        self._api = self._open.enter_context(cluster.client())
        self._constraint = f"{_CONSTRAINTS}/{self.name}/chaos"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def put(self) -> None:
        """Apply template and constraint in their original form, and wait until policy and binding are generated."""
        deadline = Deadline.after(_SECONDS, f"{self.policy.kind} to be generated")
        template = self.policy.template()
        apply(self._api, [template], deadline)
        wait_until(self._api, _DEFINITIONS, self._served, deadline)
        Reporters.of(self._api, self._cluster).wait(template, deadline)  # others deny its constraint
        apply(self._api, [self.policy.constraint()], deadline)
        self.wait(there=True)

    def remove(self) -> None:
        """Delete both, and wait until nothing of them is left."""
        self.delete("constraint")
        self.delete("template")
        self.wait(there=False)
        deadline = Deadline.after(_SECONDS, f"{self.policy.kind} to be gone")
        wait_until(self._api, _DEFINITIONS, lambda state: not self._served(state), deadline)

    def delete(self, what: str) -> None:
        """Delete the "template", the "constraint", the generated "policy" or the "binding"; it may be gone already."""
        asked = {"template": f"{_TEMPLATES}/{self.name}", "constraint": self._constraint}
        made = {kind: f"{path}/{name}" for kind, (path, name) in self._generated.items()}
        delete(self._api, {**asked, **made}[what])

    def generate(self, *, wanted: bool) -> None:
        """Make the template ask for a policy, or refuse one."""
        patch = [{"op": "replace", "path": _GENERATE, "value": wanted}]
        path = f"{_TEMPLATES}/{self.name}"
        request(self._api, "PATCH", path, body=patch, content_type="application/json-patch+json")

    def take_back(self, seconds: float = 15.0) -> None:
        """Make the template refuse a policy, and make sure that policy and binding go: v3.17 never deletes a policy."""
        self.generate(wanted=False)
        if not self.reaches(there=False, seconds=seconds):
            for kind in self._generated:
                self.delete(kind)
            self.wait(there=False)

    def scope(self, points: tuple[str, ...]) -> None:
        """Set the enforcement points of the constraint."""
        self._edit({"scopedEnforcementActions": _scoped(points)})

    def touch(self, revision: str) -> None:
        """Change something in the constraint that changes no decision."""
        self._edit({"parameters": {"revision": revision}})

    def wait(self, *what: str, there: bool, seconds: float = _SECONDS) -> None:
        """Wait until "policy" and "binding", or one of them, exist, or are gone. Raises DeadlineExceeded."""
        words = f"the {' and the '.join(what or self._generated)} of {self.policy.kind} to {'come' if there else 'go'}"
        deadline = Deadline.after(seconds, words)
        for kind in what or self._generated:
            path, name = self._generated[kind]
            wait_until(self._api, path, partial(_is, name, there), deadline)

    def reaches(self, *what: str, there: bool, seconds: float) -> bool:
        """Wait as `wait` does; return whether the state was reached in time: a check judges it by the history."""
        try:
            self.wait(*what, there=there, seconds=seconds)
        except DeadlineExceeded:
            return False
        return True

    def wait_settled(self, seconds: float) -> None:
        """Wait until all pods have observed the constraint's generation, and none still has to generate its binding."""
        deadline = Deadline.after(seconds, f"the constraint of {self.policy.kind} to be seen by all pods")
        kind = self._constraint.rpartition("/")[0]
        wait_until(self._api, kind, lambda state: self.has_settled(state.get("chaos", {})), deadline)

    def has_settled(self, constraint: ObjectDict) -> bool:
        """Whether all pods have observed the constraint's generation, and none still has to generate its binding."""
        by_pod = constraint.get("status", {}).get("byPod") or ()
        points = [point for pod in by_pod for point in pod.get("enforcementPointsStatus") or ()]
        waiting = [
            point for point in points if point["enforcementPoint"] == "vap.k8s.io" and point["state"] != "generated"
        ]
        return not waiting and seen_by_all(constraint)

    def wait_audited(self, seconds: float = 2 * _SECONDS) -> None:
        """Wait until the next audit has written its result to the constraint, which triggers its controller."""
        before = _read_audit_time(request(self._api, "GET", self._constraint))
        deadline = Deadline.after(seconds, f"the next audit of {self.policy.kind}")
        kind = self._constraint.rpartition("/")[0]
        wait_until(
            self._api, kind, lambda state: _read_audit_time(state.get("chaos", {})) not in ("", before), deadline
        )

    def wait_decided(self, seconds: float) -> None:
        """Wait until all pods have observed the template's generation."""
        deadline = Deadline.after(seconds, f"all pods to have seen the template {self.name}")
        wait_until(self._api, _TEMPLATES, self._seen_by_all, deadline)

    def apply_fillers(self, count: int, revision: str) -> None:
        """Apply `count` templates that take Gatekeeper time to compile, again for each `revision`."""
        deadline = Deadline.after(3 * _SECONDS, f"{count} templates to be applied")
        apply(self._api, [filler(number, revision) for number in range(count)], deadline)

    def delete_fillers(self, count: int) -> None:
        """Delete the templates of `apply_fillers`."""
        for number in range(count):
            delete(self._api, f"{_TEMPLATES}/{filler(number, '')['metadata']['name']}")

    def _edit(self, spec: ObjectDict) -> None:
        merge_patch(self._api, self._constraint, {"spec": spec})

    def _served(self, definitions: State) -> bool:
        definition = definitions.get(f"{self.name}.constraints.gatekeeper.sh", {})
        return condition(definition, "Established") == "True"

    def _seen_by_all(self, templates: State) -> bool:
        return seen_by_all(templates[self.name])


def _read_audit_time(constraint: ObjectDict) -> str:
    return str(constraint.get("status", {}).get("auditTimestamp", ""))


def _is(name: str, there: bool, state: State) -> bool:
    return (name in state) is there


def _template(kind: str, crd: ObjectDict, target: ObjectDict) -> ObjectDict:
    return {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": kind.lower()},
        "spec": {"crd": {"spec": crd}, "targets": [{"target": "admission.k8s.gatekeeper.sh", **target}]},
    }


def _scoped(points: tuple[str, ...]) -> list[ObjectDict]:
    return [{"action": "deny", "enforcementPoints": [{"name": point} for point in points]}]
