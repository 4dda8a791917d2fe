"""Lines: given up in time, as a watch shows."""

import contextlib
import socket
import threading
import time
from collections.abc import Generator, Iterator

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import Change, Timing, Watch
from tests.fakes.api_server import PATH, FakeApiServer
from tests.fakes.watch_changes import QUICK, take, whole


@pytest.fixture
def changes(api: ApiClient) -> Iterator[Generator[Change, None, None]]:
    changes = Watch(api, PATH, timing=QUICK).changes(Deadline.after(60, "the test"))
    yield changes
    changes.close()


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


def test_no_connection(api: ApiClient) -> None:
    """A server whose machine does not answer at all is a gap when the connect time-out has passed."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, contextlib.ExitStack() as queue:
        queue.enter_context(socket.create_connection(deaf.getsockname()))  # fills the queue: SYNs are dropped now
        api.configuration.host = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        changes = Watch(api, PATH, timing=Timing(connect=0.2)).changes(Deadline.after(60, "the test"))
        assert next(changes).why == "timeout"
        changes.close()


@pytest.mark.parametrize("harm", ["silence", "drip", "refuse"])
def test_deadline(server: FakeApiServer, api: ApiClient, harm: str) -> None:
    """The changes end at the deadline, whatever the server does: the shortest within which there is a first list."""
    for seconds in (0.3, 3.0, 10.0):
        began = time.monotonic()
        changes = Watch(api, PATH).changes(Deadline.after(seconds, "the test"))
        if listed := any(map(whole, changes)):
            break
    spoil(server, harm)
    list(changes)
    assert listed
    assert seconds <= time.monotonic() - began < 20


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
    assert time.monotonic() - began < 20


def test_stop_while_no_answer_comes(server: FakeApiServer, api: ApiClient) -> None:
    """`stop` does not wait for a read time-out when not even the first byte of an answer came."""
    stop = threading.Event()
    server.silence()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    assert list(Watch(api, PATH).changes(Deadline.after(60, "the test"), stop)) == []
    assert time.monotonic() - began < 20


def test_no_thread_is_left(server: FakeApiServer, changes: Generator[Change, None, None]) -> None:
    """A closed watch leaves no thread reading from a server that sends nothing."""
    take(changes, whole)
    threading.Timer(0.1, server.put, ("a",)).start()
    next(changes)
    changes.close()
    readers = [thread for thread in threading.enumerate() if thread.name.startswith("GET ")]
    for reader in readers:
        reader.join(20)
    assert not any(reader.is_alive() for reader in readers)


def test_no_thread_is_left_by_a_late_answer(server: FakeApiServer, api: ApiClient) -> None:
    """A stream that opens after the watch was closed is not read."""
    stop = threading.Event()
    changes = Watch(api, PATH).changes(Deadline.after(60, "the test"), stop)
    take(changes, whole)
    server.delay = 0.3
    threading.Timer(0.1, stop.set).start()
    assert list(changes) == []
    server.wait_for_stream()
    readers = [thread for thread in threading.enumerate() if thread.name.startswith("GET ")]
    for reader in readers:
        reader.join(20)
    assert not any(reader.is_alive() for reader in readers)
