"""Canary histories by hand, answer by answer, with what an experiment and the watches would add."""

from dataclasses import replace
from typing import Any, Self

from chaos_harness.harness.history import SCHEMA, EntryKind, Header, History
from chaos_harness.harness.policies import LEVEL
from tests.fakes.histories import STARTED, HistoryBuilder

__all__ = ["CanaryHistory"]

_OUTCOMES = {
    ("mutate pods", "ok"): "mutated",
    ("mutate pods", "fail"): "unmutated",
    ("deny by cel (vap)", "ok"): "denied by policy",
    ("deny by cel (vap)", "fail"): "admitted",
    ("deny by cel (webhook)", "fail"): "admitted",
    ("deny by rego", "fail"): "admitted",
}
_ASKED = {"mutate pods": "create mutable pod"}


class CanaryHistory(HistoryBuilder):
    """A history in which questions are numbered in the order of their moments."""

    def __init__(self) -> None:
        super().__init__()
        self._questions: list[list[tuple[float, dict[str, Any], dict[str, Any]]]] = [[]]

    def recorded(self, *, truncated: bool = False) -> History:
        """Return the history as a check reads it."""
        for canary in self._questions:
            for seq, (_, *values) in enumerate(sorted(canary, key=lambda question: question[0])):
                for value in values:
                    value["seq"] = seq
                    value["round"] = seq if value["round"] is None else value["round"]
        return super().recorded(truncated=truncated)

    def written(self, *, ended: bool = True) -> History:
        """Return the history as it is written today, to its end mark if it is `ended`."""
        header = Header(SCHEMA, "test", STARTED, "0")
        return replace(self.recorded(), header=header, ended=ended)

    def in_force(self, at: float, *policies: str, until: float | None = None) -> Self:
        """Add that policies are in force from a moment on, and perhaps until another."""
        self.add(at, "ok", "policies", "in force", {"policies": list(policies), "proof": "seen"})
        if until is not None:
            self.add(until, "invoke", "policies", "remove", {"policies": list(policies)})
        return self

    def ask(
        self,
        at: float,
        kind: EntryKind | None = "ok",
        *,
        policy: str = "mutate pods",
        took: float = 0.01,
        late: float = 0.0,
        outcome: str = "",
        said: str = "so",
        round_: int | None = None,
        dry_run: bool = True,
        **more: str,
    ) -> Self:
        """Add a question, which says `more`, and its answer, by a thread of its own; kind None: it never gets one."""
        process, f = f"canary {len(self._questions[-1]) % 50}", _ASKED.get(policy, "create violating pod")
        sorted_ = outcome or _OUTCOMES.get((policy, kind or ""), "denied by webhook" if kind == "ok" else "other")
        common = {"policy": policy, "dry_run": dry_run, "round": round_}
        question, answer = {**common, "late": late, **more}, {**common, "outcome": sorted_, "said": said}
        self._questions[-1].append((at, question, answer))
        self.add(at, "invoke", process, f, question)
        if kind is not None:
            self.add(at + took, kind, process, f, answer)
        return self

    def asks(self, begin: float, end: float, kind: EntryKind = "ok", *, rate: float = 10, **rest: Any) -> Self:
        """Add questions at a rate, all with the same kind of answer."""
        for number in range(round((end - begin) * rate)):
            self.ask(begin + number / rate, kind, **rest)
        return self

    def again(self) -> Self:
        """Begin to number anew, as a second canary does."""
        self._questions.append([])
        return self

    def call(
        self, at: float, said: str = "connect: connection refused", webhook: str = "mutation.gatekeeper.sh", **more: str
    ) -> Self:
        """Add a call that failed, which the API server did without; it is copied two seconds later."""
        words = f'failed calling webhook "x": Post "y": {said}'
        value = {"time": STARTED + at, "webhook": webhook, "said": words, **more}
        return self.add(at + 2, "info", "fail open", "call", value)

    def calls_read(self, until: float) -> Self:
        """Add that the API server's log is copied up to a moment."""
        return self.add(until, "ok", "fail open", "read", {"until": STARTED + until})

    def watched(self, *moments: float) -> Self:
        """Add that the watch on the workload lists, and gives signs of life."""
        for number, at in enumerate(moments):
            self.add(at, "change", "watch workload", "BOOKMARK" if number else "LISTED", {"resource_version": "1"})
        return self

    def workload(self, at: float, name: str, *, mutated: bool = True, f: str = "ADDED", in_gap: bool = False) -> Self:
        """Add what the watch saw of a pod of the workload."""
        options = {"seLinuxOptions": {"level": LEVEL}} if mutated else {}
        metadata = {
            "name": name,
            "namespace": "chaos-work",
            "uid": f"uid-{name}",
            "ownerReferences": [{"kind": "ReplicaSet", "name": "set"}],
        }
        value: dict[str, Any] = {"object": {"metadata": metadata, "spec": {"securityContext": options}}}
        return self.add(at, "change", "watch workload", f, value | ({"in_gap": True} if in_gap else {}))

    def blind(self, at: float) -> Self:
        """Add that the watch on the workload sees nothing for a while."""
        return self.add(at, "change", "watch workload", "GAP", {"why": "ended", "detail": ""})

    def serving(self, at: float, *pods: str) -> Self:
        """Add which webhook pods the Service sends requests to, by name."""
        endpoints = [{"conditions": {"ready": True}, "targetRef": {"name": pod, "uid": f"uid-{pod}"}} for pod in pods]
        endpoint_slice = {"metadata": {"name": "slice"}, "endpoints": endpoints}
        return self.add(at, "change", "watch endpointslices", "MODIFIED", {"object": endpoint_slice})
