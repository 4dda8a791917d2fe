"""Faults: harm done to a cluster on purpose, each with the proof that it bit and the proof that it is healed."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from clusters.cluster import Cluster
    from clusters.deadline import Deadline
    from harness.history import History
    from harness.undo.journal import Journal

__all__ = ["Fault"]


class Fault(Protocol):
    """One kind of harm, with its parameters; used by one experiment, in the order of the methods.

    One whose harm lasts no longer than the blow, so that there is nothing to heal, has `one_shot = True`. One whose
    healing takes longer than others' has `healed_within`, in seconds: how long it may take to be proved.
    """

    @property
    def name(self) -> str:
        """Verb and noun, as a reader of the report would say it: "cut registry"."""

    def inject(self, cluster: "Cluster", journal: "Journal", history: "History") -> None:
        """Do the harm; every part of it only after its undo is in the journal."""

    def observed(self, cluster: "Cluster", deadline: "Deadline") -> str:
        """Return the evidence that the harm took effect; raise FaultNotApplied if there is none in time."""

    def heal(self, cluster: "Cluster", journal: "Journal", history: "History") -> None:
        """Take the harm back and note that in the journal; do nothing if it is not there (any more)."""

    def healed(self, cluster: "Cluster", deadline: "Deadline") -> str:
        """Return the evidence that nothing of the harm is left; raise FaultNotApplied if some is."""
