"""Faults: harm done to a cluster on purpose, each with the proof that it bit and the proof that it is healed."""

from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaos_harness.clusters.cluster import Cluster
    from chaos_harness.clusters.deadline import Deadline
    from chaos_harness.harness.faults.injection import Injection

__all__ = ["ONE_SHOT", "Fault", "OneShot"]


class OneShot(Enum):
    """What a fault has in the place of `healed` if its harm lasts no longer than the blow; its value is the proof."""

    ONE_SHOT = "nothing to heal: the harm lasted no longer than the blow"


ONE_SHOT: Final = OneShot.ONE_SHOT


class Fault(Protocol):
    """One kind of harm, with its parameters; injected once, by one experiment.

    Healing is no method: the experiment does what `inject` has registered, newest first, also when `inject` or
    `observed` raised. One whose healing takes longer than others' has `healed_within`, in seconds: how long it may
    take until it is proved, else it violates the claim `heals`.
    """

    @property
    def name(self) -> str:
        """Verb and noun, as a reader of the report would say it: "cut registry"."""

    def inject(self, injection: "Injection") -> None:
        """Do the harm; every part of it only after `injection.undo(…)` has its undo in the journal."""

    def observed(self, cluster: "Cluster", deadline: "Deadline") -> str:
        """Return the evidence that the harm took effect; raise FaultNotApplied if there is none in time."""

    @property
    def healed(self) -> "Callable[[Cluster, Deadline], str] | OneShot":
        """Give what proves that nothing of the harm is left, or ONE_SHOT.

        It is a method like `observed`, called after the undos, again and again until it returns the evidence instead of
        raising FaultNotApplied, or its time is up.
        """
