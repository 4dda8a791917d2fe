"""Trigger: it acts once on the right change, at once, and says what went wrong."""

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario, DeadlineExceeded
from chaos_harness.harness.errors import PreparationFailed
from chaos_harness.harness.experiment.trigger import TRIGGER, Trigger, When
from chaos_harness.harness.history import Entry, HistoryWriter, read
from tests.fakes.api_server import PATH, FakeApiServer

if TYPE_CHECKING:
    from chaos_harness.clusters.cluster import Cluster

Act = Callable[[dict[str, Any]], object]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    """Serve pods, and say that they are found where they are served."""
    monkeypatch.setattr("chaos_harness.harness.experiment.trigger.find_path", lambda *_: PATH)
    with FakeApiServer() as server:
        yield server


@pytest.fixture
def arm(server: FakeApiServer, history: HistoryWriter) -> Callable[..., Trigger]:
    """Return who makes triggers on the served pods."""

    def make(when: When, act: Act, times: int = 1) -> Trigger:
        return Trigger(cast("Cluster", server), history, when, act, times=times)

    return make


def soon() -> Deadline:
    return Deadline.after(5, "the trigger")


def entries(history: HistoryWriter) -> list[Entry]:
    return [entry for entry in read(history.path).entries if entry.process.startswith(TRIGGER)]


def test_acts_at_the_moment(server: FakeApiServer, history: HistoryWriter, arm: Callable[..., Trigger]) -> None:
    """The action gets the object that fits, and the history how long after it was seen the action was over."""
    acted: list[str] = []
    server.put("generated-0")
    with arm(When("Pod", "ADDED", "generated-*"), lambda pod: acted.append(pod["metadata"]["name"])) as trigger:
        server.put("other")
        server.put("generated-1")
        trigger.wait(soon())
        server.put("generated-2")
    assert acted == ["generated-1"]
    seen, done = entries(history)
    assert (seen.kind, seen.f, seen.value["name"]) == ("invoke", "seen", "generated-1")
    assert (done.kind, done.f) == ("ok", "acted")
    assert 0 <= done.value["begun_seconds"] <= done.value["acted_seconds"] < 5
    assert trigger.latencies == [pytest.approx(done.value["acted_seconds"], abs=1e-5)]


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        (When("Pod", "MODIFIED"), True),
        (When("Pod", "MODIFIED", namespace="default"), True),
        (When("Pod", "MODIFIED", namespace="kube-*"), False),
        (When("Pod", "MODIFIED", where=lambda pod: pod["status"] == {"phase": "Running"}), True),
        (When("Pod", "MODIFIED", where=lambda pod: pod["status"] == {}), False),
        (When("Pod", "DELETED"), False),
    ],
)
def test_moments(server: FakeApiServer, arm: Callable[..., Trigger], when: When, *, fits: bool) -> None:
    """Kind of change, name, namespace and what the object says must all fit."""
    server.put("a")
    with arm(when, lambda _: None) as trigger:
        server.put("a", phase="Running")
        if fits:
            trigger.wait(soon())
        else:
            with pytest.raises(DeadlineExceeded, match="seen 0 of 1 times"):
                trigger.wait(Deadline.after(0.3, "the trigger"))


def test_several_times(server: FakeApiServer, history: HistoryWriter, arm: Callable[..., Trigger]) -> None:
    """A trigger that shall act twice acts twice, and no third time."""
    with arm(When("Pod"), lambda _: None, times=2) as trigger:
        for name in ("a", "b", "c"):
            server.put(name)
        trigger.wait(soon())
    assert [entry.value["name"] for entry in entries(history) if entry.f == "acted"] == ["a", "b"]


def test_action_fails(server: FakeApiServer, history: HistoryWriter, arm: Callable[..., Trigger]) -> None:
    """An error of an action is raised by `wait()`, and recorded in the history."""
    with arm(When("Pod"), _fail) as trigger:
        server.put("a")
        with pytest.raises(ValueError, match="bad luck"):
            trigger.wait(soon())
    assert [entry.kind for entry in entries(history)] == ["invoke", "fail"]


def _fail(_: dict[str, Any]) -> None:
    raise ValueError("bad luck")


def test_an_error_that_nobody_waits_for_is_raised(
    server: FakeApiServer, history: HistoryWriter, arm: Callable[..., Trigger]
) -> None:
    """At the block's end the action's error is raised, in the notes of the block's own if there is one."""

    def go_through(error: Exception | None) -> None:
        with arm(When("Pod"), _fail) as trigger:
            server.put(f"a{error}")
            trigger._thread.join(5)
            if error:
                raise error

    with pytest.raises(ValueError, match="bad luck"):
        go_through(None)
    with pytest.raises(KeyError) as raised:
        go_through(KeyError("the block's"))
    assert raised.value.__notes__ == ["and besides: ValueError: bad luck"]


def test_an_action_that_goes_on_is_no_end(
    server: FakeApiServer, arm: Callable[..., Trigger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leaves the block while the action still does harm is told."""
    monkeypatch.setattr("chaos_harness.harness.experiment.trigger._STOP_SECONDS", 0.2)
    begun, may_end = threading.Event(), threading.Event()

    def act(_: dict[str, Any]) -> None:
        begun.set()
        may_end.wait(10)

    def go_through() -> None:
        with arm(When("Pod"), act):
            server.put("a")
            begun.wait(5)

    with pytest.raises(DeadlineExceeded, match=r"the action of the trigger on Pod .* to end; last seen: its thread"):
        go_through()
    may_end.set()


def test_moment_in_a_gap(server: FakeApiServer, history: HistoryWriter, arm: Callable[..., Trigger]) -> None:
    """A change that came to light after a gap counts, and is marked: the moment itself is not known."""
    with arm(When("Pod"), lambda _: None) as trigger:
        server.wait_for_stream()
        server.refuse()
        server.put("a")
        server.accept()
        trigger.wait(soon())
    assert [entry.value["in_gap"] for entry in entries(history)] == [True, True]


def test_cannot_be_armed(history: HistoryWriter, server: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger that sees no list is not armed: the block is not entered."""
    monkeypatch.setattr("chaos_harness.harness.experiment.trigger._ARM_SECONDS", 0.2)
    server.silence()
    trigger = Trigger(cast("Cluster", server), history, When("Pod"), lambda _: None)
    with pytest.raises(DeadlineExceeded, match="the list was not seen"), trigger:
        pytest.fail("the block was entered")
    server.speak()


def test_no_such_kind(history: HistoryWriter, server: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that nobody serves is refused before anything happens."""

    def fails(*_: object) -> str:
        raise BadScenario("no kind 'Pood'")

    monkeypatch.setattr("chaos_harness.harness.experiment.trigger.find_path", fails)
    trigger = Trigger(cast("Cluster", server), history, When("Pood"), lambda _: None)
    with pytest.raises(PreparationFailed, match=r"trigger on Pood .*: no kind 'Pood'"), trigger:
        pytest.fail("the block was entered")
