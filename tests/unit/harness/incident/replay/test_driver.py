"""Drive: each step when its moment or its trigger has come, and everything healed whatever happens."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness import faults as fault_modules
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.errors import BadScenario, FaultNotApplied, Inconclusive, PreparationFailed
from chaos_harness.harness.experiment import trigger as trigger_module
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.trigger import Trigger
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.incident.judge import claim_all, judge, judge_open
from chaos_harness.harness.incident.replay import driver
from chaos_harness.harness.incident.replay.driver import replay_incident
from chaos_harness.harness.policies import Policy
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.objects import WEBHOOKS
from tests.fakes.api_server import PATH, FakeApiServer
from tests.fakes.hold_breath import HOLD_BREATH
from tests.fakes.incidents import incident
from tests.fakes.world import IMAGE, World

CUT = {"fault": "cut_registry", "at": 0, "lasts": 0.3}


@pytest.fixture
def world() -> World:
    return World.inhabited()


def no_probes(_cluster: Cluster, _history: HistoryWriter) -> list[Probe]:
    return []


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a fault without harm beside the others."""
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted/breath.py").write_text(HOLD_BREATH, encoding="utf-8")
    monkeypatch.setattr(fault_modules, "__path__", [*fault_modules.__path__, str(tmp_path / "planted")])
    monkeypatch.delitem(sys.modules, "chaos_harness.harness.faults.breath", raising=False)
    entries.cache_clear()
    yield
    entries.cache_clear()


def hold(name: str, **fields: Any) -> dict[str, Any]:
    """Return a step that does no harm under a name."""
    return {"fault": "hold_breath", "with": {"name": name}, **fields}


@pytest.fixture
def live(cluster: Cluster, tmp_path: Path) -> Callable[..., Experiment]:
    """Return who lives an incident that says this, with no probes but its own."""

    def live(**changes: Any) -> Experiment:
        experiment = Experiment(cluster, tmp_path / "try", name="a try", seed=7, probes=no_probes)
        with experiment:
            replay_incident(incident(tmp_path, **changes), experiment)
        return experiment

    return live


def faults(experiment: Experiment) -> list[tuple[str, str]]:
    """Return what was done, in its order."""
    return [
        (entry.value["name"], entry.f)
        for entry in read(experiment.history.path).entries
        if entry.process.startswith("fault ")
    ]


def moments(experiment: Experiment, f: str) -> list[float]:
    """Return when this was done to each fault."""
    entries = read(experiment.history.path).entries
    return [entry.at for entry in entries if entry.process.startswith("fault ") and entry.f == f]


def test_how_long_a_step_may_take_to_heal(live: Callable[..., Experiment]) -> None:
    """The file says it, of what lasts and of a blow; else the fault does."""
    steps = [hold("a", at=0, lasts=0.1, heals_within="7s"), hold("b", at=0, heals_within=8), hold("c", at=0)]
    experiment = live(faults=steps, lasts=0.2)

    entries = read(experiment.history.path).entries
    assert {entry.value["name"]: entry.value["within"] for entry in entries if entry.f == "undone"} == {
        "a": 7.0,
        "b": 8.0,
        "c": 120.0,
    }
    assert {claim.id for claim in experiment.record.claims} == {"heals(7, a)", "heals(8, b)", "heals(120, c)"}


def test_a_step_that_lasts(live: Callable[..., Experiment]) -> None:
    """A step that lasts is proved at its begin and at its end, and healed then; recovery is waited for."""
    experiment = live(faults=[CUT], recovery="10s")
    cut = "cut registry"

    assert faults(experiment) == [
        (cut, event) for event in ("inject", "observed", "observed", "heal", "undone", "healed")
    ]
    assert moments(experiment, "heal")[0] - moments(experiment, "observed")[0] >= 0.3
    assert experiment.record.phases[-1].name == "recovered"


def test_a_blow_is_healed_at_the_end(live: Callable[..., Experiment], world: World) -> None:
    """A step that does not last is healed after the timeline, which may be longer than its steps."""
    blow = {"fault": "remove_image", "at": 0, "with": {"image": "$gatekeeper-image", "nodes": ["$worker"]}}
    experiment = live(faults=[blow], lasts=1.5)

    assert [f for _, f in faults(experiment)] == ["inject", "observed", "heal", "undone", "healed"]
    assert moments(experiment, "heal")[0] - moments(experiment, "inject")[0] >= 0.5
    assert world.containers["w-worker"].images == {IMAGE}


def test_claims_are_judged_at_the_same_moment(cluster: Cluster, tmp_path: Path) -> None:
    """What a one-shot step leaves is healed before the claims are judged: by a test, by a replay, and by recheck."""
    steps = [hold("a", at=0), hold("b", at=0)]
    claims = [{"check": "heals", "with": {"seconds": 9, "fault": name}} for name in ("a", "b")]
    loaded = incident(tmp_path, faults=steps, claims=claims, repeat=2, recovery=0)
    experiment = Experiment(cluster, tmp_path / "try", name="a try", seed=7, probes=no_probes, claims_healing=False)
    with experiment:
        replay_incident(loaded, experiment)
        judged = judge_open(loaded, experiment)
        claim_all(loaded, experiment)
        experiment.act(entries("fault")["hold_breath"].make({"name": "a"}))

    recorded = read(experiment.history.path)
    again = judge(loaded.incident, loaded.shape, recorded, {one.id: one.until for one in judged})
    assert [one.outcome for one in judged] == [one.outcome for one in experiment.record.claims] == ["holds"] * 2
    assert [(one.id, one.outcome, one.until, one.summary) for one in again[:2]] == [
        (one.id, one.outcome, one.until, one.summary) for one in judged
    ]
    assert [name for name, f in faults(experiment) if f == "heal"] == ["b", "a", "b", "a", "a"]


def test_what_stays_is_judged(cluster: Cluster, tmp_path: Path) -> None:
    """What a step brings about to be judged is there while claims are, and is taken back when all is over."""
    loaded = incident(tmp_path, faults=[hold("a", at=0), hold("stays", at=0)], recovery=0)
    experiment = Experiment(cluster, tmp_path / "try", name="a try", seed=7, probes=no_probes, claims_healing=False)
    with experiment:
        replay_incident(loaded, experiment)
        before = faults(experiment)

    assert [name for name, f in before if f == "heal"] == ["a"]
    assert [name for name, f in faults(experiment) if f == "heal"] == ["a", "stays"]


def test_steps_overlap(live: Callable[..., Experiment]) -> None:
    """Steps need not end in the order in which they began."""
    experiment = live(faults=[hold("long", at=0, lasts=1.5), hold("short", at=0.1, lasts=0.1)])

    done = [event for event in faults(experiment) if event[1] in ("inject", "healed")]
    assert done == [("long", "inject"), ("short", "inject"), ("short", "healed"), ("long", "healed")]


def test_after_another(live: Callable[..., Experiment]) -> None:
    """A step that comes after another begins when that one is proved, and its delay later."""
    steps = [hold("third", after="second"), hold("second", after="first", delay=0.5, id="second")]
    experiment = live(faults=[*steps, hold("first", at=0.1, id="first", lasts=1)])

    assert [name for name, f in faults(experiment) if f == "inject"] == ["first", "second", "third"]
    first, second, third = moments(experiment, "inject")
    assert second - first >= 0.5
    assert third - second < second - first  # however busy the machine is, which both of them feel


def test_after_the_only_one_of_a_fault(live: Callable[..., Experiment]) -> None:
    """A step that another one names by its fault needs no id."""
    experiment = live(faults=[CUT, hold("then", after="cut_registry")])

    assert [name for name, f in faults(experiment) if f == "inject"] == ["cut registry", "then"]


@pytest.mark.parametrize(("schema", "numbers"), [(1, ["1", "2", "3", "4"]), (2, ["2", "1", "4", "3"])])
def test_which_number_a_step_has(live: Callable[..., Experiment], schema: int, numbers: list[str]) -> None:
    """In schema 2 it is by the place in the file, so that claims may name it; in schema 1 by the time."""
    steps = [hold("late", at="100ms", id="late"), hold("early", at=0, id="early")]
    claims = [{"check": "heals", "with": {"seconds": 0, "fault": "late"}}]
    experiment = live(schema=schema, faults=steps, claims=claims, repeat=2)

    begun = [entry.process for entry in read(experiment.history.path).entries if entry.f == "inject"]
    assert begun == [f"fault {number}" for number in numbers]


def test_again_and_again(live: Callable[..., Experiment]) -> None:
    """A timeline that repeats is gone through anew when all of the turn before is healed."""
    experiment = live(faults=[hold("a", at=0.1, lasts=0.1)], repeat=3)

    assert [f for _, f in faults(experiment)] == ["inject", "observed", "observed", "heal", "undone", "healed"] * 3


def test_a_budget_is_that_of_all_turns(live: Callable[..., Experiment]) -> None:
    """Turns that take longer than they say, as faults do on a busy machine, end when the budget of all is used up."""
    with pytest.raises(Inconclusive, match="the budget of 1 s is used up"):
        live(faults=[hold("slow", at=0, lasts=0.04)], repeat=20, budget=1, lasts=0.05)


def test_heals_when_a_step_fails(live: Callable[..., Experiment], world: World) -> None:
    """When a later step proves nothing, the earlier ones are healed and the error comes through."""
    with pytest.raises(FaultNotApplied):
        live(faults=[CUT | {"lasts": 30}, hold("unproved", at=0.1)])
    assert world.running


def test_values_that_turn_out_to_be_of_no_use(live: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused while the timeline goes on is not told as if nothing had been touched."""

    def refuse(*_: object) -> None:
        raise BadScenario("no nodes")

    monkeypatch.setattr(driver, "resolve", refuse)
    with pytest.raises(PreparationFailed, match="the incident: no nodes"):
        live(faults=[CUT])


def _appear(server: FakeApiServer, names: list[str], **status: str) -> None:
    """Let pods appear, or change, one after the other, when somebody watches."""

    def put() -> None:
        server.wait_for_stream()
        for name in names:
            server.put(name, **status)

    threading.Thread(target=put, daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    """Give a server on which pods can be watched, for the triggers of an incident."""
    with FakeApiServer() as server:

        def trigger(_cluster: object, *arguments: Any, **options: Any) -> Trigger:
            return Trigger(server, *arguments, **options)  # type: ignore[arg-type]  # it gives clients

        monkeypatch.setattr(driver, "Trigger", trigger)
        monkeypatch.setattr(trigger_module, "find_path", lambda *_: PATH)
        yield server


def test_a_trigger(live: Callable[..., Experiment], server: FakeApiServer) -> None:
    """A step that waits for a trigger begins when that many objects have appeared, and its delay later."""
    server.put("old")
    _appear(server, ["new-a", "other", "new-b"])
    when = {"kind": "Pod", "name": "new-*", "count": 2, "within": 30}
    experiment = live(faults=[hold("triggered", when=when, delay=0.2, lasts=0.1), hold("first", at=0)])

    assert [name for name, f in faults(experiment) if f == "inject"] == ["first", "triggered"]
    seen = [entry for entry in read(experiment.history.path).entries if entry.process == "trigger Pod"]
    assert [entry.value["name"] for entry in seen if entry.f == "seen"] == ["new-a", "new-b"]
    assert moments(experiment, "inject")[1] - seen[-1].at >= 0.1


def test_a_trigger_that_never_comes(live: Callable[..., Experiment], world: World, server: FakeApiServer) -> None:
    """A trigger that does not come in time makes the run inconclusive; what else was done is healed."""
    when = {"kind": "Pod", "within": 0.2, "name": "never", "event": "DELETED"}
    with pytest.raises(Inconclusive, match=r"step 2 \(cut_registry\) to begin.*Pod never DELETED: seen 0 of 1 times"):
        live(faults=[CUT | {"lasts": 10}, {"fault": "cut_registry", "when": when}])
    assert world.running
    assert server


_RUNNING = {"kind": "Pod", "name": "new-*", "field": "{.status.phase}", "value": "Running"}


@pytest.mark.parametrize("early", [True, False])
def test_a_condition(live: Callable[..., Experiment], server: FakeApiServer, early: bool) -> None:
    """A step waits until an object has a value in a field, which it may have from the beginning."""
    server.put("old", phase="Running")
    server.put("new-a", phase="Running" if early else "Pending")
    if not early:
        _appear(server, ["new-a"], phase="Running")
    experiment = live(faults=[hold("triggered", when=_RUNNING | {"within": 30})])

    (seen,) = [entry for entry in read(experiment.history.path).entries if entry.f == "seen"]
    assert (seen.value["name"], seen.value["event"]) == ("new-a", "LISTED" if early else "MODIFIED")
    assert moments(experiment, "inject")[0] >= seen.at


def test_waits(live: Callable[..., Experiment], server: FakeApiServer) -> None:
    """A step waits for a time, or for an object; what comes after it begins when that is over."""
    server.put("new-a", phase="Running")
    steps = [
        hold("last", after="running"),
        {"wait": _RUNNING | {"within": 30}, "id": "running", "after": "rested"},
        {"wait": "400ms", "id": "rested", "after": "first"},
        hold("first", at=0, id="first"),
    ]
    experiment = live(faults=steps)

    assert [name for name, f in faults(experiment) if f == "inject"] == ["first", "last"]
    first, last = moments(experiment, "inject")
    assert first + 0.4 <= last


def test_a_wait_that_is_never_over(live: Callable[..., Experiment], server: FakeApiServer) -> None:
    """An object that does not come in time makes the run inconclusive, and is told with what was waited for."""
    steps = [hold("first", at=0, id="first"), {"wait": _RUNNING | {"within": 0.2}, "after": "first"}]
    with pytest.raises(
        Inconclusive, match=r"step 2 \(wait\) to end.*Pod new-\* \{.status.phase\} Running: seen 0.*see `wait` of this"
    ):
        live(faults=steps)
    assert server


def test_jitter_comes_from_the_seed(cluster: Cluster, tmp_path: Path) -> None:
    """The same seed draws the same moments, whatever other steps there are; what was drawn is in the record."""
    drawn = []
    for number, seed in enumerate((5, 5, 6)):
        steps = [hold("a", at=0, jitter="200ms"), hold("b", at=0), hold("c", at=0, jitter="200ms")]
        loaded = incident(tmp_path, faults=steps, repeat=2, seed=seed)
        experiment = Experiment(cluster, tmp_path / f"try {number}", name="a try", seed=7, probes=no_probes)
        with experiment:
            replay_incident(loaded, experiment)
        drawn.append(experiment.record.drawn)
        begun = moments(experiment, "inject")
        assert max(begun[:3]) - min(begun[:3]) >= max(one["jitter_seconds"] for one in drawn[-1][:2]) - 0.05
    assert drawn[0] == drawn[1] != drawn[2]
    assert [(one["turn"], one["step"]) for one in drawn[0]] == [(1, 1), (1, 3), (2, 1), (2, 3)]
    assert len({one["jitter_seconds"] for one in drawn[0]}) == 4
    assert all(0 <= one["jitter_seconds"] <= 0.2 for one in drawn[0])


def test_a_turn_for_each_value(live: Callable[..., Experiment]) -> None:
    """Each turn has its value in the place of $each."""
    experiment = live(faults=[hold("$each", at=0, lasts=0.1)], for_each=["red", "green", "blue"])

    assert [name for name, f in faults(experiment) if f == "inject"] == ["red", "green", "blue"]


def test_own_probes_and_seed(live: Callable[..., Experiment]) -> None:
    """The probes that the file names ask, and its seed counts."""
    probes = [{"probe": "admission_canary", "with": {"rate": 20}}]
    experiment = live(faults=[CUT], probes=probes, seed=11)

    asked = [entry for entry in read(experiment.history.path).entries if entry.process.startswith("canary ")]
    assert asked
    assert experiment.record.seed == 11


def test_policies_and_workload(
    live: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the file names is in force before the first step, its own objects and the harness's, then the workload."""
    applied: list[Policy] = []
    prepared: list[str] = []

    def apply(experiment: Experiment, *policies: Policy) -> None:
        experiment.history.append("mark", "test", "applied")
        applied.extend(policies)

    monkeypatch.setattr(Experiment, "apply", apply)
    monkeypatch.setattr(Experiment, "prepare", lambda _, preparation: prepared.append(preparation.name))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    (tmp_path / "more.yaml").write_text(json.dumps(namespace), encoding="utf-8")
    policies = [{"policy": "mutate_pods"}, {"file": "more.yaml"}]
    place = {"on": "$worker", "webhooks": 3, "audit": True}
    places = [{"preparation": "place_gatekeeper", "with": place}]
    experiment = live(
        faults=[hold("a", at=0)], policies=policies, workload=[{"object": namespace}], preparations=places
    )

    assert [policy.name for policy in applied] == ["mutate pods", "more.yaml", "workload Namespace n"]
    assert applied[0].questions
    assert [policy.objects for policy in applied[1:]] == [(namespace,), (namespace,)]
    order = [entry.f for entry in read(experiment.history.path).entries if entry.f in ("applied", "inject")]
    assert order == ["applied", "inject"]
    assert prepared == ["place 3 webhook pods and the audit pod on w-worker"]


def test_watch(live: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file wants to be watched is, beside what every experiment watches."""
    monkeypatch.setattr(Experiment, "apply", lambda *_: None)
    policies, watch = [{"policy": "deny_pods"}], ["webhooks", "constraints ChaosDeniedByRego"]
    experiment = live(faults=[hold("a", at=0)], policies=policies, watch=watch)

    seen = {entry.process for entry in read(experiment.history.path).entries if entry.process.startswith("watch ")}
    assert "watch constraints chaosdeniedbyrego" in seen
    assert len(seen) == 1 + len(WEBHOOKS.lists)
