"""Triggers: a trap is sprung by the change that is meant, and by nothing that stood there before."""

import threading
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from clusters.deadline import Deadline
from harness.errors import BadScenario, HarnessError
from harness.incident import triggers
from harness.incident.model import Trigger
from harness.incident.triggers import Trap
from tests.fakes.api_server import PATH, FakeApiServer

_GROUPS = {
    "/apis": {"groups": [{"preferredVersion": {"groupVersion": "apps/v1"}}]},
    "/api/v1": {"resources": [{"kind": "Pod", "name": "pods", "verbs": ["watch"]}]},
    "/apis/apps/v1": {
        "resources": [
            {"kind": "Deployment", "name": "deployments/scale", "verbs": ["watch"]},
            {"kind": "Deployment", "name": "deployments", "verbs": ["list", "watch"]},
            {"kind": "Review", "name": "reviews", "verbs": ["create"]},
        ]
    },
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    monkeypatch.setattr(triggers, "_path", lambda *_: PATH)
    with FakeApiServer() as server:
        yield server


class Traps:
    """A trap on the server, and what it caught."""

    def __init__(self, server: FakeApiServer, **fields: Any) -> None:
        self.sprung: SimpleQueue[int] = SimpleQueue()
        self.wake = threading.Event()
        self.trap = Trap(server, Trigger(kind="Pod", **fields), 3, self.sprung, self.wake)  # type: ignore[arg-type]
        self.trap.set()

    def caught(self, seconds: float = 5) -> int | None:
        try:
            return self.sprung.get(timeout=seconds)
        except Empty:
            return None
        finally:
            self.trap.check()
            self.trap.stop()


def test_sprung(server: FakeApiServer) -> None:
    """The object that is added springs the trap and wakes who waits; the one that was there does not."""
    server.put("old")
    traps = Traps(server)
    assert not traps.wake.is_set()
    server.put("new")

    assert traps.caught() == 3
    assert traps.wake.is_set()


@pytest.mark.parametrize("fields", [{"name": "other-*"}, {"event": "DELETED"}, {"namespace": "other"}, {"count": 2}])
def test_not_meant(server: FakeApiServer, fields: dict[str, Any]) -> None:
    """Another name, event or namespace, and a first change where the second is meant, do not spring it."""
    traps = Traps(server, **fields)
    server.put("new")

    assert traps.caught(0.3) is None


def test_the_second(server: FakeApiServer) -> None:
    """The change that is counted is that of the objects that are meant."""
    traps = Traps(server, count=2, name="new-*", event="MODIFIED")
    for name in ("old", "new-a", "old", "new-a", "new-a"):
        server.put(name)

    assert traps.caught() == 3
    assert traps.trap.seen == 2


def test_dead(server: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that died is told when it is looked at."""
    monkeypatch.setattr(triggers, "Watch", None)

    with pytest.raises(HarnessError, match="the watch for Pod died"):
        Traps(server)


@pytest.mark.parametrize(
    ("kind", "version", "path"),
    [
        ("Pod", None, "/api/v1/pods"),
        ("Deployment", None, "/apis/apps/v1/deployments"),
        ("Deployment", "apps/v1", "/apis/apps/v1/deployments"),
    ],
)
def test_kinds(monkeypatch: pytest.MonkeyPatch, kind: str, version: str | None, path: str) -> None:
    """The URL of a kind is what the API server says that it is."""
    monkeypatch.setattr(triggers, "request", lambda _api, _verb, path: _GROUPS[path])
    trigger = Trigger(kind=kind, api_version=version)

    assert triggers._path(None, trigger, Deadline.after(5, "it")) == path


@pytest.mark.parametrize("kind", ["Nothing", "Review"])
def test_unknown_kinds(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A kind that the API server does not know, or that cannot be watched, is refused."""
    monkeypatch.setattr(triggers, "request", lambda _api, _verb, path: _GROUPS[path])

    with pytest.raises(BadScenario, match=f"knows no kind '{kind}' that can be watched"):
        triggers._path(None, Trigger(kind=kind), Deadline.after(5, "it"))
