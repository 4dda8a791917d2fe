"""Watching: that all was told is proved and not supposed, in a gap, at its end and whenever somebody asks."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import Change, Proofs, Watch, fold
from tests.fakes.api_server import PATH, FakeApiServer
from tests.fakes.watch_changes import QUICK, named

PATIENT = replace(QUICK, connect=20.0, chunk=20.0, read=30.0, replay=20.0, catch_up=20.0, proof=20.0)

Row = tuple[str, str, bool]


class Watched:
    """A watch in a thread, what it told, and the proofs that it is asked for."""

    def __init__(self) -> None:
        self.proofs = Proofs()
        self.seen: list[Change] = []
        self._waited = 0

    @property
    def rows(self) -> list[Row]:
        return [named(change) for change in self.seen]

    def wait(self, *kinds: str) -> None:
        """Wait until a change of one of these kinds, and without an object, comes at the end, another than before."""
        for _ in Deadline.after(20, f"{kinds}").attempts(0.01, 0.05):
            many = len(self.seen)
            if many > self._waited and self.seen[many - 1].kind in kinds and self.seen[many - 1].object is None:
                self._waited = many
                return
        pytest.fail(f"no {kinds} in 20 s: {self.rows}")


@contextmanager
def watched(server: FakeApiServer, api: ApiClient, **timing: float) -> Iterator[Watched]:
    """Watch during the block, from a first whole list on; at its end the folded state is that of the server."""
    watch, stop = Watched(), threading.Event()
    changes = Watch(api, PATH, timing=replace(PATIENT, **timing)).changes(
        Deadline.after(60, "the test"), stop, proofs=watch.proofs
    )

    def follow() -> None:
        for change in changes:
            watch.seen.append(change)

    thread = threading.Thread(target=follow)
    thread.start()
    watch.wait("LISTED")
    server.wait_for_stream()
    try:
        yield watch
        state: dict[str, object] = {}
        for change in watch.seen:
            fold(state, change)  # type: ignore[arg-type]
        assert state == {f"default/{name}": pod for name, pod in server.objects.items()}
    finally:
        stop.set()
        thread.join()


def test_a_proof_comes_behind_all_that_there_is(server: FakeApiServer, api: ApiClient) -> None:
    """Who asks whether all was told gets it, in much less than a second, and then a sign of life that says so."""
    server.put("a")
    with watched(server, api) as watch:
        server.put("b")
        began = time.monotonic()
        assert watch.proofs.ask(20)
        assert time.monotonic() - began < 10
        assert watch.rows[2:] == [("ADDED", "default/b", False), ("BOOKMARK", "", False)]
        assert watch.seen[-1].resource_version == "3"
        assert watch.proofs.ask(20)
        assert watch.rows[4:] == [("BOOKMARK", "", False)]


def test_what_a_stream_does_not_tell_is_noticed(server: FakeApiServer, api: ApiClient) -> None:
    """A stream that lives and withholds a change is a gap, told of when it should have been, and then made up for."""
    with watched(server, api, proof=0.4) as watch:
        server.order("lose")
        server.put("a")
        assert watch.proofs.ask(20)
        gap, added, resumed, *signs = watch.rows[1:]
        assert (gap, added, resumed) == (("GAP", "", False), ("ADDED", "default/a", True), ("RESUMED", "", False))
        assert set(signs) == {("BOOKMARK", "", False)}
        assert watch.seen[1].why == "silent"


def test_what_came_and_went_is_noticed(server: FakeApiServer, api: ApiClient) -> None:
    """A list that looks as it should proves nothing of what was between: the server must tell that in a new stream.

    It may take its time: after `catch_up` the watch would list anew, which a busy machine must not decide.
    """
    with watched(server, api, proof=0.4) as watch:
        server.order("lose")
        server.put("a")
        server.delete("a")
        assert watch.proofs.ask(40)
        gap, added, deleted, resumed, *signs = watch.rows[1:]
        assert (gap, resumed) == (("GAP", "", False), ("RESUMED", "", False))
        assert (added, deleted) == (("ADDED", "default/a", True), ("DELETED", "default/a", True))
        assert set(signs) == {("BOOKMARK", "", False)}


def test_no_proof_without_a_server(server: FakeApiServer, api: ApiClient) -> None:
    """A watch that sees nothing proves nothing; it does as soon as it can."""
    with watched(server, api) as watch:
        server.refuse()
        watch.wait("GAP")
        assert not watch.proofs.ask(0.3)
        assert watch.rows[-1] == ("GAP", "", False)
        server.accept()
        assert watch.proofs.ask(20)
        assert watch.rows[2:] == [("RESUMED", "", False), ("BOOKMARK", "", False)]


def test_a_new_list_is_a_proof(server: FakeApiServer, api: ApiClient) -> None:
    """A list that was asked for since is one, though no stream comes to be after it."""
    with watched(server, api) as watch:
        server.watch_status.extend([410] * 1000)
        server.order("cut")
        assert watch.proofs.ask(20)
        server.watch_status.clear()
        server.order("end")
        assert {row[0] for row in watch.rows[1:]} <= {"GAP", "LISTED", "BOOKMARK"}


def test_a_server_that_will_not_say_is_asked_again(server: FakeApiServer, api: ApiClient) -> None:
    """A stream that lives is no gap only because the server refuses, for now, to say what there is."""
    with watched(server, api) as watch:
        server.status.extend([429, 503])
        assert watch.proofs.ask(20)
        assert watch.rows[1:] == [("BOOKMARK", "", False)]


def test_a_busy_stream_proves_itself(server: FakeApiServer, api: ApiClient) -> None:
    """A change that is newer than what there was when it was asked is proof enough."""
    with watched(server, api, proof=20) as watch:
        stop = threading.Event()

        def work() -> None:
            while not stop.wait(0.001):
                server.put("a")

        worker = threading.Thread(target=work)
        worker.start()
        proved = watch.proofs.ask(20)
        stop.set()
        worker.join()
        assert proved
        assert watch.proofs.ask(20)
        assert "GAP" not in {change.kind for change in watch.seen}


def test_signs_of_life_come_by_themselves(server: FakeApiServer, api: ApiClient) -> None:
    """A stream that ends in its time is one, each time."""
    with watched(server, api, chunk=0.1) as watch:
        watch.wait("BOOKMARK")
        watch.wait("BOOKMARK")
        assert {row[0] for row in watch.rows[1:]} == {"BOOKMARK"}


def test_still_not_served(server: FakeApiServer, api: ApiClient) -> None:
    """That there still is no such list is a sign of life, when somebody asks."""
    server.put("a")
    with watched(server, api) as watch:
        server.status.extend([404] * 1000)
        server.order("cut")
        assert watch.proofs.ask(20)
        assert watch.rows[2:] == [
            ("GAP", "", False),
            ("GAP", "", False),
            ("DELETED", "default/a", True),
            ("BOOKMARK", "", False),
        ]
        server.status.clear()
        watch.wait("LISTED")


def test_a_server_that_went_back_is_listed_anew(server: FakeApiServer, api: ApiClient) -> None:
    """A server that knows less than it told, as after its database was restored, cannot be gone on with."""
    server.put("a")
    with watched(server, api) as watch:
        server.put("b")
        assert watch.proofs.ask(20)
        server.refuse()
        server.restore(2)
        server.accept()
        watch.wait("LISTED")
        assert watch.rows[4:] == [("GAP", "", False), ("DELETED", "default/b", True), ("LISTED", "", False)]


def test_a_server_that_went_back_and_on_is_listed_anew(server: FakeApiServer, api: ApiClient) -> None:
    """One that has come as far again, otherwise, never tells what is missing: that is given up in time."""
    server.put("a")
    with watched(server, api) as watch:
        server.put("b")
        assert watch.proofs.ask(20)
        server.refuse()
        server.restore(2)
        server.put("other")
        server.accept()
        watch.wait("LISTED")
        assert watch.rows[-3:] == [
            ("DELETED", "default/b", True),
            ("ADDED", "default/other", True),
            ("LISTED", "", False),
        ]


def test_streams_that_tell_nothing_are_given_up(server: FakeApiServer, api: ApiClient) -> None:
    """If it cannot be known in time what came in a gap, the list tells what is left of it, and that it is a list."""
    with watched(server, api, catch_up=0.7) as watch:
        server.withholds = True
        server.order("end")
        server.put("a")
        watch.wait("LISTED")
        assert watch.rows[1:] == [("GAP", "", False), ("ADDED", "default/a", True), ("LISTED", "", False)]
        server.withholds = False
        server.order("end")
        assert watch.proofs.ask(20)


def test_streams_that_do_not_live_are_given_up(server: FakeApiServer, api: ApiClient) -> None:
    """If a server lists, but ends each stream before it proves completeness, the watch lists again in time."""
    with watched(server, api, catch_up=0.7) as watch:
        server.impatient = True
        server.version += 1  # of another kind's object: nothing that this watch would be told
        server.order("end")
        for _ in Deadline.after(20, "a new list").attempts(0.01, 0.05):
            if len(watch.rows) > 2:
                break
        assert watch.rows[1:3] == [("GAP", "", False), ("LISTED", "", False)]


@pytest.mark.parametrize("status", [400, 500, 504])
def test_a_version_that_is_refused_for_good(server: FakeApiServer, api: ApiClient, status: int) -> None:
    """A server that lists and yet takes no watch from a version, whatever it says, is listed anew."""
    with watched(server, api) as watch:
        server.watch_status.extend([status] * 3)
        server.order("cut")
        server.put("a")
        watch.wait("LISTED")
        assert watch.rows[1:] == [("GAP", "", False), ("ADDED", "default/a", True), ("LISTED", "", False)]


@pytest.mark.parametrize("status", [500, 403, 429, 503])
def test_a_server_that_starts(server: FakeApiServer, api: ApiClient, status: int) -> None:
    """One that refuses everything for a while, as when it starts, is gone on with."""
    with watched(server, api) as watch:
        server.status.extend([status] * 6)
        server.order("cut")
        server.put("a")
        watch.wait("RESUMED", "LISTED")
        assert watch.rows[1:] == [("GAP", "", False), ("ADDED", "default/a", True), ("RESUMED", "", False)]


def test_an_error_in_the_stream(server: FakeApiServer, api: ApiClient) -> None:
    """An error event other than 410 is a gap of its code, and the watch goes on from where it was."""
    with watched(server, api) as watch:
        server.order("error")
        server.put("a")
        watch.wait("RESUMED", "LISTED")
        assert watch.rows[1:] == [("GAP", "", False), ("ADDED", "default/a", True), ("RESUMED", "", False)]
        assert watch.seen[1].why == "500"


def test_what_is_told_twice_is_told_once(server: FakeApiServer, api: ApiClient) -> None:
    """A change that the server sends again is not told again."""
    with watched(server, api) as watch:
        server.put("a")
        server.put("a", phase="Running")
        server.order("repeat")
        server.put("b")
        assert watch.proofs.ask(20)
        assert [row[0] for row in watch.rows[1:]] == ["ADDED", "MODIFIED", "ADDED", "BOOKMARK"]


def test_a_bookmark_ends_a_gap(server: FakeApiServer, api: ApiClient) -> None:
    """A bookmark of the version that the server had says that all up to it was told."""
    with watched(server, api) as watch:
        server.order("cut")
        server.put("a")
        server.put("a", phase="Running")
        server.delete("a")
        watch.wait("RESUMED")
        assert [row[2] for row in watch.rows[2:]] == [True, True, True, False]
