"""Drive: each step when its moment or its trigger has come, and everything healed whatever happens."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusters.cluster import Cluster
from harness import faults as fault_modules
from harness.catalogue import entries
from harness.errors import FaultNotApplied, Inconclusive
from harness.experiment import Experiment
from harness.history import History, read
from harness.incident import drive
from harness.incident.drive import relive
from harness.probes import Probe
from tests.fakes.incidents import incident
from tests.fakes.world import IMAGE, World

CUT = {"fault": "cut_registry", "at": 0, "lasts": 0.3}


@pytest.fixture
def world() -> World:
    world = World()
    world.pod("a", "w-worker")
    return world


@pytest.fixture
def cluster(world: World, tmp_path: Path) -> Iterator[Cluster]:
    with world.cluster(tmp_path) as cluster:
        yield cluster


def no_probes(_cluster: Cluster, _history: History) -> list[Probe]:
    return []


_HOLD = '''
"""Nothing: a fault that does no harm, and is there all the same."""

from harness.errors import FaultNotApplied
from harness.faults import Fault

__all__ = ["hold_breath"]


class _Held:
    def __init__(self, name):
        self.name = name

    def inject(self, *_):
        pass

    heal = inject

    def observed(self, *_):
        if self.name == "unproved":
            raise FaultNotApplied(self.name)
        return "held"

    def healed(self, *_):
        return "breathing"


def hold_breath(name: str) -> Fault:
    """Return the fault that does nothing."""
    return _Held(name)
'''


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a fault without harm beside the others."""
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted/breath.py").write_text(_HOLD, encoding="utf-8")
    monkeypatch.setattr(fault_modules, "__path__", [*fault_modules.__path__, str(tmp_path / "planted")])
    monkeypatch.delitem(sys.modules, "harness.faults.breath", raising=False)
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
            relive(incident(tmp_path, **changes), experiment)
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


def test_a_step_that_lasts(live: Callable[..., Experiment]) -> None:
    """A step that lasts is proved at its begin and at its end, and healed then; recovery is waited for."""
    experiment = live(faults=[CUT], recovery="10s")
    cut = "cut registry"

    assert faults(experiment) == [(cut, each) for each in ("inject", "observed", "observed", "heal", "healed")]
    assert moments(experiment, "heal")[0] - moments(experiment, "observed")[0] >= 0.3
    assert experiment.record.phases[-1].name == "recovered"


def test_a_blow_is_healed_at_the_end(live: Callable[..., Experiment], world: World) -> None:
    """A step that does not last is healed when the experiment ends; the timeline may be longer than its steps."""
    blow = {"fault": "remove_image", "at": 0, "with": {"image": "$gatekeeper-image", "nodes": ["$worker"]}}
    experiment = live(faults=[blow], lasts=0.2)

    assert [f for _, f in faults(experiment)] == ["inject", "observed", "heal", "healed"]
    assert moments(experiment, "heal")[0] - moments(experiment, "inject")[0] >= 0.2
    assert world.images["w-worker"] == {IMAGE}


def test_steps_overlap(live: Callable[..., Experiment]) -> None:
    """Steps need not end in the order in which they began."""
    experiment = live(faults=[hold("long", at=0, lasts=0.4), hold("short", at=0.1, lasts=0.1)])

    done = [each for each in faults(experiment) if each[1] in ("inject", "healed")]
    assert done == [("long", "inject"), ("short", "inject"), ("short", "healed"), ("long", "healed")]


def test_after_another(live: Callable[..., Experiment]) -> None:
    """A step that comes after another begins when that one is proved, and its delay later."""
    steps = [hold("third", after="second"), hold("second", after="first", delay=0.2, id="second")]
    experiment = live(faults=[*steps, hold("first", at=0.1, id="first", lasts=1)])

    assert [name for name, f in faults(experiment) if f == "inject"] == ["first", "second", "third"]
    first, second, third = moments(experiment, "inject")
    assert second - first >= 0.2
    assert third - second < 0.2


def test_heals_when_a_step_fails(live: Callable[..., Experiment], world: World) -> None:
    """When a later step proves nothing, the earlier ones are healed and the error comes through."""
    with pytest.raises(FaultNotApplied):
        live(faults=[CUT | {"lasts": 30}, hold("unproved", at=0.1)])
    assert world.running


class _Sprung:
    """A trap that is sprung at once, or never."""

    seen = 0

    def __init__(self, _cluster: object, trigger: Any, token: int, sprung: Any, wake: Any) -> None:
        self._sprung, self._token, self._wake = sprung, token, wake
        self._never = trigger.name == "never"
        self.stopped = False

    def set(self) -> None:
        if not self._never:
            self._sprung.put(self._token)
            self._wake.set()

    def check(self) -> None:
        """Nothing dies here."""

    def stop(self) -> None:
        """Nothing runs here."""


def test_a_trigger(live: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that waits for a trigger begins at once when it is sprung, and its delay later."""
    monkeypatch.setattr(drive, "Trap", _Sprung)
    experiment = live(faults=[{"fault": "cut_registry", "when": {"kind": "Pod", "within": 30}, "lasts": 0.1}])

    assert [f for _, f in faults(experiment)] == ["inject", "observed", "observed", "heal", "healed"]
    assert moments(experiment, "inject")[0] < 10


def test_a_trigger_that_never_comes(
    live: Callable[..., Experiment], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trigger that does not come in time makes the run inconclusive; what else was done is healed."""
    monkeypatch.setattr(drive, "Trap", _Sprung)
    when = {"kind": "Pod", "within": 0.2, "name": "never", "event": "DELETED"}
    with pytest.raises(Inconclusive, match=r"step 2 \(cut_registry\): expected Pod never to be DELETED 1 times within"):
        live(faults=[CUT | {"lasts": 10}, {"fault": "cut_registry", "when": when}])
    assert world.running


def test_own_probes_and_seed(live: Callable[..., Experiment]) -> None:
    """The probes that the file names ask, and its seed counts."""
    probes = [{"probe": "admission_canary", "with": {"rate": 20}}]
    experiment = live(faults=[CUT], probes=probes, seed=11)

    asked = [entry for entry in read(experiment.history.path).entries if entry.process.startswith("canary ")]
    assert asked
    assert experiment.record.seed == 11
