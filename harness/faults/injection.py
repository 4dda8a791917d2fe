"""Injection: the cluster that a fault harms, the undos it registers, and the harm it notes in the history."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiUnreachable, DeadlineExceeded, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.targets import Target
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import HARM
from chaos_harness.harness.undo.actions import Action
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import RegisteredUndo, Undos

__all__ = ["Injection", "inject_fault", "observe_fault"]


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
        value = asdict(target)
        del value["static"]  # a history has the pod as the API server shows it
        self._history.append("info", HARM, how, value)

    def note_node_harm(self, how: str, node: str) -> None:
        """Record in the history that a node is about to be harmed; the value has the `node` and no pod."""
        self._history.append("info", HARM, how, {"node": node})

    def heal(self) -> None:
        """Do all registered undos that are not done yet; the experiment calls this. Raises what `Undos.run` raises."""
        self.undos.run()


def inject_fault(fault: Fault, injection: Injection) -> None:
    """Have a fault do its harm. Raises what `fault.inject` raises, FaultNotApplied if the API server does not answer.

    A request without an answer may have been done or not: either way the fault is not the one that was meant.
    """
    with _require_answers(fault.name):
        fault.inject(injection)


def observe_fault(fault: Fault, cluster: Cluster, deadline: Deadline) -> str:
    """Return the proof of a fault's effect. Raises FaultNotApplied if there is none in time, or no answer."""
    try:
        with _require_answers(fault.name):
            return fault.observed(cluster, deadline)
    except DeadlineExceeded as error:
        raise FaultNotApplied(f"{fault.name} is not proved: {error}") from error


@contextmanager
def _require_answers(name: str) -> Iterator[None]:
    try:
        yield
    except ApiUnreachable as error:
        raise FaultNotApplied(
            f"{name}: expected an answer of the API server, {error}; see `kubectl get --raw /readyz`"
        ) from error
