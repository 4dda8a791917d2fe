"""Harms: what faults did to which pods and nodes."""

from dataclasses import dataclass

from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import HARM

__all__ = ["Harm", "Harms"]


@dataclass(frozen=True)
class Harm:
    """What was done to one pod, or to a node: when (seconds), how ("killed"), and the pod's state then.

    For a node, `pod`, `uid`, `containers` and `owner` are empty. `fault` is the one that did it; None if its
    first line is missing.
    """

    at: float
    how: str
    node: str
    pod: str = ""
    uid: str = ""
    containers: tuple[str, ...] = ()
    owner: str = ""
    fault: FaultSpan | None = None


class Harms(Reader):
    """The harms of a history, in order; a reader (see `following`) that must come after that of the faults."""

    def __init__(self, faults: Faults) -> None:
        self.all: list[Harm] = []
        self._faults = faults

    def of(self, how: str) -> list[Harm]:
        """Return what was done to pods in this way."""
        return [harm for harm in self.all if harm.uid and harm.how == how]

    def hit(self, uid: str, node: str) -> list[Harm]:
        """Return what was done to a pod or to its node."""
        return [harm for harm in self.all if (harm.uid == uid if harm.uid else harm.node == node)]

    def strays(self, fault: FaultSpan, uid: str, node: str) -> bool:
        """Whether a fault may have harmed a pod: it did, or the history does not record what it harmed."""
        aimed = [harm for harm in self.all if harm.fault and harm.fault.id == fault.id]
        return not aimed or any(harm in aimed for harm in self.hit(uid, node))

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process == HARM else None

    def _take(self, entry: Entry) -> None:
        value = entry.value or {}
        doing = [fault for fault in self._faults.all if fault.proved is None and fault.healing is None]
        self.all.append(
            Harm(
                at=entry.at,
                how=entry.f,
                node=value.get("node", ""),
                pod=value.get("pod", ""),
                uid=value.get("uid", ""),
                containers=tuple(value.get("containers") or ()),
                owner=value.get("owner", ""),
                fault=doing[-1] if doing else None,
            )
        )
