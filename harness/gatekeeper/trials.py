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

_DENIED_SECONDS = 10.0
_DENIED = ("denied by webhook", "denied by policy")


def wait_for_answers(api: Any, questions: Sequence[Question], deadline: Deadline) -> None:
    """Ask until every answer of one round is right; by dry runs, but for real updates and deletes.

    Raises PolicyRejected if another policy denies a request for 10 s that must be admitted, DeadlineExceeded.
    """
    denied: Deadline | None = None
    wrong = ""
    for number in deadline.attempts():
        answers = ((question, _try(api, question, f"trial-{number}")) for question in questions)
        question, answer = next(((one, answer) for one, answer in answers if answer.kind != "ok"), (None, None))
        if question is None or answer is None:
            return
        wrong = f"{question.policy}: {question.f}: {answer.outcome}, {answer.said}"
        if question.wanted not in ("admitted", "mutated") or answer.outcome not in _DENIED:
            denied = None
            continue
        denied = denied or deadline.within(_DENIED_SECONDS, "it to be admitted")
        if denied.expired:
            where = f" in {question.namespace}" * bool(question.namespace)
            raise PolicyRejected(
                f"{question.policy}: {question.f}{where} must be admitted, and is denied: {answer.said}; leave it out "
                "of the match of what denies it (excludedNamespaces, labelSelector), or ask for something else"
            )
    raise deadline.error(wrong)


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
