"""Protocol: what every fault of the catalogue owes, whatever it does; its journal is test_faults_killed's."""

from collections.abc import Callable

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.checks.heals import implied
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.experiment.healing import take_back
from chaos_harness.harness.faults import ONE_SHOT
from chaos_harness.harness.history import read
from chaos_harness.harness.history.vocabulary import INJECT, OBSERVED
from chaos_harness.harness.undo import journal
from tests.fakes.crashes import LASTING, ROWS, Run

FAULTS = [name for name, row in ROWS.items() if row.fault in entries("fault")]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_does_nothing_is_found_out(live: Callable[[], Run], name: str) -> None:
    """However well its commands end, what has changed nothing is FaultNotApplied."""
    run = live()
    run.world.lazy = True
    fault = run.inject(name)
    assert run.world.state() == run.before
    with pytest.raises(FaultNotApplied, match="expected"):
        fault.observed(run.cluster, Deadline.after(0.2, "the proof"))


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_one_shot_says_so(live: Callable[[], Run], name: str) -> None:
    """What has an undo has a proof of being healed, too; what is one-shot has neither."""
    run = live()
    fault = run.inject(name)
    assert fault.name
    assert callable(fault.healed) or (fault.healed is ONE_SHOT and name not in LASTING)


@pytest.mark.parametrize("name", [name for name in FAULTS if name in LASTING])
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0,), (1,), ()], ids=str)
def test_the_second_of_a_kind_is_refused_or_undone_too(
    live: Callable[[], Run], name: str, order: tuple[int, ...]
) -> None:
    """The second of a kind is refused before it does anything, or both leave what was there before the first.

    They are healed in any order, or killed at any point.
    """
    run = live()
    run.inject(name)
    once = run.world.state(), journal.pending(run.journal.path)
    try:
        run.inject(name)
    except Exception:  # noqa: BLE001 - in whatever words
        assert (run.world.state(), journal.pending(run.journal.path)) == once
    faults = list(run.injected)
    for index in order:
        run.heal(faults[index])
    run.replay()
    run.is_healed()


@pytest.mark.parametrize("name", FAULTS)
def test_healing_twice_asks_nobody(live: Callable[[], Run], name: str) -> None:
    """Healing a fault that is healed already sends no command."""
    run = live()
    fault = run.inject(name)
    run.heal(fault)
    asked = run.world.asked
    run.heal(fault)
    assert run.world.asked == asked


@pytest.mark.parametrize("name", FAULTS)
def test_what_lasts_claims_to_heal(live: Callable[[], Run], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that lasts, was proved, and is undone without coming back raises nothing, and its claim is violated.

    One that is one-shot claims nothing. One that was not proved raises, and claims nothing, either.
    """
    run = live()
    fault = run.inject(name)
    lasting = fault.healed is not ONE_SHOT
    value = {"name": fault.name, "proof": "seen"}
    run.history.append("invoke", "fault 1", INJECT, value)
    run.history.append("ok", "fault 1", OBSERVED, value)

    def stay(_cluster: object, _deadline: object) -> str:
        raise FaultNotApplied("it is away")

    if lasting:
        monkeypatch.setattr(fault, "healed", stay)
    healed, said = take_back(fault, run.injections[fault], run.history, "fault 1", 0.05, proved=True)
    assert (healed, said) == ((False, "it is away") if lasting else (True, ONE_SHOT.value))
    recorded = read(run.history.path, so_far=True)
    assert [verdict.outcome for _, verdict in implied(recorded)] == (["violated"] if lasting else [])
    if lasting:
        with pytest.raises(FaultNotApplied, match="it is away"):
            take_back(fault, run.injections[fault], run.history, "fault 1", 0.05, proved=False)
