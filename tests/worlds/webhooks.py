"""Webhooks: worlds of Gatekeeper's own pods: what happens to each, what the watches see of it, what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Any, NamedTuple

from chaos_harness.harness.history.vocabulary import (
    FAULT,
    HARM,
    REVIEW,
    WATCH_EVENTS,
    WATCH_PODS,
    WATCH_SLICES,
    numbered,
    review_of,
)
from tests.worlds.claimed import staged
from tests.worlds.dice import Dice, Stretch
from tests.worlds.faulty import TrueFault, written
from tests.worlds.stage import STARTED, Answer, Asking, Canary, Question, Stage

__all__ = ["BLOWS", "FORBIDDEN", "Pod", "Scene", "State", "drawn_scene", "replica"]

FORBIDDEN = "check ignore label"
_READY_SECONDS, _ROTATION_SECONDS = 1.5, 0.3
_ROUND = 0.4
"""When in a second a numbered round is asked."""

_BEGIN = -100.0
_UNREACHED = "error trying to reach service: dial tcp 10.244.1.3:8443"
BLOWS = {"killed": "kill containers", "rescheduled": "reschedule pod"}
"""By which fault something is done to pods, unless another name is given."""

Object = dict[str, Any]


class State(NamedTuple):
    """What a pod is from a moment on: which container runs ("": none, for a `reason`), or that it goes, or is gone."""

    at: float
    container: str
    reason: str = ""
    deleting: bool = False
    gone: bool = False


@dataclass
class Pod:
    """A pod through its life; `states` in their order.

    `mute`: when it answers nobody, which the API server says, or, if `deaf`, nobody; `barred`: it is out of rotation;
    `astray`: when it decides otherwise than its policy demands.
    """

    name: str
    node: str
    states: list[State]
    webhook: bool = True
    mute: list[Stretch] = field(default_factory=list)
    unready: list[Stretch] = field(default_factory=list)
    barred: bool = False
    deaf: bool = False
    astray: list[Stretch] = field(default_factory=list)

    @property
    def uid(self) -> str:
        """Its uid."""
        return f"uid-{self.name}"

    def state(self, at: float) -> State | None:
        """Return what it is at a moment."""
        return next((state for state in reversed(self.states) if state.at <= at), None)

    def ready(self, at: float) -> bool:
        """Whether it is Ready: its container runs for some time."""
        now = self.state(at)
        if now is None or not now.container or now.gone or any(begin <= at < end for begin, end in self.unready):
            return False
        since = next(state.at for state in self.states if state.container == now.container)
        return at >= since + _READY_SECONDS

    def serves(self, at: float) -> bool:
        """Whether it truly serves: it is Ready, in rotation, and answers."""
        now = self.state(at)
        mute = any(begin <= at < end for begin, end in self.mute)
        return bool(now and not now.deleting) and not self.barred and not mute and self.ready(at - _ROTATION_SECONDS)

    def moments(self) -> list[float]:
        """Return when anything changes of it that a watch can see."""
        ready = [state.at + _READY_SECONDS for state in self.states if state.container]
        edges = [edge for span in self.unready for edge in span if edge < inf]
        return sorted({*(state.at for state in self.states), *ready, *edges})


@dataclass
class Scene:
    """A world of pods; what is done to them is written by `finish`.

    They are asked the label review, or one `question` in rounds that are numbered.
    """

    stage: Stage
    pods: list[Pod]
    question: str = ""

    def harm(self, at: float, how: str, *pods: Pod, by: str = "", proved: bool = True) -> None:
        """Write the fault that does something to pods at a moment, `by` name, and what it does to each."""
        number = 1 + len({line.process for line in self.stage.lines if line.process.startswith(FAULT)})
        name, once = by or BLOWS[how], how == "killed"
        end = self.stage.judge + 1.2
        seen = at + 0.9 if proved else None
        written(self.stage, [TrueFault(f"{FAULT} {number}", name, at - 0.1, seen, end, end + 0.1, one_shot=once)])
        for index, pod in enumerate(pods):
            self._harmed(at + index / 100, how, pod)

    def _harmed(self, at: float, how: str, pod: Pod) -> None:
        now = pod.state(at - 0.01)
        containers = [now.container] if now and now.container else []
        value = {"pod": pod.name, "uid": pod.uid, "node": pod.node, "containers": containers, "owner": "set"}
        self.stage.mark(at, "info", HARM, how, value)

    def finish(self) -> None:
        """Let watches, probes and the Service see what there is."""
        stage = self.stage
        for watch in (WATCH_PODS, WATCH_SLICES, WATCH_EVENTS):
            stage.watch(watch)
        rotations: set[float] = set()
        for pod in self.pods:
            for at in pod.moments():
                now = pod.state(at)
                stage.put(WATCH_PODS, at, pod.name, None if now is None or now.gone else _object(pod, now, at))
                rotations.add(at)
            self._events(pod)
            if pod.webhook:
                self._ask(pod)
        for moment in sorted(rotations):
            at = moment + _ROTATION_SECONDS
            names = [pod for pod in self.pods if pod.webhook and not pod.barred and pod.ready(moment)]
            alive = [pod for pod in names if (now := pod.state(at)) and not now.deleting]
            stage.put(WATCH_SLICES, at, "slice", _slice(alive))
        question = Question(FORBIDDEN, "create forbidden namespace", dry_run=True)
        stage.canaries.append(Canary(0.7, stage.judge + 1.5, 2.0, (question,), self._canary))

    def _canary(self, _question: Question, at: float, _seq: int) -> Answer:
        if any(pod.webhook and pod.serves(at) for pod in self.pods):
            return Answer("ok", 0.02, {"outcome": "denied by webhook", "said": "as it must"})
        return Answer("fail", 0.02, {"outcome": "refused", "said": "500 failed calling webhook: no endpoints"})

    def _ask(self, pod: Pod) -> None:
        begin = max(0.9, pod.states[0].at + 0.4)
        end = next((state.at for state in pod.states if state.gone), self.stage.judge + 1.5)
        value: Object = {"pod": pod.name, "uid": pod.uid}
        f, stream = REVIEW, replica(pod)
        if self.question:
            value, f, stream = {**value, "question": self.question}, review_of(self.question), self.asked(pod)
            begin = ceil(begin) + _ROUND

        def answer(at: float) -> Answer:
            now = pod.state(at)
            if any(one <= at < other for one, other in pod.mute):
                if pod.deaf:
                    return Answer("info", 3.0, {"said": "ReadTimeoutError"})
                return Answer("fail", 2.0, {"status": 503, "said": f"{_UNREACHED}: i/o timeout"})
            since = next((state.at for state in pod.states if now and state.container == now.container), inf)
            if now is None or not now.container or at < since + _READY_SECONDS / 2:
                return Answer("fail", 0.02, {"status": 503, "said": f"{_UNREACHED}: connect: connection refused"})
            if any(one <= at < other for one, other in pod.astray):
                return Answer("fail", 0.03, {"said": "allowed"})
            return Answer("ok", 0.03, {"said": "denied"})

        def in_round(at: float) -> Answer:
            given = answer(at)
            return given._replace(value={**given.value, "round": int(at)})

        process, asked = numbered("replica", pod.name), in_round if self.question else answer
        self.stage.askings.append(Asking(stream, process, f, begin, end, 1.0, asked, value))

    def asked(self, pod: Pod) -> str:
        """Return the stream of the question to a pod."""
        return f"{replica(pod)} {self.question}".rstrip()

    def _events(self, pod: Pod) -> None:
        started: set[str] = set()
        for number, state in enumerate(pod.states):
            reasons = ["Started"] if state.container and state.container not in started else []
            started.add(state.container)
            if state.reason.startswith("ImagePull"):
                reasons = ["Pulling", "Failed"]
            for reason in reasons:
                name = f"{pod.name}.{number}.{reason}"
                event = {
                    "metadata": {"name": name, "uid": f"uid-{name}"},
                    "involvedObject": {"uid": pod.uid, "name": pod.name},
                    "reason": reason,
                    "message": f"{reason}: {state.reason}",
                }
                self.stage.put(WATCH_EVENTS, state.at + 0.1, name, event)


def replica(pod: Pod) -> str:
    """Return the stream of questions to a pod."""
    return f"replica {pod.uid}"


def drawn_scene(dice: Dice, end: float, *, audit: bool = True) -> Scene:
    """Return a world with some webhook pods that serve, and one of another kind."""
    names = ["a", "b", "c"][: dice.randint(2, 3)]
    pods = [Pod(name, f"worker{number}", [State(_BEGIN, f"{name}0")]) for number, name in enumerate(names)]
    if audit:
        pods.append(Pod("audit", "worker0", [State(_BEGIN, "audit0")], webhook=False))
    return Scene(staged(dice, end), pods)


def _object(pod: Pod, now: State, at: float) -> Object:
    metadata: Object = {
        "name": pod.name,
        "namespace": "gatekeeper-system",
        "uid": pod.uid,
        "labels": {"gatekeeper.sh/operation": "webhook" if pod.webhook else "audit"},
        "ownerReferences": [{"uid": "set" if pod.webhook else "other", "kind": "ReplicaSet", "controller": True}],
    }
    if now.deleting:
        metadata["deletionTimestamp"] = "2027-01-15T08:00:30Z"
    restarts = sum(bool(earlier.container) for earlier in pod.states if earlier.at <= at) - 1
    state = {"running": {}} if now.container else {"waiting": {"reason": now.reason or "CrashLoopBackOff"}}
    last = next((earlier.container for earlier in reversed(pod.states) if earlier.at <= at and earlier.container), "")
    container = {"name": "manager", "restartCount": max(0, restarts), "state": state, "ready": pod.ready(at)}
    if last:
        container["containerID"] = f"containerd://{last}"
    status = {
        "conditions": [{"type": "Ready", "status": str(pod.ready(at))}],
        "containerStatuses": [container],
    }
    return {"metadata": metadata, "spec": {"nodeName": pod.node} if pod.node else {}, "status": status}


def _slice(pods: Sequence[Pod]) -> Object:
    endpoints = [{"conditions": {"ready": True}, "targetRef": {"name": pod.name, "uid": pod.uid}} for pod in pods]
    return {"metadata": {"name": "slice", "namespace": "gatekeeper-system", "uid": "uid-slice"}, "endpoints": endpoints}


_ = STARTED
