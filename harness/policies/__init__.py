"""Policies: what Gatekeeper must enforce in namespaces chaos-*, and the questions that show whether it does.

The shipped ones are here; another one is a module beside this file, made of `template`, `constraint` and `pod`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chaos_harness.clusters.api.objects import Object
from chaos_harness.harness.policies.question import AsUser, Question, Verb, WantedOutcome, is_right
from chaos_harness.harness.policies.wanted_parts import WantedParts

__all__ = [
    "ADMIT",
    "CANARIES",
    "GROUND",
    "IGNORE_LABEL",
    "LEVEL",
    "PODS",
    "POD_LEVEL",
    "AsUser",
    "Policy",
    "Question",
    "Verb",
    "WantedOutcome",
    "WantedParts",
    "deny_pods",
    "deny_pods_by_cel",
    "is_right",
    "mutate_pods",
    "mutate_templates",
    "pod",
]

CANARIES = "chaos-canary"
"""The namespace in which the canary creates objects; workloads are in other namespaces chaos-*."""

PODS = f"/api/v1/namespaces/{CANARIES}/pods"
"""Where the canary creates pods."""

LEVEL = "s0:c123,c456"
"""What the mutators write to `securityContext.seLinuxOptions.level`, the field of the first incident."""

POD_LEVEL = WantedParts({"spec.securityContext.seLinuxOptions.level": LEVEL})
"""What a pod has that the mutators changed; old histories, which do not record what policies write, mean this."""

ADMIT = "admit compliant pods"
"""The name under which answers about compliant pods are counted, apart from those about violating pods."""

IGNORE_LABEL = "check ignore label"
"""The name under which answers about the label that exempts a namespace are counted; asked without any policy."""

_NAMESPACES = ["chaos-*"]
_VIOLATES = "chaos-harness/violates"
_ASKS = "chaos-harness/asks"
_ACCOUNT = "canary"

GROUND: tuple[Object, ...] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": CANARIES}},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _ACCOUNT, "namespace": CANARIES}},
)
"""What the canary needs to create objects: its namespace, and the service account of its pods."""


@dataclass(frozen=True)
class Policy:
    """Objects, applied in their order and deleted in reverse order, with the questions about them.

    `generated` are the constraints for which Gatekeeper must generate a ValidatingAdmissionPolicyBinding.
    """

    name: str
    objects: tuple[Object, ...] = field(hash=False)
    questions: tuple[Question, ...] = ()
    generated: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, str]:
        """The name of the policy by each other name under which answers to its own questions are counted."""
        asked = (question.policy for question in self.questions)
        return {name: self.name for name in asked if name not in (self.name, ADMIT)}

    @property
    def mutates(self) -> dict[str, Mapping[str, Any]]:
        """What pods must have, as values by path, for each name under which answers about mutations are counted."""
        return {question.policy: parts.by_path for question in self.questions if (parts := question.pod_parts)}


def mutate_pods() -> Policy:
    """Return the policy that sets the SELinux level of every pod; asked by real creates and by dry runs."""
    name = "mutate pods"
    dry_run = Question("create mutable pod", name, "mutated", PODS, pod(), parts=POD_LEVEL)
    return Policy(
        name,
        (_assign("chaos-pods", "", ["Pod"], "spec"),),
        (replace(dry_run, dry_run=False), dry_run),
    )


def mutate_templates() -> Policy:
    """Return the policy that sets the level in the pod templates of Deployments, StatefulSets and DaemonSets."""
    name, kinds = "mutate templates", ["Deployment", "StatefulSet", "DaemonSet"]
    return Policy(
        name,
        (_assign("chaos-templates", "apps", kinds, "spec.template.spec"),),
        (
            Question(
                "create mutable deployment",
                name,
                "mutated",
                f"/apis/apps/v1/namespaces/{CANARIES}/deployments",
                _deployment(),
                parts=WantedParts({"spec.template.spec.securityContext.seLinuxOptions.level": LEVEL}),
            ),
        ),
    )


def deny_pods() -> Policy:
    """Return the policy, in Rego, that denies pods with a certain label; the webhook enforces it."""
    name, denier = "deny by rego", "chaos-rego"
    rego = (
        "package chaosdeniedbyrego\n"
        'violation[{"msg": msg}] {\n'
        f'  value := input.review.object.metadata.labels["{_VIOLATES}"]\n'
        '  msg := sprintf("the label says that it violates %v", [value])\n'
        "}\n"
    )
    target = {"target": "admission.k8s.gatekeeper.sh", "rego": rego}
    kind = "ChaosDeniedByRego"
    return Policy(
        name,
        (template(kind, target), constraint(kind, denier, "rego")),
        (
            Question("create violating pod", name, "denied by webhook", PODS, pod("rego", "rego"), names=denier),
            Question("create compliant pod", ADMIT, "admitted", PODS, pod("rego")),
        ),
    )


def deny_pods_by_cel() -> Policy:
    """Return the policy, in CEL, that denies pods with a label, enforced by the webhook and by a generated policy.

    The API server evaluates its own policies first and reports only the first denial. So there are two constraints of
    one template, one for each enforcement point, and two questions that differ only in the label that selects the
    constraint.
    """
    kind = "ChaosDeniedByCel"
    expression = f"!has(object.metadata.labels) || !('{_VIOLATES}' in object.metadata.labels)"
    source = {
        "generateVAP": True,
        "validations": [{"expression": expression, "message": "the label says that it violates"}],
    }
    target = {
        "target": "admission.k8s.gatekeeper.sh",
        "code": [{"engine": "K8sNativeValidation", "source": source}],
    }
    webhook, vap = "chaos-cel-webhook", "chaos-cel-vap"
    asked = "create violating pod"
    return Policy(
        "deny by cel",
        (
            template(kind, target),
            constraint(kind, webhook, "webhook", _only_at("validation.gatekeeper.sh")),
            constraint(kind, vap, "vap", _only_at("vap.k8s.io")),
        ),
        (
            Question(asked, "deny by cel (webhook)", "denied by webhook", PODS, pod("webhook", "cel"), names=webhook),
            Question(asked, "deny by cel (vap)", "denied by policy", PODS, pod("vap", "cel"), names=vap),
            Question("create compliant pod", ADMIT, "admitted", PODS, pod("vap")),
        ),
        generated=(vap,),
    )


def _assign(name: str, group: str, kinds: list[str], where: str) -> Object:
    return {
        "apiVersion": "mutations.gatekeeper.sh/v1",
        "kind": "Assign",
        "metadata": {"name": name},
        "spec": {
            "applyTo": [{"groups": [group], "versions": ["v1"], "kinds": kinds}],
            "match": {"scope": "Namespaced", "namespaces": _NAMESPACES},
            "location": f"{where}.securityContext.seLinuxOptions.level",
            "parameters": {"assign": {"value": LEVEL}},
        },
    }


def template(kind: str, target: Object) -> Object:
    """Return the ConstraintTemplate of a kind, with its rule for Gatekeeper's target."""
    return {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": kind.lower()},
        "spec": {"crd": {"spec": {"names": {"kind": kind}}}, "targets": [target]},
    }


def constraint(kind: str, name: str, asks: str, spec: Object | None = None) -> Object:
    """Return a constraint on pods in namespaces chaos-* whose label `asks` for it (see `pod`)."""
    match = {
        "kinds": [{"apiGroups": [""], "kinds": ["Pod"]}],
        "namespaces": _NAMESPACES,
        "labelSelector": {"matchLabels": {_ASKS: asks}},
    }
    return {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {**(spec or {}), "match": match},
    }


def _only_at(point: str) -> Object:
    action = {"action": "deny", "enforcementPoints": [{"name": point}]}
    return {"enforcementAction": "scoped", "scopedEnforcementActions": [action]}


def pod(asks: str = "", violates: str = "") -> Object:
    """Return a pod that no scheduler looks at, so that it costs the cluster only its admission.

    `asks` and `violates` are values of its labels: the constraint it is meant for, and the one it violates.
    """
    labels = {name: value for name, value in ((_ASKS, asks), (_VIOLATES, violates)) if value}
    container = {"name": "none", "image": "registry.invalid/none"}
    spec = {
        "schedulerName": "chaos-harness-none",
        "serviceAccountName": _ACCOUNT,
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": labels}, "spec": spec}


def _deployment() -> Object:
    labels = {"chaos-harness": "canary"}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }
