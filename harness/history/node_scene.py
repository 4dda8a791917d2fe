"""Node scene: what a claim on lost nodes needs from a history, read once: the losses, and what was not seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Self

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.node_loss import NodeLoss, NodeLosses
from chaos_harness.harness.history.recorded import History
from chaos_harness.harness.history.rotation import Rotation
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import WATCH_WORKLOAD
from chaos_harness.harness.history.workload import Workload, WorkloadPod

__all__ = ["Named", "Scene", "Scope", "harm", "in_words"]

_WATCHED = (WATCH_WORKLOAD,)
_CUT_OFF = "the history is cut off: what was done after its last line is not known"


Named = str | tuple[str, ...]
"""The name or the id ("fault 2") of a fault, or of several."""


@dataclass(frozen=True)
class Scope:
    """The scope of a claim: nodes harmed in the way `how`, by `faults` (names or ids; none: any), and which pods."""

    how: str
    faults: tuple[str, ...] = ()
    namespace: str = ""
    kinds: tuple[str, ...] = ()

    @classmethod
    def of(cls, how: str, fault: Named, namespace: str, kinds: tuple[str, ...]) -> Self:
        """Return it from the parameters of a check."""
        return cls(how, (fault,) if isinstance(fault, str) else fault, namespace, kinds)

    @property
    def pods(self) -> str:
        """Which pods, in words."""
        where = f" in {self.namespace}" * bool(self.namespace)
        return f"{' and '.join(self.kinds)} pods{where}".strip()

    def __str__(self) -> str:
        """Return, in words, what was done to which nodes."""
        return f"{self.how} by {' and '.join(self.faults)}" if self.faults else self.how


class Scene:
    """The chosen losses, and the pods that were lost with them."""

    def __init__(self, recorded: History, chosen: Scope) -> None:
        self.coverage, self.faults, self.rotation = Coverage(recorded), Faults(), Rotation()
        self.nodes, self.workload = NodeLosses(self.faults), Workload()
        follow(recorded, self.coverage, self.faults, self.nodes, self.workload, self.rotation)
        self.until = self.coverage.until if recorded.until is not None else min(self.coverage.until, self.nodes.over)
        self._unseen = self.coverage.unseen(_WATCHED, 0.0, self.coverage.end)
        self._delayed = self.coverage.delayed(_WATCHED)
        self._named = {fault.id for fault in self.faults.named(*chosen.faults)}
        self.losses = [loss for loss in self.nodes.all if self._is_of(loss, chosen)]
        self._unknown = self.coverage.unknown(_WATCHED, 0.0, self.coverage.end)
        lost = self.nodes.replacements(
            self.workload,
            self.losses,
            namespace=chosen.namespace,
            kinds=chosen.kinds,
            earliest=self.earliest,
            listed=self._listed,
        )
        self.lost = [replace(case, sure=case.sure and case.loss.at not in self._unknown) for case in lost]
        self.hindrance = self._hindrance(chosen)
        """Why no claim can hold, or ""."""

    def earliest(self, moment: float) -> float:
        """Return the earliest moment of a change that the watch on the workload reported at `moment`, in seconds."""
        return next((begin for begin, end in self._delayed if begin <= moment <= end), moment)

    def _listed(self, moment: float) -> float:
        return next((begin for begin, end in self._unknown if begin <= moment <= end), moment)

    def end(self, loss: NodeLoss) -> float:
        """Return until when changes belong to a loss and are judged.

        Changes that belong to another loss of the same claim, of another node, count for the claim, too.
        """
        if loss.fault is None or loss.fault.healing is None:
            return self.until
        here = self._where(loss.fault) | {loss.node}
        ours = {other.fault.id for other in self.losses if other.fault and not self._where(other.fault) & here}
        healing = loss.fault.healing
        later = (fault.injected for fault in self.faults.all if fault.injected >= healing and fault.id not in ours)
        return min([self.until, *later])

    def hidden(self, begin: float, end: float) -> Spans:
        """Return when changes of the workload may be missing altogether that matter for this time.

        What a missing line of the file reported is not reported again by a list, so that it is missing from then on.
        """
        return self.coverage.unknown(_WATCHED, begin, end) | self.coverage.lost.within(0.0, end)

    def ready(self, pods: Sequence[WorkloadPod], moment: float, since: float = -inf) -> bool | None:
        """Whether one of these pods was Ready at a moment, as reported after `since`; None if that is not known."""
        begin, end = next((span for span in self._unseen if span[0] <= moment < span[1]), (moment, moment))
        turns = [at for pod in pods for at in (*(at for at, _ in pod.turns), pod.leaving) if at is not None]
        moments = {begin, moment, end, *(at for at in turns if begin < at <= end)}
        states = {any(pod.is_ready(at, since) for pod in pods) for at in moments}
        return states.pop() if len(states) == 1 else None

    def others(self, loss: NodeLoss, begin: float, end: float, *, here: bool = False) -> list[FaultSpan]:
        """Return the faults outside of the claim whose harm lasted at some time from `begin` to `end`.

        `here`: without those that harmed only other nodes.
        """
        ours = {loss.fault.id for loss in self.losses if loss.fault}
        harms = [(fault, harm(fault)) for fault in self.faults.all if fault.id not in ours]
        overlapping = [fault for fault, (first, last) in harms if first <= end and last > begin]
        return [fault for fault in overlapping if not here or self._where(fault) <= {loss.node}]

    def mutated_before(self, pod: WorkloadPod, moment: float) -> bool:
        """Whether a pod of the same controller that existed at a moment carried the mutation."""
        family = (other for other in self.workload.pods.values() if other.family == pod.family)
        return any(other.mutated and other.seen <= moment for other in family)

    def taken(self, pods: Sequence[WorkloadPod], begin: float, end: float) -> list[FaultSpan]:
        """Return the faults outside of the claim that harmed a node of these pods between two moments."""
        nodes = {pod.node for pod in pods}
        others = (loss for loss in self.nodes.all if loss not in self.losses and loss.node in nodes)
        return [loss.fault for loss in others if loss.fault and begin < loss.at <= end]

    def _is_of(self, loss: NodeLoss, chosen: Scope) -> bool:
        named = not chosen.faults or (loss.fault is not None and loss.fault.id in self._named)
        return loss.how == chosen.how and named

    def _where(self, fault: FaultSpan) -> set[str]:
        return {loss.node for loss in self.nodes.all if loss.fault is fault}

    def _hindrance(self, chosen: Scope) -> str:
        did = {name for loss in self.losses if loss.fault for name in (loss.fault.name, loss.fault.id)}
        if not self.losses or set(chosen.faults) - did:
            harmed = dict.fromkeys(
                f"{loss.how} ({loss.fault.name if loss.fault else 'no fault'})" for loss in self.nodes.all
            )
            return f"the history has no node harmed as '{chosen}'; it has: {', '.join(harmed) or 'no harmed node'}"
        unproved = [loss.node for loss in self.losses if not loss.proved]
        if unproved:
            return f"{chosen.how}: {', '.join(unproved)} was not proved to be lost"
        alike = self._named or {loss.fault.name for loss in self.losses if loss.fault}
        mute = [fault for fault in self.faults.all if {fault.id, fault.name} & alike and not self._where(fault)]
        if mute:
            return f"{', '.join(map(in_words, mute))}: which node it harmed is not known"
        return self._nobody() or ("" if self.coverage.ended else _CUT_OFF)

    def _nobody(self) -> str:
        """Return why no pod is known to be lost, or ""."""
        if not self.coverage.of(WATCH_WORKLOAD).known:
            return "the workload was not watched"
        nodes = ", ".join(loss.node for loss in self.losses)
        if not self.lost:
            return f"none of these pods was on {nodes}"
        if not any(case.sure for case in self.lost):
            dark = [span for span in self._unseen if any(span[0] <= loss.at <= span[1] for loss in self.losses)]
            return f"which pods were on {nodes} is not known: {WATCH_WORKLOAD} was not seen from {Spans(tuple(dark))}"
        return ""


def harm(fault: FaultSpan) -> Span:
    """Return from when to when the harm of a fault lasted; the harm of a one-shot fault lasts until its proof."""
    begin, end = fault.harm
    return begin, fault.proved if fault.one_shot and fault.proved is not None else end


def in_words(fault: FaultSpan) -> str:
    """Return a fault in words."""
    return f"{fault.name} ({fault.id})"
