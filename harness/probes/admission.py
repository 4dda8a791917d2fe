"""Admission probe ("canary"): asks the API server at a fixed rate whether policies hold."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, cycle
from typing import Annotated, Any
from uuid import uuid4

from kubernetes.client import ApiClient
from pydantic import Field

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.readiness import FORBIDDEN_NAMESPACE, WEBHOOK
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, ProbeBroken
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import CANARY, numbered
from chaos_harness.harness.policies import IGNORE_LABEL, PODS, Question
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.answers import TIMEOUT, Answer, ask

__all__ = ["CANARY", "FORBIDDEN", "admission_canary", "standing_questions"]

FORBIDDEN = Question(
    "create forbidden namespace",
    IGNORE_LABEL,
    "denied by webhook",
    "/api/v1/namespaces",
    FORBIDDEN_NAMESPACE,
    names=WEBHOOK,
)
"""A question that works on every Gatekeeper, without any policy."""

Rate = Annotated[float, Field(ge=0.1, le=200)]
"""Questions a second, as an incident file may set it."""

_DELETE_TIMEOUT = (2.0, 3.0)
_FEW = 16
_DELETED_AT_ONCE = 2
_SENT_AT_MOST = 2
"""Requests that one question sends: an update or a delete creates its object first."""

_NOT_FOUND = 404


def admission_canary(
    cluster: Cluster, history: HistoryWriter, *, rate: Rate = 5.0, questions: Sequence[Question] = (FORBIDDEN,)
) -> Probe:
    """Return a probe that asks the API server `rate` questions per second, in turn, each with its own number.

    The loop is open: a slow answer does not delay the next question. A question is an entry `invoke`, with `seq`,
    `policy`, `dry_run`, `round`, `wanted` (the answer that the policy demands), `late` (seconds after its due time),
    and `audit_id` (its id in the API server's audit log); `shared` is that of the question. A real one has the `name`
    of its object, if that is not made of its number alone, or `unwatched`, if no watch reports what it creates. Its
    answer is `ok` (the policy did what it must), `fail` (something else was answered) or `info` (unknown), with `seq`,
    `policy`, `outcome` and `said`. Created objects are deleted as soon as the answer is there; if that fails, later,
    one more object per question.

    With more questions without an answer than time-outs allow, which only a starved machine leaves open, it asks none
    until some of them have ended: that time is unseen.
    """
    return _Canary(cluster, history, rate, questions)


def standing_questions(cluster: Cluster) -> list[Question]:
    """Return what can be asked before any policy is in force: FORBIDDEN, or nothing on a cluster without Gatekeeper."""
    return [FORBIDDEN] if cluster.shape.gatekeeper else []


class _Canary(Probe):
    def __init__(self, cluster: Cluster, history: HistoryWriter, rate: float, questions: Sequence[Question]) -> None:
        super().__init__(CANARY, self._run_questions)
        self._cluster = cluster
        self._history = history
        self._interval = 1 / rate
        self._questions = questions
        self._most = _FEW + int(rate * (_SENT_AT_MOST * sum(TIMEOUT) + _DELETED_AT_ONCE * sum(_DELETE_TIMEOUT)))
        self._local = threading.local()
        self._threads = count()
        self._left: deque[str] = deque()
        self._last = -1
        self._open: set[int] = set()

    def settle(self, deadline: Deadline) -> None:
        """Wait for one more question, and for the answers to all earlier ones; raise ProbeBroken."""
        super().settle(deadline)
        last = self._last
        for _ in deadline.attempts(0.02, 0.2):
            if all(seq > last for seq in tuple(self._open)):
                return
        raise ProbeBroken(f"probe {self.name}: {deadline.error(f'{len(self._open)} questions without an answer')}")

    def _run_questions(self, probe: Probe) -> None:
        """Ask until the probe is stopped; each answer has its own thread, so that no question waits for another."""
        waiting: deque[Future[None]] = deque()
        asked = enumerate(cycle(self._questions))
        with self._cluster.client(connections=self._most) as api, ThreadPoolExecutor(self._most, CANARY) as pool:
            for due in probe.every(self._interval):
                while waiting and waiting[0].done():
                    waiting.popleft().result()
                if len(waiting) < self._most:
                    seq, question = next(asked)
                    self._open.add(seq)
                    self._last = seq
                    waiting.append(pool.submit(self._put, api, seq, question, due))
            for future in waiting:
                future.result()

    def _put(self, api: ApiClient, seq: int, question: Question, due: float) -> None:
        if not hasattr(self._local, "number"):
            self._local.number = next(self._threads)
        process = numbered(CANARY, self._local.number)
        common = {
            "seq": seq,
            "policy": question.policy,
            "dry_run": question.dry_run,
            "round": seq // len(self._questions),
        }
        late = round(time.monotonic() - due, 3)
        audit_id = str(uuid4())
        more = {"wanted": question.wanted, "late": late, "audit_id": audit_id}
        more |= {"shared": True} if question.shared else {}
        generated = f"{CANARY}-{seq}"
        common |= _unlike_canaries(question, generated)
        self._history.append("invoke", process, question.f, {**common, **more})
        answer = ask(api, question, generated, audit_id=audit_id)
        answered = {"outcome": answer.outcome, "said": answer.said}
        self._history.append(answer.kind, process, question.f, {**common, **answered})
        self._open.discard(seq)
        self._clean(api, question, answer, f"{question.path}/{question.object_name(generated)}")

    def _clean(self, api: ApiClient, question: Question, answer: Answer, path: str) -> None:
        """Delete the created object and one older leftover; without an answer, leave it for later."""
        if not question.dry_run and (answer.uid or answer.kind == "info" or question.verb != "create"):
            self._left.append(path)
        if answer.kind == "info":
            return
        for _ in range(_DELETED_AT_ONCE):
            try:
                oldest = self._left.pop()
            except IndexError:
                return
            if not _delete(api, oldest):
                self._left.appendleft(oldest)
                return


def _unlike_canaries(question: Question, generated: str) -> dict[str, Any]:
    """Return what a history needs to know of a real request if it does not create a pod `generated` among canaries."""
    if question.dry_run:
        return {}
    if question.verb != "create" or question.path != PODS:
        return {"unwatched": True}
    name = question.object_name(generated)
    return {"name": name} if name != generated else {}


def _delete(api: ApiClient, path: str) -> bool:
    try:
        request(api, "DELETE", path, body={"gracePeriodSeconds": 0}, timeout=_DELETE_TIMEOUT)
    except ApiRefused as error:
        return error.status == _NOT_FOUND
    except ApiUnreachable:
        return False
    return True
