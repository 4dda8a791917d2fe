"""Injection: the cluster that a fault harms, and where the fault says beforehand what it is about to do."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.faults.targets import Target
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import HARM
from chaos_harness.harness.undo.actions import Action
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import RegisteredUndo, Undos

__all__ = ["Injection"]


class Injection:
    """One fault, injected into a cluster. `undos` is for what faults share with preparations, such as `edit`."""

    def __init__(self, cluster: Cluster, journal: Journal, history: HistoryWriter) -> None:
        self.cluster = cluster
        self.undos = Undos(cluster.engine, journal)
        self._history = history

    def undo(self, action: Action, /, *, harm: Mapping[str, Any] | None = None, **arguments: Any) -> RegisteredUndo:
        """Journal, before the harm, that `action(engine, **arguments)` takes it back; see `Undos.register`."""
        return self.undos.register(action, harm=harm, **arguments)

    def note_harm(self, how: str, target: Target) -> None:
        """Write into the history what is about to be done to a pod; recovery is measured from here."""
        self._history.append("info", HARM, how, asdict(target))

    def note_node_harm(self, how: str, node: str) -> None:
        """Write into the history what is about to be done to a node; the value names the `node` and no pod."""
        self._history.append("info", HARM, how, {"node": node})

    def heal(self) -> None:
        """Take everything back that is registered and not undone yet; it is the experiment that does this.

        Raises what `Undos.run` raises.
        """
        self.undos.run()
