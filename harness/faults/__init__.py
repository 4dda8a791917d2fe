"""Faults: harm done to a cluster on purpose, with a proof of its effect and a proof that it is healed."""

from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaos_harness.clusters.cluster import Cluster
    from chaos_harness.clusters.deadline import Deadline
    from chaos_harness.harness.faults.injection import Injection

__all__ = ["ONE_SHOT", "Fault"]


class OneShot(Enum):
    """What a one-shot fault has in place of `healed`: its harm does not last; the value is the text of the proof."""

    ONE_SHOT = "nothing to heal: the fault is one-shot"


ONE_SHOT: Final = OneShot.ONE_SHOT


class Fault(Protocol):
    """One kind of harm with its parameters; injected once, by one experiment.

    A fault has no method to heal: the experiment does the undos that `inject` has registered, newest first, also if
    `inject` or `observed` raised. A fault that takes longer than others to heal has `healed_within`: how many seconds
    after its undo the proof may take before the claim `heals` is violated, and one whose effect takes long to show has
    `proved_within`. One that brings a state about which is to be judged, such as another version, has `stays`: an
    incident takes it back after its claims. One that harms pods of Gatekeeper has `harms_pods`, one that harms a node
    `harms_nodes`: how, in the word of the history and of claims ("stopped node").
    """

    @property
    def name(self) -> str:
        """Verb and noun for reports: "cut registry"."""

    def inject(self, injection: "Injection") -> None:
        """Do the harm; before each part of it `injection.undo(…)` must have written its undo to the journal."""

    def observed(self, cluster: "Cluster", deadline: "Deadline") -> str:
        """Return the evidence that the harm had an effect; raise FaultNotApplied if there is none in time."""

    @property
    def healed(self) -> "Callable[[Cluster, Deadline], str] | OneShot":
        """The method that returns the evidence that nothing of the harm is left, or ONE_SHOT.

        It is a method like `observed`, called after the undos, repeatedly until it returns the evidence or its time is
        up; it raises FaultNotApplied if harm is left.
        """
