"""An API server that does not answer, or a proof that takes too long: the fault is not applied."""

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiUnreachable, FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT
from chaos_harness.harness.faults.injection import Injection
from tests.fakes.bench import Bench


class _Unanswered:
    name = "ask nobody"
    healed = ONE_SHOT

    def __init__(self, when: str, late: Deadline | None = None) -> None:
        self._when = when
        self._late = late

    def inject(self, _injection: Injection) -> None:
        self._ask("inject")

    def observed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        self._ask("observe")
        return "it answered"

    def _ask(self, when: str) -> None:
        if when == self._when and self._late:
            raise self._late.error("the command was still running")
        if when == self._when:
            raise ApiUnreachable("GET /api/v1/nodes", TimeoutError("timed out"), timed_out=True)


@pytest.mark.parametrize("when", ["inject", "observe"])
def test_a_fault_is_not_applied_without_answers(bench: Bench, when: str) -> None:
    """It is not an error of ours: the message names the fault, the request, and what to type."""
    fault = _Unanswered(when)
    with pytest.raises(FaultNotApplied, match=r"ask nobody: .*GET /api/v1/nodes: no answer.*`kubectl get --raw"):
        _try(bench, fault)


def test_a_fault_is_not_applied_if_its_proof_takes_too_long(bench: Bench) -> None:
    """Whatever the deadline ends, such as a command on a busy node: what was seen last is told."""
    fault = _Unanswered("observe", Deadline.after(0, "the proof"))
    with pytest.raises(FaultNotApplied, match=r"ask nobody is not proved: .*the command was still running"):
        _try(bench, fault)


def _try(bench: Bench, fault: _Unanswered) -> None:
    bench.inject(fault)
    bench.observed(fault)
