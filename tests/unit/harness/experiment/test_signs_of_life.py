"""Experiment: what is judged is judged behind a mark, after which everything that asks gave one more sign of life."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.checks import Check
from chaos_harness.harness.errors import HarnessError, PolicyRejected, PreparationFailed
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.history import Entry, History, HistoryWriter, read
from chaos_harness.harness.policies import mutate_pods
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.numbers import NUMBERED
from chaos_harness.harness.probes.objects import USUAL
from chaos_harness.harness.probes.usual import usual_probes
from chaos_harness.harness.verdict import Outcome, Verdict
from tests.fakes.world import World


@pytest.fixture
def make(cluster: Cluster, tmp_path: Path) -> Callable[..., Experiment]:
    def make(probes: Callable[[Cluster, HistoryWriter], list[Probe]] = lambda *_: []) -> Experiment:
        return Experiment(cluster, tmp_path / "try", name="a try", seed=7, probes=probes)

    return make


def finds(outcome: Outcome) -> Check:
    """Return a check that finds this whatever the history says."""
    return Check(lambda _: Verdict(outcome, "because"))


def events(experiment: Experiment) -> list[str]:
    """Return what the history has of marks, faults and one probe, in its order."""
    ours = ("experiment", "fault 1", "p", "history")
    return [entry.f for entry in read(experiment.history.path).entries if entry.process in ours]


def writes(cluster: Cluster, history: HistoryWriter) -> list[Probe]:
    """Return one probe that writes when it is asked to settle, and else nearly never."""

    def ask(probe: Probe) -> None:
        for _ in probe.every(600):
            history.append("ok", "p", "asked")

    return [Probe("p", ask)]


def test_claims_are_judged_behind_a_mark(make: Callable[..., Experiment]) -> None:
    """A claim marks the moment, and every probe asks once more before it is judged; the next one needs no other."""
    judged: list[list[str]] = []

    def check(recorded: History) -> Verdict:
        judged.append([entry.f for entry in recorded.entries if entry.process in ("experiment", "p")])
        return Verdict("holds", "seen")

    with make(probes=writes) as experiment:
        experiment.claim(Check(check))
        experiment.claim(Check(check))
    assert [marks[-2:] for marks in judged] == [["judge", "asked"]] * 2
    assert judged[0] == judged[1]


def test_what_is_done_between_claims_is_judged(make: Callable[..., Experiment]) -> None:
    """A claim after something was done marks anew, however soon it comes."""
    with make(probes=writes) as experiment:
        experiment.claim(finds("holds"))
        experiment.hold(0.01)
        experiment.claim(finds("holds"))
        assert events(experiment)[-6:] == ["judge", "asked", "begin", "end", "judge", "asked"]


def test_the_end_is_marked_before_anything_is_taken_away(make: Callable[..., Experiment], world: World) -> None:
    """All that runs gives a last sign while faults are not healed and policies are in force; then all ends."""
    with make(probes=writes) as experiment:
        experiment.act(cut_registry())
        judged = len(events(experiment))
    assert events(experiment)[judged:] == ["judge", "asked", "begin", "heal", "undone", "healed", "end", "end"]
    assert world.running


@pytest.mark.parametrize("error", [HarnessError("the disk is full"), KeyboardInterrupt()])
def test_an_end_that_cannot_be_marked_heals(
    make: Callable[..., Experiment], world: World, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Doing comes before telling: whatever keeps the last signs from being given keeps nothing from being healed."""

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("chaos_harness.harness.probes.running.Probes.give_last_signs", fails)
    with pytest.raises(type(error)), make() as experiment:
        experiment.act(cut_registry())
    assert world.running


def test_all_that_asks_gives_a_sign(make: Callable[..., Experiment]) -> None:
    """Watches, admission probe, replicas, numbers and the registry's log: each has something behind the mark."""
    with make(probes=usual_probes) as experiment:
        experiment.claim(finds("holds"))
        entries = list(read(experiment.history.path).entries)
    judged = max(entry.index for entry in entries if entry.f == "judge")
    signs = {entry.process.partition(" ")[0] for entry in entries[judged + 1 :] if entry.kind in ("ok", "change")}
    assert signs == {"watch", "canary", "replica", "number", "registry"}
    watches = {entry.process for entry in entries[judged:] if entry.f in ("LISTED", "BOOKMARK")}
    assert watches == {f"watch {watch.name}" for watch in (*USUAL, NUMBERED)}


def test_watches_are_proved_between_the_mark_of_a_fault_and_its_harm(make: Callable[..., Experiment]) -> None:
    """What is reported only after the harm broke a watch is no older than the fault, then; nobody else is asked."""
    with (
        make(probes=lambda *told: [*usual_probes(*told), *writes(*told)]) as experiment,
        experiment.fault(cut_registry()),
    ):
        entries = list(read(experiment.history.path).entries)
    injected, observed = ([entry.f for entry in entries].index(name) for name in ("inject", "observed"))
    between = entries[injected:observed]
    watches = {entry.process for entry in between if entry.f in ("LISTED", "BOOKMARK")}
    assert watches == {f"watch {watch.name}" for watch in (*USUAL, NUMBERED)}
    assert "asked" not in [entry.f for entry in between]


def test_without_gatekeeper_nobody_asks_it(cluster: Cluster, tmp_path: Path) -> None:
    """A baseline begins and recovers without it; its pods are neither watched nor asked, and its policies refused."""
    bare = replace(cluster, shape=cluster.shape.model_copy(update={"gatekeeper": None}))
    with Experiment(bare, tmp_path / "try", name="a try", seed=7, probes=usual_probes) as experiment:
        asking = set(experiment._probes.names)
        assert experiment.recovered()
        with pytest.raises(PolicyRejected, match=r"^mutate pods: Gatekeeper enforces it, and the cluster has none$"):
            experiment.apply(mutate_pods())
        with pytest.raises(PreparationFailed, match="has no Gatekeeper to restart"):
            experiment.restart_gatekeeper()
    assert asking == {"clocks", "watch nodes", "watch number", "number", "metronome", "starving", "registry log"}
    told = {phase.name: phase.detail for phase in experiment.record.phases}
    assert told["steady state"].startswith("no Gatekeeper; ")
    assert told["recovered"] == "no Gatekeeper"


def test_policies_bring_their_questions(
    make: Callable[..., Experiment], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While policies are in force replicas are asked, too, and what is really created is watched; then no more."""
    in_force = nullcontext(("in force", [*mutate_pods().questions]))
    monkeypatch.setattr("chaos_harness.harness.experiment.lifecycle.enforce_policies", lambda *_: in_force)
    with make(probes=usual_probes) as experiment:
        experiment.apply(mutate_pods())
        entries: list[Entry] = []
        for _ in Deadline.after(20, "a review").attempts(0.05, 0.2):
            entries = list(read(experiment.history.path).entries)
            if any(entry.f == "review mutate pods" for entry in entries):
                break
        assert {"watch canaries", "replicas", "canary"} <= set(experiment._probes.names)
    assert any(entry.f == "review mutate pods" for entry in entries)
    assert not {"replicas", "canary"} & set(experiment._probes.names)
