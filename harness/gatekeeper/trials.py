"""Trials: asks all questions about policies until every answer is right, before a probe asks them."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from typing import Any

from chaos_harness.clusters.api.objects import Object
from chaos_harness.clusters.api.rest import delete, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, PolicyRejected
from chaos_harness.harness.history.objects import name_of
from chaos_harness.harness.policies import Question
from chaos_harness.harness.probes.answers import Answer, ask
from chaos_harness.harness.probes.reviews import Review, reviews

__all__ = ["wait_for_answers", "wait_for_each_replica"]

_DENIED_SECONDS, _UNCONFIGURED_SECONDS = 10.0, 30.0
_DENIED = ("denied by webhook", "denied by policy")
_UNCONFIGURED = "denied by configuration error"
_INADMISSIBLE = ("403 ", "422 ")
"""How answers begin of an API server to which an object is not valid, or which another admission plugin forbids."""

_DENIED_CURE = (
    "leave it out of the match of what denies it (excludedNamespaces, labelSelector), or ask for something else"
)
_UNCONFIGURED_CURE = "mutators that take back what others do never come to an end: give them matches that differ"
_INADMISSIBLE_CURE = "what mutators make of it is not valid: `kubectl create --dry-run=server` tells the same"


def wait_for_answers(api: Any, questions: Sequence[Question], deadline: Deadline) -> None:
    """Ask until every answer of one round is right; by dry runs, but for real updates and deletes.

    Raises PolicyRejected if a request is denied for 10 s that must be admitted, by another policy or because it is not
    valid, or cannot be decided for 30 s; DeadlineExceeded.
    """
    denied: Deadline | None = None
    wrong = ""
    for number in deadline.attempts():
        answers = ((question, _try(api, question, f"trial-{number}")) for question in questions)
        question, answer = next(((one, answer) for one, answer in answers if answer.kind != "ok"), (None, None))
        if question is None or answer is None:
            return
        wrong = f"{question.policy}: {question.f}: {answer.outcome}, {answer.said}"
        patience, cure = _kept_out(answer) if question.wanted in ("admitted", "mutated") else (0.0, "")
        if not cure:
            denied = None
            continue
        denied = denied or deadline.within(patience, "it to be admitted")
        if denied.expired:
            where = f" in {question.namespace}" * bool(question.namespace)
            raise PolicyRejected(
                f"{question.policy}: {question.f}{where} must be admitted, and is not: {answer.said}; {cure}"
            )
    raise deadline.error(wrong)


def _kept_out(answer: Answer) -> tuple[float, str]:
    """Return how long an answer may keep out what must be admitted, and the cure; "" if it may pass by itself."""
    if answer.outcome in _DENIED:
        return _DENIED_SECONDS, _DENIED_CURE
    if answer.outcome == _UNCONFIGURED:
        return _UNCONFIGURED_SECONDS, _UNCONFIGURED_CURE
    if answer.outcome == "other" and answer.said.startswith(_INADMISSIBLE):
        return _DENIED_SECONDS, _INADMISSIBLE_CURE
    return 0.0, ""


def wait_for_each_replica(
    api: Any, questions: Sequence[Question], pods: str, replicas: Sequence[Object], deadline: Deadline
) -> str:
    """Ask each replica, of the list `pods`, directly until all of its answers of one round are right; return the proof.

    That shows that it has the data on which policies depend, of which it reports nothing. Raises DeadlineExceeded.
    """
    asked = reviews(questions)
    wrong = ""
    for _ in deadline.attempts():
        said = (
            (name_of(pod), review, _say(api, review.url(pods, pod), review)) for pod, review in product(replicas, asked)
        )
        wrong = next(
            (f"{pod} answers {review.question}: {word}" for pod, review, word in said if word != review.wanted), ""
        )
        if not wrong:
            return f"{len(replicas)} replicas answer {len(asked)} questions right"
    raise deadline.error(wrong)


def _try(api: Any, question: Question, name: str) -> Answer:
    made = question.base is not None and not question.dry_run
    answer = ask(api, question, name, dry_run=not made)
    if made:
        with suppress(ApiRefused, ApiUnreachable):
            delete(api, f"{question.path}/{question.object_name(name)}")
    return answer


def _say(api: Any, url: str, review: Review) -> str:
    try:
        return review.said(request(api, "POST", url, body=review.body)["response"])
    except (ApiRefused, ApiUnreachable) as error:
        return error.cause
    except (ValueError, LookupError, TypeError) as error:
        return repr(error)
