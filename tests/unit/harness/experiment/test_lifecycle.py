"""Experiment: its life cycle, in a world of our own, and what becomes of it when something goes wrong in the middle."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.pulls import no_request_during
from chaos_harness.harness.errors import (
    CommandFailed,
    DeadlineExceeded,
    FaultNotApplied,
    HarnessError,
    Inconclusive,
    InvariantViolated,
    ProbeBroken,
    UndoFailed,
)
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.faults.registry.remove_image import remove_image
from chaos_harness.harness.faults.workloads.reschedule import uncordon
from chaos_harness.harness.gatekeeper.restart import pull_policy, restart_gatekeeper
from chaos_harness.harness.history import History, HistoryWriter, read
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.usual import usual_probes
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal, Undo
from chaos_harness.harness.verdict import Outcome, Verdict
from tests.fakes.world import IMAGE, World


def no_probes(_cluster: Cluster, _history: HistoryWriter) -> list[Probe]:
    return []


@pytest.fixture
def make(cluster: Cluster, tmp_path: Path) -> Callable[..., Experiment]:
    def make(seed: int = 7, probes: Callable[[Cluster, HistoryWriter], list[Probe]] = no_probes) -> Experiment:
        return Experiment(cluster, tmp_path / "try", name="a try", seed=seed, probes=probes)

    return make


def finds(outcome: Outcome) -> Check:
    """Return a check that finds this whatever the history says."""

    def check(_: History) -> Verdict:
        return Verdict(outcome, "because", ("seen",), {"some_seconds": 1.0})

    return Check(check)


def phases(experiment: Experiment) -> list[str]:
    """Return the phases that were gone through."""
    return [phase.name for phase in experiment.record.phases]


def test_life_cycle(make: Callable[..., Experiment]) -> None:
    """An experiment goes from steady state over fault, proof and healing to recovery, and tells all of it."""
    with make() as experiment:
        with experiment.fault(cut_registry()) as proof:
            experiment.hold(0.01)
        assert experiment.recovered()
        assert experiment.claim(finds("holds")).outcome == "holds"
    assert "is exited" in proof
    assert phases(experiment) == [
        "undo what an earlier experiment left",
        "steady state",
        "probes",
        "fault: cut registry",
        "observed: cut registry",
        "hold for 0.01 s",
        "observed: cut registry",
        "heal: cut registry",
        "recovered",
    ]
    record = json.loads(experiment.record.json())
    assert {phase["status"] for phase in record["phases"]} == {"passed"}
    assert "at the end" in record["faults"][0]["proof"]
    assert "200" in record["faults"][0]["heal_proof"]
    judged = record["claims"][0]
    assert judged.pop("id") == "check"
    assert judged.pop("surprise") is False
    assert judged.pop("broken") == ""
    assert judged.pop("until") == judged["at"]
    assert judged.pop("known") is None
    assert len(judged.pop("judge")) == 12
    assert judged.pop("because") == []
    assert judged == {
        "name": "check",
        "expected": "holds",
        "outcome": "holds",
        "issue": None,
        "summary": "because",
        "evidence": ["seen"],
        "figures": {"some_seconds": 1.0},
        "at": experiment.record.claims[0].at,
    }
    assert record["environment"] == {"engine": "Docker 20.10.24 (private)", "host quirks": "none"}


def test_the_history_has_every_step_of_a_fault(make: Callable[..., Experiment]) -> None:
    """The history has every step of a fault, and its journal, healed, lies beside it."""
    with make() as experiment, experiment.fault(cut_registry()):
        pass
    entries = [entry for entry in read(experiment.history.path).entries if entry.process == "fault 1"]
    assert [(entry.kind, entry.f) for entry in entries] == [
        ("invoke", "inject"),
        ("ok", "observed"),
        ("ok", "observed"),
        ("invoke", "heal"),
        ("ok", "undone"),
        ("ok", "healed"),
    ]
    assert journal.pending(Path(experiment.record.journal)) == []
    assert "registry.restore" in Path(experiment.record.journal).read_text(encoding="utf-8")


def test_what_a_crash_left_is_undone_first(make: Callable[..., Experiment], cluster: Cluster, world: World) -> None:
    """What a crashed experiment left broken is undone before the steady state is looked at."""
    world.cordoned = {"w-worker"}
    old_journal = Journal(cluster.directory / "journal.jsonl")
    old_journal.record(Undo("pods.uncordon", {"control_plane": "w-control-plane", "node": "w-worker"}))
    old_journal.close()
    with make() as experiment:
        assert world.cordoned == set()
    assert uncordon.__name__ in experiment.record.phases[0].detail


@pytest.mark.parametrize("error", [ValueError("in the block"), KeyboardInterrupt()])
def test_heals_whatever_happens(make: Callable[..., Experiment], world: World, error: BaseException) -> None:
    """A fault is healed, and proved to be, when its block raises or is interrupted; the error comes through."""
    with pytest.raises(type(error)), make() as experiment, experiment.fault(cut_registry()):
        raise error
    assert world.running
    assert experiment.record.faults[0].healed_at


def test_a_fault_that_does_nothing_ends_the_experiment(
    make: Callable[..., Experiment], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that is a no-op ends the experiment with FaultNotApplied before its block begins."""
    world.ignored = {"stop"}
    with pytest.raises(FaultNotApplied), make() as experiment, experiment.fault(cut_registry()):
        pytest.fail("the block was entered")
    assert experiment.record.phases[-2].status == "broken"
    assert experiment.record.phases[-1].name == "heal: cut registry"


def test_a_fault_that_is_gone_too_early_is_not_applied(make: Callable[..., Experiment], world: World) -> None:
    """A fault that is gone before its block ends is no fault: FaultNotApplied."""
    with pytest.raises(FaultNotApplied), make() as experiment, experiment.fault(cut_registry()):
        world.running = True


def test_blows_are_healed_at_the_end_newest_first(make: Callable[..., Experiment], world: World) -> None:
    """What a blow leaves to heal is healed when the experiment ends, newest first, and not proved again before."""
    with make() as experiment:
        assert "does not list" in experiment.act(remove_image(IMAGE, ["w-worker"]))
        experiment.act(cut_registry())
        world.containers["w-worker"].images.add(IMAGE)
        assert not world.running
    assert world.running
    assert phases(experiment)[-2:] == ["heal: cut registry", "heal: remove image"]


def test_one_heal_that_fails(make: Callable[..., Experiment], world: World) -> None:
    """A healing that fails does not keep the rest from being healed; its undo stays in the journal."""
    experiment = make()
    with pytest.raises(UndoFailed, match="is paused"), experiment:
        _remove_then_drop(experiment, world)
    assert IMAGE in world.containers["w-worker2"].images
    assert [undo.action for undo in journal.pending(Path(experiment.record.journal))] == ["registry.drop_no_more"]


def _remove_then_drop(experiment: Experiment, world: World) -> None:
    experiment.act(remove_image(IMAGE, ["w-worker2"]))
    experiment.act(cut_registry("drop", nodes=["w-worker"]))
    world.containers["w-worker"].status = "paused"


def test_an_error_of_the_healing_hides_no_other(
    make: Callable[..., Experiment], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went wrong first is raised; what its healing raises, too, stands in the notes."""

    def fail(_self: object, what: str) -> None:
        raise CommandFailed(what)

    fault = cut_registry()
    monkeypatch.setattr(type(fault), "inject", lambda self, _: fail(self, "the harm"))
    monkeypatch.setattr("chaos_harness.harness.faults.injection.Injection.heal", lambda self: fail(self, "the healing"))
    with pytest.raises(CommandFailed, match="the harm") as raised, make() as experiment, experiment.fault(fault):
        pytest.fail("the block was entered")
    assert raised.value.__notes__ == ["and besides: CommandFailed: the healing"]


def test_no_harm_outside_of_an_open_experiment(make: Callable[..., Experiment]) -> None:
    """No harm is done outside of an open experiment; that is a mistake of ours, and nothing that was undecided."""
    with pytest.raises(HarnessError, match="not open") as error:
        make().act(cut_registry())
    assert error.type is HarnessError


def test_nothing_begins_if_gatekeeper_does_not_serve(
    make: Callable[..., Experiment], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is begun if Gatekeeper does not serve at the start: no probe is made, and the history is closed."""
    monkeypatch.setattr("chaos_harness.harness.experiment.lifecycle._SERVING_SECONDS", 0.3)
    world.denies = False
    experiment = make(probes=lambda *_: pytest.fail("probes were made"))
    with pytest.raises(DeadlineExceeded), experiment:
        pytest.fail("the block was entered")
    with pytest.raises(HarnessError, match="closed"):
        experiment.history.append("mark", "test", "anything")


def test_that_gatekeeper_stays_away_is_told_not_raised(make: Callable[..., Experiment], world: World) -> None:
    """That Gatekeeper does not come back is told and does not raise: a check judges it."""
    with make() as experiment:
        world.denies = False
        assert not experiment.recovered(0.3)
    assert experiment.record.phases[-1].status == "failed"


@pytest.mark.parametrize(
    ("outcome", "expected", "error"),
    [
        ("violated", "holds", InvariantViolated),
        ("holds", "violated", InvariantViolated),
        ("inconclusive", "holds", Inconclusive),
        ("inconclusive", "violated", Inconclusive),
    ],
)
def test_claims(
    make: Callable[..., Experiment], outcome: Outcome, expected: Literal["holds", "violated"], error: type[Exception]
) -> None:
    """A verdict that is not the expected one raises, and stands in the record all the same."""
    with make() as experiment, pytest.raises(error):
        experiment.claim(finds(outcome), expected=expected, issue="gatekeeper#1")
    (claim,) = experiment.record.claims
    assert claim.outcome == outcome
    assert 0 < (claim.at or 0) <= experiment.history.end


def test_claim_keeps_the_moment_that_decided(make: Callable[..., Experiment]) -> None:
    """When a check tells what violated it first, that is the claim's moment, and not the end."""
    with make() as experiment:
        experiment.claim(lambda _: Verdict("violated", "lost", at=0.2), expected="violated")
    assert experiment.record.claims[0].at == 0.2


def test_claims_can_be_made_afterwards(make: Callable[..., Experiment]) -> None:
    """A claim can be made when the experiment is over, and in another test's record, with what the check expects."""
    with make() as experiment:
        pass
    other = experiment.record.of("another test")
    experiment.claim(finds("violated").expect("violated", issue="gatekeeper#4441", on=">=3.23"), record=other)
    assert len(other.claims) == 1
    assert len(experiment.record.claims) == 0
    assert other.claims[0].expected == "violated"
    assert other.claims[0].issue == "gatekeeper#4441"


def test_a_dead_probe_breaks_waits_and_claims(make: Callable[..., Experiment]) -> None:
    """A probe that died makes waiting and every claim ProbeBroken, and the end of the experiment too."""

    def dies(probe: Probe) -> None:
        probe.beat()
        probe.stopping.wait(0.05)
        raise ValueError("bad luck")

    experiment = make(probes=lambda *_: [Probe("p", dies)])
    with pytest.raises(ProbeBroken), experiment:
        experiment.hold(5)
    with pytest.raises(ProbeBroken):
        experiment.claim(finds("holds"))
    assert experiment.record.claims == []


def test_usual_probes_write_pods_and_requests(make: Callable[..., Experiment]) -> None:
    """With the usual probes, pods and the registry's log are written beside the history."""
    with make(probes=usual_probes) as experiment, experiment.fault(cut_registry("503")):
        experiment.hold(1)
    written = {
        attachment.name: Path(attachment.path).read_text(encoding="utf-8")
        for attachment in experiment.record.attachments
    }
    assert "fault 1: cut registry: observed" in written["registry log"]
    assert "GET /v2/ 503" in written["registry log"]
    assert json.loads(written["pods"])[0]["metadata"]["name"] == "a"


def test_asks_once_more(make: Callable[..., Experiment]) -> None:
    """When recovery was waited for, the registry's log has been read up to a moment after the end of the cut."""
    with make(probes=usual_probes) as experiment:
        for _ in range(2):
            with experiment.fault(cut_registry()):
                pass
            assert experiment.recovered()
            experiment.claim(no_request_during())


def test_the_same_seed_chooses_the_same(make: Callable[..., Experiment], tmp_path: Path) -> None:
    """The same seed chooses the same again."""
    first, second = make().random.random(), (tmp_path / "try").rename(tmp_path / "first")
    assert second.is_dir()
    assert make().random.random() == first
    (tmp_path / "try").rename(tmp_path / "second")
    assert make(seed=8).random.random() != first


def test_a_restart_replaces_all_pods(make: Callable[..., Experiment], world: World) -> None:
    """A restart replaces all pods and sets the pull policy if it is given one."""
    with make() as experiment:
        assert experiment.restart_gatekeeper() == ["a"]
        assert pull_policy(experiment.cluster) == "Always"
        experiment.restart_gatekeeper("IfNotPresent")
        assert pull_policy(experiment.cluster) == "IfNotPresent"
    assert world.pods["a"]["metadata"]["annotations"]


def test_a_restart_makes_all_pods_at_once(make: Callable[..., Experiment], world: World) -> None:
    """No new pod waits for another one; how the Deployment is rolled out otherwise is put back, also after an error."""
    usual = world.rolling
    with make() as experiment:
        experiment.restart_gatekeeper()
        assert world.rolling == usual
        world.denies = False
        with pytest.raises(DeadlineExceeded):
            restart_gatekeeper(experiment.cluster, Deadline.after(0.5, "a restart"))
        assert world.rolling == usual
        world.denies = True
    assert world.rolled == [{"maxSurge": "100%", "maxUnavailable": 0}] * 2


def test_the_experiment_knows_gatekeepers_image(make: Callable[..., Experiment]) -> None:
    """The experiment knows what a node calls Gatekeeper's image."""
    assert make().gatekeeper_image == "docker.io/openpolicyagent/gatekeeper:v3.23.1"
