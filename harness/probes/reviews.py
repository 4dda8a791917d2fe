"""Reviews: AdmissionReviews for a single webhook pod, with the answer that it must give if it enforces the policies."""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chaos_harness.clusters.gatekeeper.readiness import REVIEW as LABEL_REVIEW
from chaos_harness.harness.history.vocabulary import REVIEW, review_of
from chaos_harness.harness.policies import LEVEL, Question, WantedOutcome

__all__ = ["LABEL", "Review", "reviews"]

Said = Literal["mutated", "allowed", "denied"]
"""A webhook pod's answers: the object gets our mutation, is allowed unchanged, or is denied."""

_WANTED: Mapping[WantedOutcome, tuple[str, Said]] = {
    "mutated": ("/v1/mutate", "mutated"),
    "denied by webhook": ("/v1/admit", "denied"),
    "admitted": ("/v1/admit", "allowed"),
}


@dataclass(frozen=True)
class Review:
    """An AdmissionReview for one path of a webhook pod, and the right answer.

    `question` is the name of the policy that the question is about; it is empty for the label review, which needs none.
    """

    path: str
    wanted: Said
    body: Mapping[str, Any] = field(hash=False)
    question: str = ""

    @property
    def f(self) -> str:
        """Its operation in a history."""
        return review_of(self.question) if self.question else REVIEW

    @property
    def value(self) -> dict[str, str]:
        """Its value in a history."""
        return {"question": self.question} if self.question else {}

    def said(self, response: Mapping[str, Any]) -> Said:
        """Return what a response says; raises KeyError, ValueError or TypeError for anything else than a response."""
        if response["allowed"] is not True:
            return "denied"
        patch = b64decode(response.get("patch") or "").decode()
        return "mutated" if f'"{LEVEL}"' in patch else "allowed"


LABEL = Review("/v1/admitlabel", "denied", LABEL_REVIEW)
"""What every webhook pod must deny, without any policy."""


def reviews(questions: Iterable[Question]) -> list[Review]:
    """Return one review for each policy that webhook pods enforce; the API server's own policies have none."""
    by_policy: dict[str, Review] = {}
    for question in questions:
        if question.wanted in _WANTED and question.path.partition("/namespaces/")[2]:
            by_policy.setdefault(question.policy, _review(question))
    return list(by_policy.values())


def _review(question: Question) -> Review:
    """Return the review that the API server would send for a question: a create of its body at its path."""
    path, wanted = _WANTED[question.wanted]
    root, _, rest = question.path.partition("/namespaces/")
    namespace, plural = rest.split("/")
    group, _, version = root.removeprefix("/apis/").removeprefix("/api/").rpartition("/")
    name = f"replica-{question.wanted.partition(' ')[0]}"
    item = {**question.body, "metadata": {**question.body["metadata"], "name": name, "namespace": namespace}}
    kind = {"group": group, "version": version, "kind": question.body["kind"]}
    resource = {"group": group, "version": version, "resource": plural}
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
            "namespace": namespace,
            "operation": "CREATE",
            "dryRun": True,
            "userInfo": {"username": "chaos-harness", "groups": ["system:authenticated"]},
            "object": item,
            "oldObject": None,
            "options": None,
        },
    }
    return Review(path, wanted, body, question.policy)
