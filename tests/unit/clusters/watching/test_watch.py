"""Watching a server that fails, on command, in every way it knows; what a real one does is in tests/api."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import Change, Timing, Watch
from tests.fakes.api_server import PATH, FakeApiServer
from tests.fakes.watch_changes import QUICK, in_background, named, take, whole

SHORT = replace(QUICK, chunk=2.0, read=3.0, replay=0.3)


@pytest.fixture
def changes(api: ApiClient) -> Iterator[Generator[Change, None, None]]:
    changes = Watch(api, PATH, timing=QUICK).changes(Deadline.after(60, "the test"))
    yield changes
    changes.close()


def test_list_then_watch(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """Objects that are there come as LISTED, an empty LISTED says that these were all, then come changes."""
    server.put("a")
    seen = take(changes, whole)
    server.put("b")
    server.put("a", phase="Running")
    server.delete("b")
    seen += take(changes, lambda change: change.kind == "DELETED")
    assert [named(change) for change in seen] == [
        ("LISTED", "default/a", False),
        ("LISTED", "", False),
        ("ADDED", "default/b", False),
        ("MODIFIED", "default/a", False),
        ("DELETED", "default/b", False),
    ]


def test_request(server: FakeApiServer, api: ApiClient) -> None:
    """A watch asks with the client's token, its selectors, bookmarks, the listed version and an end."""
    server.put("a")
    changes = Watch(api, PATH, params={"labelSelector": "a=b"}, timing=QUICK).changes(Deadline.after(60, "it"))
    take(changes, whole)
    threading.Timer(0.1, server.put, ("b",)).start()
    next(changes)
    assert [query for _, query in server.requests] == [
        {"labelSelector": "a=b"},
        {
            "labelSelector": "a=b",
            "watch": "true",
            "resourceVersion": "2",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "5",
        },
    ]
    assert server.headers["authorization"] == "Bearer token-of-the-test"
    changes.close()


def test_stream_ends_in_time(server: FakeApiServer, api: ApiClient) -> None:
    """A stream that ends in its time is no gap but a sign of life: the watch goes on behind the last change."""
    timing = Timing(connect=1, read=5, chunk=0.1)
    changes = Watch(api, PATH, timing=timing).changes(Deadline.after(60, "the test"))
    take(changes, whole)
    seen = take(changes, lambda change: change.kind == "BOOKMARK")
    server.put("a")
    seen += take(changes, lambda change: change.object is not None)
    assert {change.kind for change in seen} == {"BOOKMARK", "ADDED"}
    assert {change.resource_version for change in seen[:-1]} == {"1"}
    first, *others = ["watch" in query for _, query in server.requests]
    assert not first
    assert others.count(True) == len(others) > 1
    changes.close()


def test_lost_events(server: FakeApiServer, api: ApiClient) -> None:
    """Events that a stream lost before it ended in its time come with the next stream, each once."""
    timing = Timing(connect=1, read=5, chunk=1)
    changes = Watch(api, PATH, timing=timing).changes(Deadline.after(60, "the test"))
    take(changes, whole)
    change = in_background(lambda: next(changes))
    server.wait_for_stream()
    server.put("seen")
    server.order("lose")
    server.put("lost")
    assert named(change()) == ("ADDED", "default/seen", False)
    assert [named(event) for event in take(changes, lambda event: event.object is not None)] == [
        ("BOOKMARK", "", False),
        ("ADDED", "default/lost", False),
    ]
    changes.close()


def test_bookmark(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """A bookmark is no change of any object; the version it brings is where the watch goes on."""
    server.put("a")
    take(changes, whole)
    change = in_background(lambda: next(iter(changes)))
    server.wait_for_stream()
    server.order("bookmark")
    assert change() == Change("BOOKMARK", resource_version="2")


def happen(server: FakeApiServer) -> None:
    """Let an object be deleted, changed, made anew, made, and come and go."""
    server.delete("gone")
    server.put("changed", phase="Running")
    server.delete("again")
    server.put("again")
    server.put("new")
    server.put("brief")
    server.delete("brief")


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda server: server.order("end"), "ended"),
        (lambda server: server.order("cut"), "broken"),
        (lambda server: server.order("truncate"), "broken"),
        (FakeApiServer.silence, "silent"),
    ],
    ids=["end", "cut", "truncate", "silence"],
)
def test_gap(server: FakeApiServer, api: ApiClient, harm: Callable[[FakeApiServer], None], why: str) -> None:
    """A stream that fails is one GAP that says why; all that came in it is told, marked and in its order."""
    changes = Watch(api, PATH, timing=SHORT).changes(Deadline.after(60, "the test"))
    for name in ("gone", "changed", "again", "same"):
        server.put(name)
    take(changes, whole)
    gap = in_background(lambda: next(iter(changes)))
    server.wait_for_stream()
    harm(server)
    happen(server)
    seen = gap()
    server.speak()
    assert (seen.kind, seen.why) == ("GAP", why)
    assert [named(change) for change in take(changes, whole)] == [
        ("DELETED", "default/gone", True),
        ("MODIFIED", "default/changed", True),
        ("DELETED", "default/again", True),
        ("ADDED", "default/again", True),
        ("ADDED", "default/new", True),
        ("ADDED", "default/brief", True),
        ("DELETED", "default/brief", True),
        ("RESUMED", "", False),
    ]
    assert sum("watch" not in query for _, query in server.requests) == 2, "one list, and one look at what there is"
    changes.close()


def test_a_gap_whose_beginning_is_forgotten(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """A server that no longer has the version is listed anew: what came and went is not known, the rest is."""
    for name in ("gone", "changed", "again", "same"):
        server.put(name)
    take(changes, whole)
    gap = in_background(lambda: next(iter(changes)))
    server.wait_for_stream()
    server.order("gone")
    happen(server)
    seen = gap()
    assert (seen.kind, seen.why) == ("GAP", "410")
    assert [named(change) for change in take(changes, whole)] == [
        ("DELETED", "default/gone", True),
        ("DELETED", "default/again", True),
        ("MODIFIED", "default/changed", True),
        ("ADDED", "default/again", True),
        ("ADDED", "default/new", True),
        ("LISTED", "", False),
    ]


def test_no_longer_served(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """That a list is not served is told once, and all that there was is gone; any other answer is one more gap."""
    server.put("a")
    take(changes, whole)
    gap = in_background(lambda: next(iter(changes)))
    server.wait_for_stream()
    server.status.extend([500, 404, 404, 500, 404])
    server.order("cut")
    assert gap().why == "broken"
    assert [(*named(change), change.why) for change in take(changes, whole)] == [
        ("GAP", "", False, "404"),
        ("DELETED", "default/a", True, ""),
        ("GAP", "", False, "500"),
        ("GAP", "", False, "404"),
        ("ADDED", "default/a", True, ""),
        ("LISTED", "", False, ""),
    ]


def test_second_gap(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """What one gap has shown, the next one does not show again."""
    server.put("gone")
    take(changes, whole)
    for expected in ([("DELETED", "default/gone", True), ("LISTED", "", False)], [("LISTED", "", False)]):
        server.delete("gone")
        server.compact()
        assert next(iter(changes)).kind == "GAP"
        assert [named(change) for change in take(changes, whole)] == expected


@pytest.mark.parametrize("form", ["status", "event"])
def test_version_gone(server: FakeApiServer, api: ApiClient, form: str) -> None:
    """A version that the server no longer has is a gap 410, as HTTP status or as event, and is listed anew."""
    server.gone_as = "status" if form == "status" else "event"
    changes = Watch(api, PATH, timing=QUICK).changes(Deadline.after(60, "the test"))
    take(changes, whole)
    server.compact()
    server.put("a")
    seen = take(changes, lambda change: change.object is not None)
    assert [(change.kind, change.why) for change in seen] == [("GAP", "410"), ("ADDED", "")]
    assert "too old" in seen[0].detail
    changes.close()


def test_refused(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """A server that is away is one gap, however often it is tried, and it ends when the server is back."""
    server.put("a")
    server.refuse()
    assert next(iter(changes)).why == "refused"
    threading.Timer(0.3, server.accept).start()
    assert [named(change) for change in take(changes, whole)] == [
        ("LISTED", "default/a", False),
        ("LISTED", "", False),
    ]


def test_half_open_before_any_answer(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """A server that takes a request and says nothing is a gap when the read time-out has passed."""
    server.silence()
    began = time.monotonic()
    assert next(iter(changes)).why == "silent"
    assert time.monotonic() - began >= 0.5


def test_error_status(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """Any other status is a gap with its number and what the server says of it."""
    server.status.append(503)
    gap = next(iter(changes))
    assert gap.why == "503"
    assert "too old" in gap.detail


def test_slow_server(server: FakeApiServer, api: ApiClient) -> None:
    """A slow server is not a gap."""
    changes = Watch(api, PATH).changes(Deadline.after(60, "the test"))
    server.delay = 0.1
    server.put("a")
    take(changes, whole)
    threading.Timer(0.1, server.put, ("b",)).start()
    assert named(next(changes)) == ("ADDED", "default/b", False)
    changes.close()


def test_asking(server: FakeApiServer, api: ApiClient) -> None:
    """Whoever wants to know is told of each request, also of those in a gap."""
    asked = threading.Semaphore(0)
    changes = Watch(api, PATH, timing=QUICK).changes(Deadline.after(60, "it"), asking=asked.release)
    take(changes, whole)
    threading.Timer(0.1, server.put, ("a",)).start()
    take(changes, lambda change: change.kind == "ADDED")
    server.refuse()
    take(changes, lambda change: change.kind == "GAP")
    threading.Timer(0.2, server.accept).start()
    take(changes, whole)
    assert all(asked.acquire(timeout=300) for _ in range(5)), "a list, a watch, a try in the gap, a watch, a look"
    changes.close()
