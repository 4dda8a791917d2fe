"""Healing: what an undo that was done and brought nothing back is: the product's, a claim, and no error on the way."""

import json
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.checks.heals import heals
from chaos_harness.harness.errors import (
    ApiUnreachable,
    CommandFailed,
    FaultNotApplied,
    HarnessError,
    InvariantViolated,
    UndoFailed,
)
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults import ONE_SHOT
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.history import read
from chaos_harness.harness.undo import journal
from tests.fakes.world import World

_GIVEN = 0.3
_AWAY = FaultNotApplied("expected it to be back, it is away")


class Staying:
    """A fault whose undo is done, and whose proof of being healed raises this, so often at most."""

    name = "break it"
    healed_within = _GIVEN

    def __init__(self, error: Exception = _AWAY, times: int = 1000) -> None:
        self._error = error
        self.left = times

    def inject(self, _injection: Injection) -> None:
        """Do nothing that would have to be undone."""

    def observed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        return "it is broken"

    def healed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        self.left -= 1
        if self.left >= 0:
            raise self._error
        return "it is back"


@pytest.fixture
def experiment(cluster: Cluster, tmp_path: Path) -> Experiment:
    return Experiment(cluster, tmp_path / "try", name="a try", seed=7, probes=lambda *_: [])


def claimed(experiment: Experiment) -> list[tuple[str, str, str]]:
    """Return the claims of an experiment, as its record has them."""
    return [
        (claim["id"], claim["expected"], claim["outcome"]) for claim in json.loads(experiment.record.json())["claims"]
    ]


def told(experiment: Experiment) -> list[str]:
    """Return what the history tells of the first fault."""
    return [entry.f for entry in read(experiment.history.path).entries if entry.process == "fault 1"]


@pytest.mark.parametrize("error", [_AWAY, ApiUnreachable("GET /readyz", OSError("refused"))])
def test_what_does_not_come_back_is_the_products(experiment: Experiment, error: Exception) -> None:
    """Nothing is raised when the proof does not come: the scenario goes on, and the claim is violated at its end."""
    went_on = []

    def live() -> None:
        with experiment:
            with experiment.fault(Staying(error)):
                pass
            went_on.append(experiment.recovered())

    with pytest.raises(InvariantViolated, match=r"break it heals within 0.3 s .*expected holds, found violated"):
        live()
    assert went_on == [True]
    assert claimed(experiment) == [("heals(0.3, break it)", "holds", "violated")]
    assert told(experiment) == ["inject", "observed", "observed", "heal", "undone", "not healed"]
    assert [phase.status for phase in experiment.record.phases][-2:] == ["failed", "passed"]
    assert (experiment.record.faults[0].healed_at, experiment.record.faults[0].heal_proof) == (None, "")


def test_what_comes_back_is_claimed_too(experiment: Experiment, world: World) -> None:
    """Each fault that lasts makes a claim, once for all of a name, however it ended; it is asked until it is back."""
    with experiment:
        for _ in range(2):
            with experiment.fault(cut_registry()):
                pass
        experiment.act(Staying(times=1), heals_within=60)
    assert claimed(experiment) == [
        ("heals(120, cut registry)", "holds", "holds"),
        ("heals(60, break it)", "holds", "holds"),
    ]
    assert world.running


def test_it_is_asked_for_longer_than_it_may_take(experiment: Experiment) -> None:
    """Who comes late is seen to; and a moment in which this machine was starved leaves the claim decided."""

    def live() -> None:
        with experiment, experiment.fault(Staying(), heals_within=1.2):
            pass

    with pytest.raises(InvariantViolated):
        live()
    moments = {entry.f: entry.at for entry in read(experiment.history.path).entries if entry.process == "fault 1"}
    assert moments["not healed"] - moments["undone"] >= 1.5


@pytest.mark.parametrize("named", ["break it", "fault 1"])
def test_what_the_scenario_claims_is_not_claimed_again(experiment: Experiment, named: str) -> None:
    """Who expects that a fault does not heal says so, by its name or its id."""
    with experiment:
        with experiment.fault(Staying()):
            pass
        experiment.claim(heals(0.2, fault=named), expected="violated", known="planted")
    assert claimed(experiment) == [(f"heals(0.2, {named})", "violated", "violated")]


def test_what_was_raised_before_keeps_its_place(experiment: Experiment) -> None:
    """If a fault does not heal, this is added as a note to the error of the block, and is in the record, too."""
    with pytest.raises(ValueError, match="in the block") as raised, experiment, experiment.fault(Staying()):
        raise ValueError("in the block")
    assert "break it heals within 0.3 s" in raised.value.__notes__[0]
    assert len(claimed(experiment)) == 1


def test_an_undo_that_cannot_be_done_is_ours(experiment: Experiment, world: World) -> None:
    """It is raised, is no claim, and may be why another fault does not heal; its undo stays in the journal."""

    def live() -> None:
        with experiment:
            experiment.act(cut_registry("drop", nodes=["w-worker"]))
            experiment.act(Staying())
            world.containers["w-worker"].status = "paused"

    with pytest.raises(UndoFailed, match="is paused") as raised:
        live()
    assert claimed(experiment) == [("heals(0.3, break it)", "holds", "inconclusive")]
    assert "cut registry was there, too" in "".join(raised.value.__notes__)
    assert [undo.action for undo in journal.pending(Path(experiment.record.journal))] == ["registry.drop_no_more"]


@pytest.mark.parametrize("error", [CommandFailed("docker: gone"), HarnessError("the engine is gone")])
def test_who_cannot_ask_says_nothing_of_the_product(experiment: Experiment, error: HarnessError) -> None:
    """What keeps us from asking is raised as ours; whether it heals is then inconclusive, which is a note."""
    with pytest.raises(type(error), match="gone"), experiment, experiment.fault(Staying(error)):
        pass
    assert claimed(experiment) == [("heals(0.3, break it)", "holds", "inconclusive")]


def test_a_fault_that_was_not_proved_claims_nothing(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is judged by it: that it is not as it was stands in the notes of its error, at once."""

    def fail(_self: object, _cluster: object, _deadline: object) -> str:
        raise FaultNotApplied("it did not bite")

    monkeypatch.setattr(Staying, "observed", fail)
    fault = Staying()
    with pytest.raises(FaultNotApplied, match="did not bite") as raised, experiment, experiment.fault(fault):
        pytest.fail("the block was entered")
    assert raised.value.__notes__ == [f"and besides: FaultNotApplied: {_AWAY}"]
    assert (claimed(experiment), fault.left) == ([], 999)


def test_who_judges_by_the_history_claims_it_there(cluster: Cluster, tmp_path: Path) -> None:
    """An experiment that is told so claims nothing by itself."""
    experiment = Experiment(cluster, tmp_path / "try", name="a", seed=7, probes=lambda *_: [], claims_healing=False)
    with experiment, experiment.fault(Staying()):
        pass
    assert claimed(experiment) == []


def test_one_shots_claim_nothing(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lasts no longer than its blow has nothing to heal."""
    monkeypatch.setattr(Staying, "healed", ONE_SHOT)
    with experiment:
        experiment.act(Staying())
    assert (claimed(experiment), told(experiment)) == ([], ["inject", "observed", "heal", "healed"])
