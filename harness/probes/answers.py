"""Answers: what the API server said to a question about a policy, sorted by what it means for enforcement."""

from dataclasses import dataclass
from typing import Any, Literal

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as TooSlow

from clusters.rest import message, request
from harness.policies import Question, mutated

__all__ = ["TIMEOUT", "Answer", "Outcome", "ask"]

Outcome = Literal[
    "mutated",
    "unmutated",
    "admitted",
    "denied by webhook",
    "denied by policy",
    "denied by configuration error",
    "timed out",
    "refused",
    "other",
]

TIMEOUT = (2.0, 8.0)
"""Seconds to connect and to read; webhooks have 1 and 3 s each, and their time-outs must be heard of."""

_SHORT = 300
_FORBIDDEN, _INVALID, _TOO_MANY, _INTERNAL = 403, 422, 429, 500
_CALL_FAILED = "failed calling webhook"
_BY_WEBHOOK, _BY_POLICY = "admission webhook", "ValidatingAdmissionPolicy"
_MISCONFIGURED = ("failed to configure", "resulted in error", "failed to find resource", "not yet synced", "no params")
_SLOW = ("deadline exceeded", "Client.Timeout", "i/o timeout", "TLS handshake timeout", "timed out")
_CLOSED = ("refused", "no endpoints", "EOF", "reset by peer", "no route")


@dataclass(frozen=True)
class Answer:
    """An answer: `ok` is what the policy demands, `fail` another one, `info` leaves open what the policy does."""

    kind: Literal["ok", "fail", "info"]
    outcome: Outcome
    said: str
    uid: str = ""


def ask(api: ApiClient, question: Question, name: str, *, dry_run: bool = False, audit_id: str = "") -> Answer:
    """Ask for an object called `name` to be created, as the question says or as a dry run; sort the answer."""
    metadata = {**question.body["metadata"], "name": name}
    query = {"dryRun": "All"} if dry_run or question.dry_run else {}
    try:
        body = {**question.body, "metadata": metadata}
        found = request(api, "POST", question.path, query=query, body=body, timeout=TIMEOUT, audit_id=audit_id)
    except ApiException as error:
        return _refused(question, error.status or 0, message(error))
    except (HTTPError, ValueError) as error:
        slow = isinstance(error, TooSlow) and not isinstance(error, NewConnectionError)
        return Answer("info", "timed out" if slow else "refused", repr(error)[:_SHORT])
    return _created(question, found)


def _created(question: Question, found: Any) -> Answer:
    uid = found["metadata"].get("uid", "")
    if question.wanted == "mutated":
        done = mutated(found)
        return Answer("ok" if done else "fail", "mutated" if done else "unmutated", "admitted", uid)
    return Answer("ok" if question.wanted == "admitted" else "fail", "admitted", "admitted", uid)


def _refused(question: Question, status: int, said: str) -> Answer:
    """Sort a status other than 2xx: a denial is somebody's decision, a failed call is nobody's."""
    told = f"{status} {said}"
    if _CALL_FAILED in said:
        return Answer("fail", _why_uncalled(said), told)
    if status in (_FORBIDDEN, _INVALID, _INTERNAL) and (_BY_WEBHOOK in said or _BY_POLICY in said):
        outcome = _denied(question, status, said)
        return Answer("ok" if outcome == question.wanted else "fail", outcome, told)
    return Answer("info", "refused" if status == _TOO_MANY else "other", told)


def _denied(question: Question, status: int, said: str) -> Outcome:
    if any(words in said for words in _MISCONFIGURED) or status == _INTERNAL:
        return "denied by configuration error"
    ours = not question.names or question.names in said
    if _BY_POLICY in said:
        return "denied by policy" if ours else "other"
    return "denied by webhook" if ours else "other"


def _why_uncalled(said: str) -> Outcome:
    if any(words in said for words in _SLOW):
        return "timed out"
    return "refused" if any(words in said for words in _CLOSED) else "other"
