"""An API server that does not answer: whatever request of a fault it is, the fault is not applied."""

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

    def __init__(self, when: str) -> None:
        self._when = when

    def inject(self, _injection: Injection) -> None:
        self._ask("inject")

    def observed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        self._ask("observe")
        return "it answered"

    def _ask(self, when: str) -> None:
        if when == self._when:
            raise ApiUnreachable("GET /api/v1/nodes", TimeoutError("timed out"), timed_out=True)


@pytest.mark.parametrize("when", ["inject", "observe"])
def test_a_fault_is_not_applied_without_answers(bench: Bench, when: str) -> None:
    """It is not an error of ours: the message names the fault, the request, and what to type."""
    fault = _Unanswered(when)
    with pytest.raises(FaultNotApplied, match=r"ask nobody: .*GET /api/v1/nodes: no answer.*`kubectl get --raw"):
        _try(bench, fault)


def _try(bench: Bench, fault: _Unanswered) -> None:
    bench.inject(fault)
    bench.observed(fault)
