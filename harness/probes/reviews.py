"""Reviews: AdmissionReviews for a single webhook pod, with the answer that it must give if it enforces the policies."""

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chaos_harness.clusters.api.objects import Object
from chaos_harness.clusters.gatekeeper.installed import WEBHOOK_PORT, port_of
from chaos_harness.clusters.gatekeeper.readiness import REVIEW as LABEL_REVIEW
from chaos_harness.harness.history.vocabulary import REVIEW, review_of
from chaos_harness.harness.policies import IGNORE_LABEL, Question, WantedOutcome, WantedParts
from chaos_harness.harness.probes.json_patch import patched

__all__ = ["LABEL", "Review", "reviews"]

Said = Literal["mutated", "allowed", "denied"]
"""A webhook pod's answers: the object gets the wanted mutation, is allowed without it, or is denied."""

_WANTED: Mapping[WantedOutcome, tuple[str, Said]] = {
    "mutated": ("/v1/mutate", "mutated"),
    "denied": ("/v1/admit", "denied"),
    "denied by webhook": ("/v1/admit", "denied"),
    "admitted": ("/v1/admit", "allowed"),
}
_USER, _GROUPS = "chaos-harness", ("system:authenticated",)


@dataclass(frozen=True)
class Review:
    """An AdmissionReview for one path of a webhook pod, and the right answer.

    `question` is the name of the policy that the question is about; it is empty for the label review, which needs none.
    `parts` is what the object must have after the patch of the answer "mutated".
    """

    path: str
    wanted: Said
    body: Mapping[str, Any] = field(hash=False)
    question: str = ""
    parts: WantedParts | None = None

    @property
    def f(self) -> str:
        """Its operation in a history."""
        return review_of(self.question) if self.question else REVIEW

    @property
    def value(self) -> dict[str, str]:
        """Its value in a history."""
        return {"question": self.question} if self.question else {}

    def url(self, pods: str, pod: Object) -> str:
        """Return where to send it: to a webhook pod in the list `pods`, by way of the API server's proxy."""
        return f"{pods}/https:{pod['metadata']['name']}:{port_of(pod, WEBHOOK_PORT)}/proxy{self.path}"

    def said(self, response: Mapping[str, Any]) -> Said:
        """Return what a response says; raises LookupError, ValueError or TypeError if it is no response."""
        if response["allowed"] is not True:
            return "denied"
        if self.parts is None:
            return "allowed"
        operations = json.loads(b64decode(response.get("patch") or "") or "[]")
        mutated = self.parts.are_in(patched(self.body["request"]["object"], operations))
        return "mutated" if mutated else "allowed"


LABEL = Review("/v1/admitlabel", "denied", LABEL_REVIEW)
"""What every webhook pod must deny, without any policy."""


def reviews(questions: Iterable[Question]) -> list[Review]:
    """Return one review for each policy that webhook pods enforce; the API server's own policies have none."""
    by_policy: dict[str, Review] = {}
    for question in questions:
        if question.wanted in _WANTED and question.policy != IGNORE_LABEL:
            by_policy.setdefault(question.policy, _review(question))
    return list(by_policy.values())


def _review(question: Question) -> Review:
    """Return the review that the API server would send for a question."""
    path, wanted = _WANTED[question.wanted]
    root, _, plural = question.path.rpartition("/")
    root = root.partition("/namespaces/")[0]
    group, _, version = root.removeprefix("/apis/").removeprefix("/api/").rpartition("/")
    name = question.object_name(f"replica-{question.wanted.partition(' ')[0]}")
    kind = {"group": group, "version": version, "kind": question.kind}
    resource = {"group": group, "version": version, "resource": plural}
    asker = question.asker
    old, new = _before_and_after(question, name)
    body = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": f"chaos-harness-{plural}-{name}",
            "kind": kind,
            "requestKind": kind,
            "resource": resource,
            "requestResource": resource,
            "name": name,
            **({"namespace": question.namespace} if question.namespace else {}),
            "operation": question.verb.upper(),
            "dryRun": True,
            "userInfo": {
                "username": asker.user if asker else _USER,
                "groups": [*(asker.groups if asker else ()), *_GROUPS],
            },
            "object": new,
            "oldObject": old,
            "options": None,
        },
    }
    return Review(path, wanted, body, question.policy, question.parts)


def _before_and_after(question: Question, name: str) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Return the object before the request and after it; None where there is none."""
    old = question.placed(question.base, name) if question.base else None
    new = question.placed(question.body, name)
    return old, None if question.verb == "delete" else _merged(old, new) if old else new


def _merged(old: Any, patch: Any) -> Any:
    """Return what a JSON merge patch makes of a value (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    kept = dict(old) if isinstance(old, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = _merged(kept.get(key), value)
    return kept
