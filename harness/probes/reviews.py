"""Reviews: what a webhook pod of Gatekeeper is asked by itself, and what it must say if it enforces the policies."""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chaos_harness.clusters.gatekeeper.readiness import REVIEW as LABEL_REVIEW
from chaos_harness.harness.history.vocabulary import REVIEW, review_of
from chaos_harness.harness.policies import LEVEL, Question, Wanted

__all__ = ["LABEL", "Review", "Said", "reviews"]

Said = Literal["mutated", "allowed", "denied"]
"""What a webhook pod can say of an object: it is to be changed as our mutators do, it may be as it is, it may not."""

_WANTED: Mapping[Wanted, tuple[str, Said]] = {
    "mutated": ("/v1/mutate", "mutated"),
    "denied by webhook": ("/v1/admit", "denied"),
    "admitted": ("/v1/admit", "allowed"),
}


@dataclass(frozen=True)
class Review:
    """An AdmissionReview for one path of a webhook pod, and what it must say of it.

    `question` is the name of the policy whose question it is; the review of the label, which is of none, has none.
    """

    path: str
    wanted: Said
    body: Mapping[str, Any] = field(hash=False)
    question: str = ""

    @property
    def f(self) -> str:
        """The operation that it is in a history."""
        return review_of(self.question) if self.question else REVIEW

    @property
    def value(self) -> dict[str, str]:
        """What a history says of it."""
        return {"question": self.question} if self.question else {}

    def said(self, response: Mapping[str, Any]) -> Said:
        """Return what an answer says; raises KeyError, ValueError or TypeError if it is none."""
        if response["allowed"] is not True:
            return "denied"
        patch = b64decode(response.get("patch") or "").decode()
        return "mutated" if f'"{LEVEL}"' in patch else "allowed"


LABEL = Review("/v1/admitlabel", "denied", LABEL_REVIEW)
"""What every webhook pod must deny, whatever policies there are."""


def reviews(questions: Iterable[Question]) -> list[Review]:
    """Return one review for each policy that webhook pods answer for: what the API server's own policies do is not."""
    by_policy: dict[str, Review] = {}
    for question in questions:
        if question.wanted in _WANTED and question.path.partition("/namespaces/")[2]:
            by_policy.setdefault(question.policy, _review(question))
    return list(by_policy.values())


def _review(question: Question) -> Review:
    """Return the review that the API server would send for a question: a create of its body at its URL."""
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
