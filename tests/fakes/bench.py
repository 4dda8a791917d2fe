"""Bench: a cluster with journal and history, on which faults are tried one method at a time."""

from pathlib import Path

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection, inject_fault, observe_fault
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal, Undo

__all__ = ["Bench"]


class Bench:
    """Faults are injected, observed and healed as an experiment would; waits are short."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.journal = Journal(folder / "journal.jsonl")
        self.history = HistoryWriter(folder / "history.jsonl")
        self._injections: dict[Fault, Injection] = {}

    def inject(self, fault: Fault) -> None:
        injection = self._injections[fault] = Injection(self.cluster, self.journal, self.history)
        inject_fault(fault, injection)

    def heal(self, fault: Fault) -> None:
        self._injections[fault].heal()

    def observed(self, fault: Fault, seconds: float = 5) -> str:
        return observe_fault(fault, self.cluster, Deadline.after(seconds, "the proof"))

    def healed(self, fault: Fault, seconds: float = 5) -> str:
        assert fault.healed is not ONE_SHOT
        return fault.healed(self.cluster, Deadline.after(seconds, "the proof"))

    def pending(self) -> list[Undo]:
        return journal.pending(self.journal.path)

    def close(self) -> None:
        self.journal.close()
        self.history.close()
