"""Killed: each fault of the catalogue, cut off at each moment, is healed by what its journal says, and only by that."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from harness import journal
from harness.catalogue import entries
from harness.errors import FaultNotApplied, HarnessError, UndoFailed
from harness.faults import Fault
from harness.faults import images as images_module
from harness.faults.objects import put
from harness.faults.remedies import Remedies
from harness.history import History
from harness.journal import Journal
from tests.fakes.harmed import DEPLOYMENT, Harmed, KilledError
from tests.fakes.world import IMAGE

Stopped = Literal["done", "started", "kept", "another plane", "nothing"]
Moment = Literal["before", "middle", "after", "healed"]


@dataclass(frozen=True)
class Row:
    """A fault with its parameters, and what becomes of its undo while the container that it names is stopped.

    It is "done", for the harm ended with the container; the container is "started" by it; it is "kept", for the harm is
    in a file; or it is done through "another plane". Of one that leaves the repair to controllers there is "nothing".
    """

    fault: str
    stopped: Stopped
    values: Mapping[str, Any]
    changes: int = 1
    """How many changes the harm consists of, at least."""


_EDIT = {"kind": "ConfigMap", "name": "c", "namespace": "n", "patch": {"data": {"a": "7", "b": None, "c": "8"}}}
_NODE = {"node": "w-worker"}

ROWS = {
    "cut_registry stop": Row("cut_registry", "started", {"how": "stop"}),
    "cut_registry drop": Row("cut_registry", "done", {"how": "drop"}, changes=5),
    "cut_registry drop of one": Row("cut_registry", "done", {"how": "drop", "nodes": ["w-worker"]}),
    "cut_registry 503": Row("cut_registry", "kept", {"how": "503"}),
    "remove_image": Row("remove_image", "kept", {"image": IMAGE}, changes=2),
    "cut_webhook": Row("cut_webhook", "done", {}, changes=3),
    "cut_off_node": Row("cut_off_node", "done", _NODE, changes=2),
    "kill_node": Row("kill_node", "started", _NODE),
    "stop_node": Row("stop_node", "started", _NODE),
    "pause_node": Row("pause_node", "done", _NODE),
    "reboot_node": Row("reboot_node", "started", _NODE, changes=2),
    "drain_node": Row("drain_node", "another plane", _NODE, changes=2),
    "drain_node of a plane": Row("drain_node", "another plane", {"node": "w-control-plane"}),
    "reschedule_pod": Row("reschedule_pod", "another plane", {"pod": "a"}, changes=2),
    "remove_node": Row("remove_node", "another plane", _NODE),
    "scale_to_zero": Row("scale_to_zero", "another plane", {}),
    "edit_object": Row("edit_object", "another plane", _EDIT),
    "throttle": Row("throttle", "done", {"selector": "a=b", "cpu": 0.1}, changes=2),
    "crowd_templates": Row("crowd_templates", "another plane", {"count": 3}, changes=3),
    "blank_certificate": Row("blank_certificate", "another plane", {}),
    "fail_mutation": Row("fail_mutation", "another plane", {"policy": "Fail"}),
    "fail_closed": Row("fail_closed", "another plane", {}, changes=2),
    "time_out_webhooks": Row("time_out_webhooks", "another plane", {}, changes=2),
    "put": Row("put", "another plane", {}),
    "kill_containers": Row("kill_containers", "nothing", {"selector": "a=b"}),
    "restart_api_server": Row("restart_api_server", "nothing", {}),
    "restart_rollout": Row("restart_rollout", "nothing", {}),
    "delete_replicas": Row("delete_replicas", "nothing", {}),
    "evict_replicas": Row("evict_replicas", "nothing", {}),
}


class Prepared:
    """A preparation, or an object that is put, as if it were a fault: it is taken back by the same means."""

    def __init__(self, make: Callable[[Cluster, Journal], AbstractContextManager[Any]]) -> None:
        self._make = make
        self._open: AbstractContextManager[Any] | None = None

    def inject(self, cluster: Cluster, opened: Journal, _history: History) -> None:
        self._open = self._make(cluster, opened)
        self._open.__enter__()

    def heal(self, *_: object) -> None:
        if self._open:
            self._open.__exit__(None, None, None)


@contextmanager
def _put(cluster: Cluster, opened: Journal) -> Iterator[None]:
    remedies, item = Remedies(), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "chaos-x"}}
    put(cluster, opened, remedies, item, Deadline.after(5, "the object"))
    yield
    remedies.keep(cluster.engine, opened)


def _made(name: str, values: Mapping[str, Any]) -> Any:
    """Return what a row is about."""
    if name == "put":
        return Prepared(_put)
    if name in entries("preparation"):
        return Prepared(entries("preparation")[name].make(values).make)
    return entries("fault")[name].make(values)


LASTING = [name for name, row in ROWS.items() if row.stopped != "nothing"]


class Run:
    """One life of the harness on a world that outlives it."""

    def __init__(self, world: Harmed, cluster: Cluster, folder: Path) -> None:
        self.world = world
        self.cluster = cluster
        self.journal = Journal(folder / "journal.jsonl")
        self.history = History(folder / "history.jsonl")
        self.before = world.state()
        self._alive: list[Fault] = []

    def inject(self, name: str, /, **values: Any) -> Fault:
        """Inject what a row of the table is about, or the same with other values."""
        fault: Fault = _made(ROWS[name].fault, values or ROWS[name].values)
        self._alive.append(fault)
        fault.inject(self.cluster, self.journal, self.history)
        return fault

    def end(self) -> None:
        """Let go of everything, so that no block is left open."""
        self.world.dead = True
        for fault in self._alive:
            with suppress(KilledError, HarnessError):
                self.heal(fault)
        self.journal.close()
        self.history.close()

    def heal(self, fault: Fault) -> None:
        fault.heal(self.cluster, self.journal, self.history)

    def replay(self) -> list[str]:
        """Be the collector that comes after the harness was killed."""
        self.world.left, self.world.dead = None, False
        self.journal.close()
        return journal.replay(self.journal.path, self.cluster.engine)

    def is_healed(self) -> None:
        """See that nothing of the harm is left, nothing is pending, and another replay does nothing."""
        assert self.world.state() == self.before
        assert journal.pending(self.journal.path) == []
        assert self.replay() == []
        assert self.world.state() == self.before


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Run]]:
    monkeypatch.setattr(images_module, "_PULL_SECONDS", 0.0)
    opened: list[Run] = []

    def make() -> Run:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        world = Harmed()
        cluster = world.cluster(folder)
        opened.append(Run(world, cluster, folder))
        return opened[-1]

    yield make
    for each in opened:
        each.end()


def _killed_at(make: Callable[[], Run], name: str, left: int, *, late: bool) -> Run:
    """Return a run that was killed in the middle of injecting a fault."""
    run = make()
    run.world.left, run.world.late = left, late
    with pytest.raises(KilledError):
        run.inject(name)
    return run


def _lives(make: Callable[[], Run], name: str, moment: Moment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Yield runs that were killed at a moment: in the middle is between any two changes, and before each answer."""
    whole = make()
    fault = whole.inject(name)
    changes = whole.world.changes
    assert changes >= ROWS[name].changes
    if moment == "before":
        yield _killed_at(make, name, 0, late=False)
    elif moment == "middle":
        for left in range(changes):
            if left:
                yield _killed_at(make, name, left, late=False)
            yield _killed_at(make, name, left, late=True)
    elif moment == "after":
        yield whole
    else:
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "done", _die)
            with suppress(KilledError):
                whole.heal(fault)
        yield whole


def _die(_self: object, _number: int) -> None:
    raise KilledError


def test_each_fault_has_a_row() -> None:
    """A fault that is new in the catalogue says here what becomes of it when the harness is killed."""
    assert {row.fault for row in ROWS.values()} >= set(entries("fault"))


def test_each_undo_is_in_the_table(make: Callable[[], Run]) -> None:
    """Every action that a journal may name is done by some row."""
    seen = set()
    for name in LASTING:
        run = make()
        run.inject(name)
        seen |= {each.action for each in journal.pending(run.journal.path)}
    known = {name for name, action in journal._actions.items() if action.__module__.startswith("harness.faults.")}
    assert seen == known


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("moment", ["before", "middle", "after", "healed"])
def test_killed(make: Callable[[], Run], monkeypatch: pytest.MonkeyPatch, name: str, moment: Moment) -> None:
    """Nothing of the harm is left and nothing is pending after one replay; a second one does nothing."""
    for run in _lives(make, name, moment, monkeypatch):
        if ROWS[name].stopped == "nothing":
            assert journal.pending(run.journal.path) == []
            assert run.replay() == []
        else:
            assert run.replay()
            run.is_healed()


def _named(run: Run) -> set[str]:
    """Return the containers on which the undos are to be done."""
    undos = journal.pending(run.journal.path)
    words = [each.arguments.get(name, "") for each in undos for name in ("container", "node", "control_plane")]
    through_planes = any("control_plane" in each.arguments for each in undos)
    planes = {each for each in words if each.startswith("w-control-plane")} if through_planes else set()
    return planes or {each for each in words if each}


@pytest.mark.parametrize("name", LASTING)
def test_stopped(make: Callable[[], Run], name: str) -> None:
    """With its container stopped an undo is what it says, and never done while the harm would come back with it."""
    run, expected = make(), ROWS[name].stopped
    run.inject(name)
    stopped = _named(run)
    for container in stopped:
        run.world.stop(container)
    if expected == "kept":
        with pytest.raises(UndoFailed, match=r"what was done is still in it; .*start w-"):
            run.replay()
        assert journal.pending(run.journal.path)
    else:
        assert run.replay()
        assert journal.pending(run.journal.path) == []
    down = {each for each in stopped if run.world.containers[each]["status"] == "exited"}
    assert down == (set() if expected == "started" else stopped)
    for container in down:
        run.world.start(container)
    assert bool(run.replay()) == (expected == "kept")
    run.is_healed()


@pytest.mark.parametrize("name", [name for name in LASTING if ROWS[name].stopped == "another plane"])
def test_all_planes_stopped(make: Callable[[], Run], name: str) -> None:
    """What control planes keep is pending as long as none of them runs, and done when one does."""
    run = make()
    run.inject(name)
    planes = [each for each in run.world.containers if "control-plane" in each]
    for each in planes:
        run.world.stop(each)
    with pytest.raises(UndoFailed, match="no control plane is left to ask"):
        run.replay()
    run.world.start(planes[-1])
    assert run.replay()
    for each in planes[:-1]:
        run.world.start(each)
    run.is_healed()


@pytest.mark.parametrize("name", LASTING)
def test_cluster_gone(make: Callable[[], Run], name: str) -> None:
    """With the cluster its harm is gone, and nothing is pending."""
    run = make()
    run.inject(name)
    run.world.containers.clear()
    assert run.replay()
    assert journal.pending(run.journal.path) == []


@pytest.mark.parametrize("name", LASTING)
def test_one_of_them_is_stuck(make: Callable[[], Run], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An undo that fails, be it the first or the last, keeps no other undo of its fault from being done."""
    for stuck in (0, -1):
        run = make()
        fault = run.inject(name)
        undos = journal.pending(run.journal.path)
        docker = run.world.docker
        word = _word_of(undos[stuck])

        def refuse(words: list[str], stdin: str | None, word: str = word, docker: Any = docker) -> Any:
            if word in words:
                raise HarnessError("stuck")
            return docker(words, stdin)

        with monkeypatch.context() as patch:
            patch.setattr(run.world, "docker", refuse)
            with pytest.raises(HarnessError, match="stuck"):
                run.heal(fault)
        left = [each for each in undos if _word_of(each) == word]
        assert journal.pending(run.journal.path) == left
        run.replay()
        run.is_healed()


def _word_of(undo: journal.Undo) -> str:
    return str(next(undo.arguments[name] for name in ("control_plane", "container", "node") if name in undo.arguments))


_REPLICAS = {"kind": "ConfigMap", "name": "c", "namespace": "n"}
PAIRS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "throttle": (("throttle", {"selector": "a=b", "cpu": 0.1}), ("throttle", {"selector": "a", "cpu": 0.5})),
    "scale": (("scale_to_zero", {}), ("scale_to_zero", {})),
    "same fields": (("edit_object", _EDIT), ("edit_object", _EDIT)),
    "other fields": (("edit_object", _EDIT), ("edit_object", _REPLICAS | {"patch": {"data": {"b": "9", "d": "1"}}})),
    "a field of what is replaced": (
        ("edit_object", _REPLICAS | {"patch": {"data": {"a": "5"}}}),
        ("edit_object", _REPLICAS | {"patch": {"data": None}}),
    ),
    "what is replaced has fields": (
        ("edit_object", _REPLICAS | {"patch": {"data": None}}),
        ("edit_object", _REPLICAS | {"patch": {"data": {"a": "5", "e": "6"}}}),
    ),
    "cordon": (("reschedule_pod", {"pod": "a"}), ("drain_node", _NODE)),
    "down": (("pause_node", _NODE), ("kill_node", _NODE)),
    "down twice": (("kill_node", _NODE), ("stop_node", _NODE)),
    "registry": (("cut_registry stop", {"how": "stop"}), ("cut_registry stop", {"how": "stop"})),
    "webhook": (("cut_webhook", {}), ("cut_webhook", {"how": "reject"})),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0,), (1,), ()], ids=str)
def test_overlap(make: Callable[[], Run], pair: str, order: tuple[int, ...]) -> None:
    """Two faults on one target leave what was there before the first, healed in any order, or killed at any point."""
    run = make()
    (first, values), (second, more) = PAIRS[pair]
    faults = [run.inject(first, **values), run.inject(second, **more)]
    for index in order:
        run.heal(faults[index])
    run.replay()
    run.is_healed()


@pytest.mark.parametrize("healed", [0, 1])
def test_the_other_one_goes_on(make: Callable[[], Run], healed: int) -> None:
    """While one of two faults on one target is healed, the other's harm stays, and both prove that they are healed."""
    run = make()
    faults = [run.inject("throttle", selector="a", cpu=cpu) for cpu in (0.1, 0.5)]
    edits = [run.inject("edit_object", **_REPLICAS, patch={"data": {"a": value}}) for value in "56"]
    scale = run.inject("scale_to_zero")
    run.heal(faults[healed])
    run.heal(edits[healed])
    limits = {each["limits"][key] for each in run.world.containers.values() for key in each["limits"]}
    assert limits == {"-1", "50000" if healed == 0 else "10000"}
    assert run.world.objects["/api/v1/namespaces/n/configmaps/c"]["data"]["a"] == ("6" if healed == 0 else "5")
    assert run.world.objects[DEPLOYMENT]["spec"]["replicas"] == 0
    run.heal(scale)
    run.heal(faults[1 - healed])
    run.heal(edits[1 - healed])
    run.is_healed()


@pytest.mark.parametrize("name", ["drain_node", "reschedule_pod"])
def test_a_node_that_was_closed_before(make: Callable[[], Run], name: str) -> None:
    """A node that somebody else had cordoned stays so, whoever heals, and that is told."""
    for healing in (True, False):
        run = make()
        run.world.objects["/api/v1/nodes/w-worker"]["spec"]["unschedulable"] = True
        run.before = run.world.state()
        fault = run.inject(name)
        if healing:
            run.heal(fault)
            told = fault.healed(run.cluster, Deadline.after(5, "the proof"))
            assert told == "w-worker takes no pods: it was cordoned before"
        run.replay()
        run.is_healed()


def test_a_node_that_two_faults_close(make: Callable[[], Run]) -> None:
    """It is opened by the last one, and the first one says why it is not."""
    run = make()
    faults = [run.inject("reschedule_pod"), run.inject("drain_node")]
    told = []
    for fault in faults:
        with pytest.raises(FaultNotApplied, match="it is cordoned"):
            fault.healed(run.cluster, Deadline.after(5, "the proof"))
        run.heal(fault)
        told.append(fault.healed(run.cluster, Deadline.after(5, "the proof")))
    assert told == ["w-worker takes no pods: another fault keeps it cordoned", "w-worker takes pods again"]
    run.is_healed()
