"""Answers: asks questions of the API server, and sorts its answers by what they say about enforcement."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import MERGE_PATCH, request
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable
from chaos_harness.harness.history.objects import uid_of
from chaos_harness.harness.policies import Question, is_right

__all__ = ["TIMEOUT", "Answer", "AnswerOutcome", "ask", "send"]

AnswerOutcome = Literal[
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
"""Seconds to connect and to read: more than the time-outs of webhooks (1 and 3 s), whose errors must arrive."""

_SHORT = 300
_SHORT_REFUSAL = 400
_TOO_MANY, _INTERNAL = 429, 500
_CALL_FAILED = "failed calling webhook"
_BY_WEBHOOK = re.compile(r'admission webhook "[^"]*" denied')
_BY_POLICY = re.compile(
    r"ValidatingAdmissionPolicy '[^']*'( with binding '[^']*')? denied request: (?P<why>.*)", re.DOTALL
)
"""Without a binding where the policy itself could not be configured."""

_MISCONFIGURED = re.compile(
    r"failed to (configure|find resource)|no params found|paramKind|expression '.*' resulted in error", re.DOTALL
)
"""Beginnings of the API server's message for a policy that could not decide, in place of the policy's own message."""

_SLOW = ("deadline exceeded", "Client.Timeout", "i/o timeout", "TLS handshake timeout", "timed out")
_CLOSED = ("refused", "no endpoints", "EOF", "reset by peer", "no route")


@dataclass(frozen=True)
class Answer:
    """An answer: `ok` is the one that the policy demands, `fail` another one, `info` says nothing about the policy."""

    kind: Literal["ok", "fail", "info"]
    outcome: AnswerOutcome
    said: str
    uid: str = ""


def ask(api: ApiClient, question: Question, name: str, *, dry_run: bool = False, audit_id: str = "") -> Answer:
    """Send the question's request, as a dry run if either says so, and classify the answer.

    Its object is called `name` unless the question names it. A real update or delete creates the object first; if that
    is impossible, nothing is known of the policy.
    """
    dry_run = dry_run or question.dry_run
    if question.base is not None and not dry_run:
        try:
            made = question.placed(question.base, name)
            request(api, "POST", question.path, body=made, timeout=TIMEOUT)
        except (ApiRefused, ApiUnreachable) as error:
            return Answer("info", "other", f"the object to {question.verb} was not created: {error.cause}"[:_SHORT])
    try:
        return _sort_done(question, send(api, question, name, dry_run=dry_run, audit_id=audit_id))
    except ApiRefused as error:
        return _sort_refusal(question, error.status, error.message)
    except ApiUnreachable as error:
        return Answer("info", "timed out" if error.timed_out else "refused", error.cause[:_SHORT])


def send(api: ApiClient, question: Question, name: str, *, dry_run: bool, audit_id: str = "") -> Any:
    """Send the question's request for the object `name` and return the answer; raise ApiRefused, ApiUnreachable."""
    query = {"dryRun": "All"} if dry_run else {}
    who = (question.asker.user, question.asker.groups) if question.asker else None
    one = f"{question.path}/{question.object_name(name)}"
    if question.verb == "delete":
        return request(api, "DELETE", one, query=query, timeout=TIMEOUT, audit_id=audit_id, impersonate=who)
    body = question.placed(question.body, name)
    if question.verb == "update":
        return request(
            api,
            "PATCH",
            one,
            query=query,
            body=body,
            content_type=MERGE_PATCH,
            timeout=TIMEOUT,
            audit_id=audit_id,
            impersonate=who,
        )
    path = question.path
    return request(api, "POST", path, query=query, body=body, timeout=TIMEOUT, audit_id=audit_id, impersonate=who)


def _sort_done(question: Question, answered: Any) -> Answer:
    uid = uid_of(answered or {})
    if question.parts:
        done = question.parts.are_in(answered)
        return Answer("ok" if done else "fail", "mutated" if done else "unmutated", "admitted", uid)
    return Answer("ok" if is_right("admitted", question.wanted) else "fail", "admitted", "admitted", uid)


def _sort_refusal(question: Question, status: int, said: str) -> Answer:
    """Classify a status other than 2xx: a denial is a decision, whatever its code; a failed call is none."""
    words = f"{status} {said[:_SHORT_REFUSAL]}"
    if _CALL_FAILED in said:
        return Answer("fail", _classify_failed_call(said), words)
    policy = _BY_POLICY.search(said)
    if policy is None and not _BY_WEBHOOK.search(said):
        return Answer("info", "refused" if status == _TOO_MANY else "other", words)
    outcome: AnswerOutcome = "denied by policy" if policy else "denied by webhook"
    if _MISCONFIGURED.match(policy["why"]) if policy else status == _INTERNAL:
        outcome = "denied by configuration error"
    elif question.names not in said or not re.search(question.pattern, said):
        outcome = "other"
    return Answer("ok" if is_right(outcome, question.wanted) else "fail", outcome, words)


def _classify_failed_call(said: str) -> AnswerOutcome:
    if any(words in said for words in _SLOW):
        return "timed out"
    return "refused" if any(words in said for words in _CLOSED) else "other"
