"""Replica histories of today's schema by hand: pods, their Service and its replicas are seen all the time."""

from dataclasses import replace
from typing import Self

from chaos_harness.harness.history import EntryKind, Header, History
from chaos_harness.harness.history.vocabulary import WATCH_EVENTS, WATCH_PODS, WATCH_SLICES
from tests.fakes.histories import STARTED, HistoryBuilder

__all__ = ["LISTS", "ReplicaHistory", "cut", "killed", "killed_and_back", "killed_for_good"]

LISTS = (WATCH_PODS, WATCH_SLICES, WATCH_EVENTS)


class ReplicaHistory(HistoryBuilder):
    """A history of schema 2; what is watched gives a sign of life each second."""

    def recorded(self, *, truncated: bool = False, ended: bool = True) -> History:
        """Return the history as a check reads it, whole unless it is not `ended`."""
        recorded = super().recorded(truncated=truncated)
        return replace(recorded, header=Header(2, "test", STARTED, "0"), ended=ended)

    def watched(self, begin: float, end: float, *processes: str, how: str = "LISTED") -> Self:
        """Add that lists (none: all of them) are watched from a moment on, and give a sign of life each second."""
        for process in processes or LISTS:
            self.add(begin, "change", process, how, {"resource_version": "1"})
            for at in range(int(begin) + 1, int(end) + 1):
                self.add(at, "change", process, "BOOKMARK", {"resource_version": "1"})
        return self

    def blind(self, begin: float, end: float, process: str, *, how: str = "LISTED") -> Self:
        """Take what a watch told in a time, and add the gap that its writer would have written.

        A watch that is RESUMED tells all of it at the end of the gap, one that is LISTED anew nothing here.
        """
        late = [one for one in self._entries if one[2] == process and begin <= one[0] <= end and "object" in one[4]]
        self.without(process, begin, end)
        self.add(begin, "change", process, "GAP", {"why": "refused", "detail": ""})
        for _, kind, _, f, value in late if how == "RESUMED" else ():
            self.add(end, kind, process, f, {**value, "in_gap": True})
        return self.add(end, "change", process, how, {"resource_version": "2"})

    def without(self, process: str, begin: float = 0.0, end: float = 1e9) -> Self:
        """Take all that a process, or a family of them, wrote in a time."""
        self._entries = [one for one in self._entries if not (one[2].startswith(process) and begin <= one[0] <= end)]
        return self

    def blow(self, at: float, how: str, pod: str, *, proved: bool = True, process: str = "fault 2") -> Self:
        """Add a fault that does something to a pod, and its proof a second later; it is not healed."""
        name = {"killed": "kill containers", "rescheduled": "reschedule pod"}.get(how, how)
        self.add(at - 0.1, "invoke", process, "inject", {"name": name}).harm(at, how, pod)
        if proved:
            self.add(at + 1, "ok", process, "observed", {"name": name, "proof": "seen"})
        return self

    def decides(self, begin: float, end: float, pod: str, said: str = "denied", *, question: str = "p") -> Self:
        """Add one question in each numbered round, one a second, and what a replica decides."""
        for number in range(int(begin), int(end)):
            value = {"pod": pod, "uid": f"uid-{pod}", "question": question, "round": number}
            at = number + 0.4 + 0.2 * (question != "p")
            self.add(at, "invoke", f"replica {pod}", f"review {question}", value)
            outcome: EntryKind = "ok" if said == "denied" else "fail"
            self.add(at + 0.1, outcome, f"replica {pod}", f"review {question}", {**value, "said": said})
        return self

    def asked(self, begin: float, end: float, pod: str, outcome: EntryKind = "ok", **rest: object) -> Self:
        """Add one question a second to a replica; `rest` stands in the value of the answer."""
        at = begin + 0.5
        while at < end:
            value = {"pod": pod, "uid": f"uid-{pod}", **({"question": rest["question"]} if "question" in rest else {})}
            f = f"review {rest['question']}" if "question" in rest else "review"
            self.add(at - 0.1, "invoke", f"replica {pod}", f, value)
            self.add(at, outcome, f"replica {pod}", f, {**value, **rest})
            at += 1
        return self


def cut(heal: float | None = 80.0, end: int = 95) -> ReplicaHistory:
    """Return a cut from 10 to 80 s, with all that has to be seen seen all the time."""
    return ReplicaHistory().fault(9, 10, heal).watched(0, end)


def killed(history: ReplicaHistory | None = None) -> ReplicaHistory:
    """Return a webhook pod that is killed at 15 s, in a cut if no other history is given."""
    history = (history or cut()).pod(1, "a").rotation(1, "a", "b").asked(2, 15, "a").blow(15, "killed", "a")
    return history.pod(15.5, "a", ready=False, container="").rotation(15.6, "b").event(16, "Pulling", "a")


def killed_and_back(
    ready: float, container: str = "c2", history: ReplicaHistory | None = None, until: float = 95
) -> ReplicaHistory:
    """Return one that serves again a second after it is Ready, and goes on with it."""
    history = killed(history).pod(ready - 5, "a", ready=False, container=container).pod(ready, "a", container=container)
    return history.rotation(ready + 0.5, "a", "b").asked(ready + 0.6, until, "a")


def killed_for_good(history: ReplicaHistory | None = None) -> ReplicaHistory:
    """Return one that then waits for its image."""
    history = killed(history).event(17, "Failed", "a", "no such host")
    history.pod(17, "a", ready=False, container="", waiting="ErrImagePull")
    return history.pod(30, "a", ready=False, container="", waiting="ImagePullBackOff")
