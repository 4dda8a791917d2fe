"""Watching, against an API server that fails in every way it knows."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, get_args

import pytest
import urllib3
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kubernetes.client import ApiClient

from clusters.deadline import Deadline
from clusters.errors import DeadlineExceeded, HarnessError
from clusters.watching import Change, State, Timing, Watch, fold, key, until
from tests.fakes.api_handler import Order
from tests.fakes.api_server import PATH, FakeApiServer

QUICK = Timing(connect=1, read=0.5, chunk=5, first_pause=0.01, longest_pause=0.05)


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as server:
        yield server


@pytest.fixture
def api(server: FakeApiServer) -> Iterator[ApiClient]:
    with server.client() as api:
        yield api


@pytest.fixture
def changes(api: ApiClient) -> Iterator[Generator[Change, None, None]]:
    changes = Watch(api, PATH, timing=QUICK).changes(Deadline.after(5, "the test"))
    yield changes
    changes.close()


def take(changes: Iterator[Change], wanted: Callable[[Change], bool]) -> list[Change]:
    """Return what comes up to the first change that is wanted."""
    taken = []
    for change in changes:
        taken.append(change)
        if wanted(change):
            return taken
    raise AssertionError(f"not among {taken}")


def whole(change: Change) -> bool:
    return change.kind == "LISTED" and change.object is None


def named(change: Change) -> tuple[str, str, bool]:
    return change.kind, key(change.object) if change.object else "", change.in_gap


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


def test_listed_objects_are_like_watched_ones(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """A listed object has the kind and apiVersion that the server's list leaves out."""
    server.put("a")
    assert next(iter(changes)).object == server.objects["a"]


def test_request(server: FakeApiServer, api: ApiClient) -> None:
    """A watch asks with the client's token, its selectors, bookmarks, the listed version and an end."""
    server.put("a")
    changes = Watch(api, PATH, params={"labelSelector": "a=b"}, timing=QUICK).changes(Deadline.after(5, "it"))
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
    """A stream that ends in its time is no gap: the watch goes on behind the last change, without a list."""
    timing = Timing(connect=1, read=5, chunk=0.1)
    changes = Watch(api, PATH, timing=timing).changes(Deadline.after(5, "the test"))
    take(changes, whole)
    server_put = threading.Timer(0.25, server.put, ("a",))
    server_put.start()
    assert named(next(changes)) == ("ADDED", "default/a", False)
    assert ["watch" in query for _, query in server.requests] == [False, True, True, True]
    changes.close()


def test_lost_events(server: FakeApiServer, api: ApiClient) -> None:
    """Events that a stream lost before it ended in its time come with the next stream, each once."""
    timing = Timing(connect=1, read=5, chunk=0.2)
    changes = Watch(api, PATH, timing=timing).changes(Deadline.after(5, "the test"))
    take(changes, whole)
    change = in_background(lambda: next(changes))
    server.wait_for_stream()
    server.put("seen")
    server.order("lose")
    server.put("lost")
    assert [named(change()), named(next(changes))] == [
        ("ADDED", "default/seen", False),
        ("ADDED", "default/lost", False),
    ]
    changes.close()


def test_bookmark(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """A bookmark is no change of any object; the version it brings is where the watch goes on."""
    server.put("a")
    take(changes, whole)
    found = in_background(lambda: next(iter(changes)))
    server.wait_for_stream()
    server.order("bookmark")
    assert found() == Change("BOOKMARK", resource_version="2")


def in_background(work: Callable[[], Change]) -> Callable[[], Change]:
    """Start `work` in a thread, and return a function that waits for its result."""
    results: list[Change] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()

    def result() -> Change:
        thread.join()
        return results[0]

    return result


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda server: server.order("end"), "ended"),
        (lambda server: server.order("cut"), "broken"),
        (lambda server: server.order("gone"), "410"),
        (lambda server: server.order("truncate"), "broken"),
        (FakeApiServer.silence, "silent"),
    ],
    ids=["end", "cut", "gone", "truncate", "silence"],
)
def test_gap(server: FakeApiServer, changes: Iterator[Change], harm: Callable[[FakeApiServer], None], why: str) -> None:
    """A stream that fails is one GAP that says why; what happened in it comes marked, before the whole list."""
    for name in ("gone", "changed", "again", "same"):
        server.put(name)
    take(changes, whole)
    gap = in_background(lambda: next(iter(changes)))
    server.wait_for_stream()
    harm(server)
    server.delete("gone")
    server.put("changed", phase="Running")
    server.delete("again")
    server.put("again")
    server.put("new")
    seen = gap()
    server.speak()
    assert (seen.kind, seen.why) == ("GAP", why)
    assert [named(change) for change in take(changes, whole)] == [
        ("DELETED", "default/gone", True),
        ("DELETED", "default/again", True),
        ("MODIFIED", "default/changed", True),
        ("ADDED", "default/again", True),
        ("ADDED", "default/new", True),
        ("LISTED", "", False),
    ]


@pytest.mark.parametrize("form", ["status", "event"])
def test_version_gone(server: FakeApiServer, api: ApiClient, form: str) -> None:
    """A version that the server no longer has is a gap 410, as HTTP status or as event, and is listed anew."""
    server.gone_as = "status" if form == "status" else "event"
    changes = Watch(api, PATH, timing=QUICK).changes(Deadline.after(5, "the test"))
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


def test_no_connection(api: ApiClient) -> None:
    """A server whose machine does not answer at all is a gap when the connect time-out has passed."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, contextlib.ExitStack() as queue:
        queue.enter_context(socket.create_connection(deaf.getsockname()))  # fills the queue: SYNs are dropped now
        api.configuration.host = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        changes = Watch(api, PATH, timing=Timing(connect=0.2)).changes(Deadline.after(5, "the test"))
        assert next(changes).why == "timeout"
        changes.close()


def test_error_status(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """Any other status is a gap with its number and what the server says of it."""
    server.status.append(503)
    gap = next(iter(changes))
    assert gap.why == "503"
    assert "too old" in gap.detail


def test_not_a_list(server: FakeApiServer, changes: Iterator[Change]) -> None:
    """A URL that is no list is the caller's mistake, and raised."""
    server.body = b'{"kind": "Pod"}'
    with pytest.raises(HarnessError, match="expected a list, found a Pod"):
        next(iter(changes))


def test_slow_server(server: FakeApiServer, api: ApiClient) -> None:
    """A slow server is not a gap."""
    changes = Watch(api, PATH).changes(Deadline.after(5, "the test"))
    server.delay = 0.1
    server.put("a")
    take(changes, whole)
    threading.Timer(0.1, server.put, ("b",)).start()
    assert named(next(changes)) == ("ADDED", "default/b", False)
    changes.close()


def test_never_spins_when_refused(server: FakeApiServer, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses is tried with growing pauses: four times in the first 0.6 s."""
    tries = []
    request = api.rest_client.pool_manager.request

    def counted(*args: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        tries.append(args)
        return request(*args, **options)

    monkeypatch.setattr(api.rest_client.pool_manager, "request", counted)
    server.refuse()
    list(Watch(api, PATH).changes(Deadline.after(0.6, "the test")))
    assert 2 <= len(tries) <= 4


def test_never_spins_when_each_watch_fails(server: FakeApiServer, api: ApiClient) -> None:
    """A server that lists but lets no watch live is tried with growing pauses, too."""
    server.compact()
    server.version -= 1
    list(Watch(api, PATH).changes(Deadline.after(0.6, "the test")))
    assert 4 <= len(server.requests) <= 8


@pytest.mark.parametrize("harm", ["silence", "drip", "refuse"])
def test_deadline(server: FakeApiServer, api: ApiClient, harm: str) -> None:
    """The changes end at the deadline, whatever the server does."""
    began = time.monotonic()
    changes = Watch(api, PATH).changes(Deadline.after(0.3, "the test"))
    take(changes, whole)
    spoil(server, harm)
    list(changes)
    assert 0.3 <= time.monotonic() - began < 2


@pytest.mark.parametrize("harm", ["silence", "drip", "refuse", "nothing"])
def test_stop(server: FakeApiServer, api: ApiClient, harm: str) -> None:
    """The changes end soon after `stop`, whatever the server does."""
    stop = threading.Event()
    changes = Watch(api, PATH, timing=Timing(longest_pause=0.2)).changes(Deadline.after(60, "the test"), stop)
    take(changes, whole)
    spoil(server, harm)
    threading.Timer(0.15, stop.set).start()
    began = time.monotonic()
    list(changes)
    assert time.monotonic() - began < 2


def test_stop_while_no_answer_comes(server: FakeApiServer, api: ApiClient) -> None:
    """`stop` does not wait for a read time-out when not even the first byte of an answer came."""
    stop = threading.Event()
    server.silence()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    assert list(Watch(api, PATH).changes(Deadline.after(60, "the test"), stop)) == []
    assert time.monotonic() - began < 2


def spoil(server: FakeApiServer, harm: str) -> None:
    """Harm the server from another thread as soon as a watch is open."""

    def work() -> None:
        server.wait_for_stream()
        if harm == "silence":
            server.silence()
        elif harm == "drip":
            server.order("drip")
        elif harm == "refuse":
            server.refuse()

    threading.Thread(target=work).start()


def test_no_thread_is_left(server: FakeApiServer, changes: Generator[Change, None, None]) -> None:
    """A closed watch leaves no thread reading from a server that sends nothing."""
    take(changes, whole)
    threading.Timer(0.1, server.put, ("a",)).start()
    next(changes)
    changes.close()
    readers = [thread for thread in threading.enumerate() if thread.name.startswith("GET ")]
    for reader in readers:
        reader.join(0.3)
    assert not any(reader.is_alive() for reader in readers)


def test_no_thread_is_left_by_a_late_answer(server: FakeApiServer, api: ApiClient) -> None:
    """A stream that opens after the watch was closed is not read."""
    changes = Watch(api, PATH).changes(Deadline.after(0.2, "the test"))
    take(changes, whole)
    server.delay = 0.3
    assert list(changes) == []
    server.wait_for_stream()
    reader = next(thread for thread in threading.enumerate() if thread.name.startswith("GET "))
    reader.join(1)
    assert not reader.is_alive()


def test_pauses_begin_anew(server: FakeApiServer, api: ApiClient) -> None:
    """After a stream that lived for a while, the first try comes without a pause."""
    timing = Timing(first_pause=2, longest_pause=0.2)
    changes = Watch(api, PATH, timing=timing).changes(Deadline.after(5, "the test"))
    take(changes, whole)
    timer = threading.Timer(0.3, server.order, ("end",))
    timer.start()
    gap = next(changes)
    assert take(changes, whole)[-1].at - gap.at < 1
    changes.close()


def test_until(server: FakeApiServer, api: ApiClient) -> None:
    """`until` returns what the predicate found in the state, keyed by namespace and name."""
    server.put("a")
    threading.Timer(0.1, server.put, ("a",), {"phase": "Running"}).start()

    def running(state: State) -> list[str]:
        return [name for name, pod in state.items() if pod["status"].get("phase") == "Running"]

    assert until(api, PATH, running, Deadline.after(5, "a running pod"), timing=QUICK) == ["default/a"]


def test_until_nothing_is_there(api: ApiClient) -> None:
    """`until` asks about a state without any object, too."""
    assert until(api, PATH, lambda state: not state, Deadline.after(5, "no pod"), timing=QUICK)


def test_until_asks_only_of_whole_states(server: FakeApiServer, api: ApiClient) -> None:
    """`until` never asks about half a list, nor about a state in a gap."""
    for name in "abc":
        server.put(name)
    asked: list[int] = []

    def spoiled(state: State) -> bool:
        asked.append(len(state))
        if len(asked) == 1:
            server.delete("a")
            server.delete("b")
            server.compact()
        return len(state) == 1

    assert until(api, PATH, spoiled, Deadline.after(5, "one pod"), timing=QUICK)
    assert asked == [3, 1]


def test_until_too_late(server: FakeApiServer, api: ApiClient) -> None:
    """The error of `until` says what was waited for, for how long, and in short what was there."""
    waiting = [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "long"}}}]
    server.put("a", phase="Pending", conditions=[{"type": "Ready", "status": "False"}], containerStatuses=waiting)
    for number in range(6):
        server.put(f"b{number}")
    with pytest.raises(DeadlineExceeded) as caught:
        until(api, PATH, lambda state: None, Deadline.after(0.15, "pods to be Ready"), timing=QUICK)
    message = str(caught.value)
    assert message.startswith("waited 0 s for pods to be Ready; last seen: Pod default/a: Pending Ready=False Image")
    assert message.endswith("BackOff, Pod default/b0: no status, Pod default/b1: no status, Pod default/b2: no status, "
                            "Pod default/b3: no status, and 2 more")  # fmt: skip


def test_until_no_longer_blind(server: FakeApiServer, api: ApiClient) -> None:
    """The error of `until` does not tell of a gap that is over."""
    server.status.append(500)
    with pytest.raises(DeadlineExceeded, match=r"last seen: no object$"):
        until(api, PATH, lambda state: None, Deadline.after(0.2, "a pod"), timing=QUICK)


def test_until_blind(server: FakeApiServer, api: ApiClient) -> None:
    """The error of `until` says that nothing could be seen at the end, and why."""
    server.refuse()
    with pytest.raises(DeadlineExceeded, match=r"no object \(blind for 0 s: refused .*Connection refused"):
        until(api, PATH, lambda state: None, Deadline.after(0.2, "a pod"), timing=QUICK)


NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("delete"), NAMES),
        st.tuples(st.sampled_from([order for order in get_args(Order) if order != "drip"]), st.just("")),
        st.tuples(st.sampled_from(["compact", "refuse", "accept", "silent", "speak", "status", "settle"]), st.just("")),
    ),
    max_size=14,
)


@given(steps=STEPS, gone_as=st.sampled_from(["status", "event"]))
@example(steps=[("put", "a"), ("settle", ""), ("cut", ""), ("delete", "a"), ("settle", "")], gone_as="event")
@example(steps=[("put", "a"), ("settle", ""), ("silent", ""), ("put", "b"), ("put", "a")], gone_as="event")
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_schedule(steps: list[tuple[str, str]], gone_as: str) -> None:
    """Whatever fails when, a change is seen once or lies in a reported gap, and the state ends as the server's."""
    timing = Timing(connect=1, read=0.2, chunk=0.1, first_pause=0.005, longest_pause=0.02)
    with FakeApiServer() as server, server.client() as api:
        server.gone_as = "status" if gone_as == "status" else "event"
        seen: list[Change] = []
        state: State = {}
        finished = threading.Event()

        def follow() -> None:
            for change in Watch(api, PATH, timing=timing).changes(Deadline.after(20, "the end"), finished):
                seen.append(change)
                fold(state, change)
                if "default/end" in state and whole_after(seen):
                    finished.set()

        follower = threading.Thread(target=follow)
        follower.start()
        server.wait_for_stream()
        for step, name in steps:
            act(server, step, name)
        server.accept()
        server.speak()
        server.put("end")
        follower.join()
        assert {key(each): each for each in server.objects.values()} == state
        assert_accounted(seen, server)


def whole_after(seen: list[Change]) -> bool:
    """Whether the last GAP, if any, is over."""
    return next((whole(change) for change in reversed(seen) if change.kind == "GAP" or whole(change)), False)


def act(server: FakeApiServer, step: str, name: str) -> None:
    if step in {"put", "delete"}:
        getattr(server, step)(name)
    elif step == "status":
        server.status.append(500)
    elif step == "silent":
        server.silence()
    elif step == "settle":
        server.accept()
        server.speak()
        server.wait_for_stream()
    elif step in get_args(Order):
        server.order(step)  # type: ignore[arg-type]
    else:
        getattr(server, step)()


def assert_accounted(seen: list[Change], server: FakeApiServer) -> None:
    """Hold that outside of gaps the changes are the server's log, one by one."""
    log = iter(server.log)
    upcoming = next(log, None)
    blind = True
    state: State = {}
    for change in seen:
        if change.object:
            assert (change.kind in {"ADDED", "LISTED"}) == (key(change.object) not in state), "seen twice"
            fold(state, change)
        version = int(change.resource_version or 0)
        if change.kind == "GAP":
            assert not blind or seen[0] is change, "a gap is reported once"
            blind = True
        elif whole(change):
            assert blind, "a list without a gap"
            blind = False
            while upcoming and upcoming.version <= version:
                upcoming = next(log, None)
        elif change.kind == "BOOKMARK":
            assert not blind
            assert upcoming is None or upcoming.version > version
        elif change.in_gap or change.kind == "LISTED":
            assert blind, "a change of a gap outside of one"
        else:
            assert not blind
            assert upcoming is not None
            assert (upcoming.type, upcoming.object) == (change.kind, change.object)
            upcoming = next(log, None)
    assert upcoming is None
