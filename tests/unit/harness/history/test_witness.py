"""Witness: what the API server counts of calls that failed open is what its log tells of them, or one lacks some."""

import pytest

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.witness import FailOpenCount, Witness
from tests.fakes.audit_log import MUTATION
from tests.fakes.canary_histories import CanaryHistory

COUNTER = 'apiserver_admission_webhook_fail_open_count{name="mutation.gatekeeper.sh",type="admit"}'


def counted(history: CanaryHistory) -> list[FailOpenCount]:
    recorded = history.recorded()
    coverage = Coverage(recorded)
    reader = Witness(coverage.clocks)
    follow(recorded, coverage, reader)
    return reader.failed_open()


def metrics(history: CanaryHistory, *reads: tuple[float, float]) -> CanaryHistory:
    for at, count in reads:
        history.add(at, "invoke", "metrics api server", "read")
        history.add(at + 0.5, "ok", "metrics api server", "read", {COUNTER: count, "gatekeeper_x": 1.0})
    return history


@pytest.mark.parametrize(
    ("reads", "number", "agree"),
    [
        ([(5, 7), (30, 9)], 2, True),
        ([(5, 7), (30, 10)], 3, False),
        ([(5, 7), (30, 8)], 1, False),
        ([(5, 7), (20, 1), (30, 3)], None, None),
        ([(10.9, 7), (30, 8)], 1, True),
        ([(10.9, 7), (30, 9)], 2, True),
    ],
)
def test_the_counter_is_a_second_witness(
    reads: list[tuple[float, float]], number: int | None, agree: bool | None
) -> None:
    """The log has as many calls as the counter; those logged while it was read may be in or not; a restart hides it."""
    history = metrics(CanaryHistory().call(1).call(11).call(12).call(40), *reads)
    (witness,) = counted(history)
    assert (witness.webhook, witness.counted, witness.agree) == (MUTATION, number, agree)


def test_a_webhook_that_never_failed_is_not_counted() -> None:
    """Without a reading there is no witness; what was logged and never counted disagrees."""
    assert counted(CanaryHistory().call(11)) == []
    history = CanaryHistory().call(11)
    for at in (5, 30):
        history.add(at, "invoke", "metrics api server", "read").add(at + 0.5, "ok", "metrics api server", "read", {})
    (witness,) = counted(history)
    assert (witness.counted, witness.logged, witness.agree) == (0, (1, 1), False)


def test_a_log_with_another_clock() -> None:
    """What a node logged is placed by its clock, as well as that is known."""
    value = {"offset": 60.0, "uncertainty": 1.0, "same": False}
    history = CanaryHistory().add(0.5, "ok", "clock w", "read", value).call(71).call(65.5)
    (witness,) = counted(metrics(history, (5, 7), (30, 8)))
    assert (witness.counted, witness.logged, witness.agree) == (1, (1, 2), True)
