"""Probes: what they write, and that a dead, late or silent one is never taken for good news."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.harness.errors import ProbeBroken
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.admission import admission_canary
from chaos_harness.harness.probes.registry_log import follow_registry
from chaos_harness.harness.probes.replicas import ask_replicas
from tests.fakes.world import World


def _beats(probe: Probe) -> None:
    for _ in probe.every(0.01):
        pass


def _says_nothing(probe: Probe) -> None:
    probe.stopping.wait()


def soon(what: Callable[[], object]) -> None:
    """Wait until something is true."""
    for _ in Deadline.after(5, "it").attempts(0.01, 0.05):
        if what():
            return
    pytest.fail("it did not come true in 5 s")


def entries(history: HistoryWriter, process: str, kind: str = "") -> list[Entry]:
    """Return what is recorded of a process."""
    mine = (entry for entry in read(history.path).entries if entry.process.startswith(process))
    return [entry for entry in mine if kind in ("", entry.kind)]


def test_a_probe_that_beats_is_healthy() -> None:
    """A probe that beats is healthy, gives a first sign of life, and ends when it is told to."""
    probe = Probe("p", _beats)
    probe.start()
    probe.wait_for_beat(Deadline.after(5, "a beat"))
    probe.require_healthy()
    probe.stop()


def test_a_probe_that_died_says_why() -> None:
    """A probe whose thread died is broken, with the reason, when it is asked and when it is stopped."""

    def dies(probe: Probe) -> None:
        probe.beat()
        raise ValueError("bad luck")

    probe = Probe("p", dies)
    probe.start()
    soon(lambda: not probe._thread.is_alive())
    for ask in (probe.require_healthy, probe.stop, lambda: probe.wait_for_beat(Deadline.after(1, "a beat"))):
        with pytest.raises(ProbeBroken, match="bad luck"):
            ask()


def test_ended_by_itself() -> None:
    """A probe that stops asking without being told to is broken."""
    probe = Probe("p", lambda probe: probe.beat())
    probe.start()
    soon(lambda: not probe._thread.is_alive())
    with pytest.raises(ProbeBroken, match="probe p returned before it was stopped"):
        probe.require_healthy()


def test_a_probe_that_is_silent_for_too_long_is_broken() -> None:
    """A probe without a sign of life for too long is broken; once it is stopped it need not beat any more."""
    probe = Probe("p", _says_nothing, late_after=0.05)
    probe.start()
    with pytest.raises(ProbeBroken, match="nothing"):
        probe.wait_for_beat(Deadline.after(0.1, "a beat"))
    with pytest.raises(ProbeBroken, match="sign of life"):
        probe.require_healthy()
    probe.stop()
    probe.require_healthy()


def test_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that cannot be stopped is told, not waited for without end."""
    monkeypatch.setattr("chaos_harness.harness.probes._STOP_SECONDS", 0.05)
    release = threading.Event()

    def stays(_: Probe) -> None:
        release.wait()

    probe = Probe("p", stays)
    probe.start()
    with pytest.raises(ProbeBroken, match="still running"):
        probe.stop()
    release.set()


def test_moments_are_evenly_spaced_though_one_was_late() -> None:
    """The moments of an open loop are evenly spaced, also when the asker was late once."""
    moments: list[float] = []
    hindrance = threading.Event()

    def asks(probe: Probe) -> None:
        for due in probe.every(0.02):
            moments.append(due)
            hindrance.wait(0.1 if len(moments) == 3 else 0)

    probe = Probe("p", asks)
    probe.start()
    soon(lambda: len(moments) > 12)
    probe.stop()
    gaps = {round(later - earlier, 6) for earlier, later in pairwise(moments)}
    assert gaps == {0.02}


def test_settling_waits_for_a_round_that_begins_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settling waits for a round that begins afterwards, and not for the one under way."""
    rounds: list[str] = []
    go_on = threading.Semaphore(0)

    def asks(probe: Probe) -> None:
        for _ in probe.every(0.01):
            rounds.append("begun")
            go_on.acquire(timeout=5)
            rounds.append("ended")

    probe = Probe("p", asks)
    probe.start()
    soon(lambda: rounds)
    wait_for = probe._rounds.wait_for

    def release_and_wait(ended: Callable[[], object], seconds: float) -> object:
        go_on.release(2)
        return wait_for(ended, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(probe._rounds, "wait_for", release_and_wait)
        probe.settle(Deadline.after(5, "a round"))
    assert rounds[:4] == ["begun", "ended"] * 2
    with pytest.raises(ProbeBroken, match="a round"):
        probe.settle(Deadline.after(0.05, "a round"))
    probe.stopping.set()
    go_on.release(10)
    probe.stop()


def test_settles_without_rounds() -> None:
    """A probe that is told and does not ask in rounds has nothing to wait for."""
    probe = Probe("p", _says_nothing)
    probe.start()
    probe.settle(Deadline.after(0.1, "a round"))
    probe.stop()


def test_dies_while_it_settles() -> None:
    """A probe that dies in the round that is waited for is broken at once."""
    release = threading.Event()

    def dies(probe: Probe) -> None:
        for _ in probe.every(0.01):
            release.wait(5)
            raise ValueError("bad luck")

    probe = Probe("p", dies)
    probe.start()
    soon(lambda: probe._begun)
    threading.Timer(0.05, release.set).start()
    with pytest.raises(ProbeBroken, match="bad luck"):
        probe.settle(Deadline.after(5, "a round"))


def test_the_canary_fails_when_gatekeeper_cannot_be_called(
    cluster: Cluster, world: World, history: HistoryWriter
) -> None:
    """The canary is ok while Gatekeeper denies what it must, and fails when it cannot be called."""
    probe = admission_canary(cluster, history, rate=50)
    probe.start()
    soon(lambda: entries(history, "canary", "ok"))
    world.denies = False
    soon(lambda: entries(history, "canary", "fail"))
    probe.stop()
    value = entries(history, "canary", "fail")[0].value
    assert value["policy"] == "check ignore label"
    assert value["said"] == "500 failed calling webhook"


def test_canary_without_an_answer(tmp_path: Path, world: World, history: HistoryWriter) -> None:
    """An API server that is away gives answers that are unknown, neither good nor bad."""
    with world.cluster(tmp_path) as cluster:
        pass
    probe = admission_canary(cluster, history, rate=50)
    probe.start()
    soon(lambda: entries(history, "canary", "info"))
    probe.stop()
    assert not entries(history, "canary", "ok")
    assert not entries(history, "canary", "fail")


def test_each_replica_is_asked_by_itself(cluster: Cluster, world: World, history: HistoryWriter) -> None:
    """Each webhook pod is asked by itself, and its uid stands beside its answer."""
    world.pod("a", "w-worker")
    world.pod("b", "w-worker2", container="c2")
    probe = ask_replicas(cluster, history, every=0.02)
    probe.start()
    soon(lambda: entries(history, "replica a", "ok") and entries(history, "replica b", "ok"))
    world.denies = False
    soon(lambda: entries(history, "replica a", "fail"))
    probe.stop()
    assert entries(history, "replica a", "ok")[0].value["uid"] == "uid-a"


def test_each_request_is_in_the_history_once(cluster: Cluster, world: World, history: HistoryWriter) -> None:
    """Each request that the registry logs stands in the history once, also when it is read again."""
    assert cluster.registry
    probe = follow_registry(cluster.registry, history, every=0.02)
    probe.start()
    world.ask_registry(world.containers["w-worker"], stdin=world.header)
    soon(lambda: len(entries(history, "registry", "ok")) > 3)
    world.ask_registry(world.containers["w-worker"], stdin=world.header)
    soon(lambda: len(entries(history, "registry", "info")) == 2)
    read_now = len(entries(history, "registry", "ok"))
    soon(lambda: len(entries(history, "registry", "ok")) > read_now + 2)
    probe.stop()
    requests = entries(history, "registry", "info")
    assert [entry.value["path"] for entry in requests] == ["/v2/", "/v2/"]
    assert requests[0].value["time"] == pytest.approx(requests[0].wall, abs=5)


def test_requests_of_others(cluster: Cluster, world: World, history: HistoryWriter) -> None:
    """Who asks from this machine, or without the password, is no node: a check must not take him for one."""
    assert cluster.registry
    probe = follow_registry(cluster.registry, history, every=0.02)
    probe.start()
    soon(lambda: entries(history, "registry", "ok"))
    now = datetime.now(UTC).isoformat()
    path = "/v2/openpolicyagent/gatekeeper/manifests/v3.23.1"
    for remote, status in ((cluster.registry.gateway, 404), ("10.0.0.2", 401)):
        world.log.append(f'{now} {remote} - - [now] "GET {path} HTTP/1.1" {status} 0 "" "curl"')
    world.ask_registry(world.containers["w-worker"], stdin=world.header)
    soon(lambda: entries(history, "registry", "info"))
    probe.stop()
    assert [entry.value["path"] for entry in entries(history, "registry", "info")] == ["/v2/"]


def test_requests_cannot_be_read(
    cluster: Cluster, world: World, history: HistoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that cannot be read is told; it is not taken for a log without requests."""

    def fails(*_: object) -> object:
        raise CommandFailed("no such container")

    monkeypatch.setattr(world, "docker", fails)
    assert cluster.registry
    probe = follow_registry(cluster.registry, history, every=0.02)
    probe.start()
    soon(lambda: entries(history, "registry", "info"))
    probe.stop()
    assert not entries(history, "registry", "ok")
    assert "no such container" in entries(history, "registry")[0].value["said"]
