"""Injection: the cluster that a fault harms, the undos it registers, and the harm it notes in the history."""

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
    """One fault that is injected into a cluster. `undos` is for helpers that preparations use, too, such as `edit`."""

    def __init__(self, cluster: Cluster, journal: Journal, history: HistoryWriter) -> None:
        self.cluster = cluster
        self.undos = Undos(cluster.engine, journal)
        self._history = history

    def undo(self, action: Action, /, *, harm: Mapping[str, Any] | None = None, **arguments: Any) -> RegisteredUndo:
        """Journal, before the harm, that `action(engine, **arguments)` undoes it; see `Undos.register`."""
        return self.undos.register(action, harm=harm, **arguments)

    def note_harm(self, how: str, target: Target) -> None:
        """Record in the history that a pod is about to be harmed; recovery is measured from this entry."""
        self._history.append("info", HARM, how, asdict(target))

    def note_node_harm(self, how: str, node: str) -> None:
        """Record in the history that a node is about to be harmed; the value has the `node` and no pod."""
        self._history.append("info", HARM, how, {"node": node})

    def heal(self) -> None:
        """Do all registered undos that are not done yet; the experiment calls this. Raises what `Undos.run` raises."""
        self.undos.run()
