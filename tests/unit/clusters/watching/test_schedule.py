"""Watching under any schedule of failures: nothing is lost without a word, nothing comes twice."""

import threading
from typing import get_args

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import Change, Proofs, State, Timing, Watch, fold, key
from tests.fakes.api_handler import Order
from tests.fakes.api_server import PATH, FakeApiServer
from tests.fakes.watch_changes import whole
from tests.thorough import examples


def whole_after(seen: list[Change]) -> bool:
    """Whether the last GAP, if any, is over."""
    return next((whole(change) for change in reversed(seen) if change.kind == "GAP" or whole(change)), False)


def act(server: FakeApiServer, proofs: Proofs, step: str, name: str) -> None:
    if step in {"put", "delete"}:
        getattr(server, step)(name)
    elif step == "status":
        server.status.append(500)
    elif step == "busy":
        server.status.append(429)
    elif step == "silent":
        server.silence()
    elif step == "settle":
        server.accept()
        server.speak()
        server.wait_for_stream()
    elif step == "prove":
        proofs.ask(0.0)
    elif step in get_args(Order):
        server.order(step)  # type: ignore[arg-type]
    else:
        getattr(server, step)()


def assert_accounted(seen: list[Change], server: FakeApiServer) -> None:
    """Hold that the changes are the server's log, one by one, but in gaps after which it was listed anew."""
    log = iter(server.log)
    upcoming = next(log, None)
    blind = True
    state: State = {}
    late: list[Change] = []

    def take(change: Change) -> None:
        nonlocal upcoming
        assert upcoming is not None
        assert (upcoming.type, upcoming.object) == (change.kind, change.object)
        upcoming = next(log, None)

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
            for late_change in late if change.kind == "RESUMED" else ():
                take(late_change)
            while upcoming and upcoming.version <= version:
                assert change.kind == "LISTED", "something of a gap was not told"
                upcoming = next(log, None)
            late.clear()
        elif change.kind == "BOOKMARK":
            assert not blind
            assert upcoming is None or upcoming.version > version
        elif change.in_gap or change.kind == "LISTED":
            assert blind, "a change of a gap outside of one"
            late.append(change)
        else:
            assert not blind
            take(change)
    assert upcoming is None


NAMES = st.sampled_from(["a", "b", "c"])
OTHER = ["compact", "refuse", "accept", "silent", "speak", "status", "busy", "settle", "prove"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("delete"), NAMES),
        st.tuples(st.sampled_from([order for order in get_args(Order) if order != "drip"]), st.just("")),
        st.tuples(st.sampled_from(OTHER), st.just("")),
    ),
    max_size=14,
)


@given(steps=STEPS, gone_as=st.sampled_from(["status", "event"]))
@example(steps=[("put", "a"), ("settle", ""), ("cut", ""), ("delete", "a"), ("settle", "")], gone_as="event")
@example(steps=[("put", "a"), ("settle", ""), ("silent", ""), ("put", "b"), ("put", "a")], gone_as="event")
@example(steps=[("lose", ""), ("put", "a"), ("bookmark", ""), ("put", "a")], gone_as="status")
@example(steps=[("lose", ""), ("put", "a"), ("delete", "a"), ("prove", ""), ("put", "b")], gone_as="status")
@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_schedule(steps: list[tuple[str, str]], gone_as: str) -> None:
    """Whatever fails when, a change is told once, or came in a gap that was listed anew; all ends as the server's."""
    timing = Timing(
        connect=1, read=0.2, chunk=0.1, first_pause=0.005, longest_pause=0.02, replay=0.05, proof=0.2, catch_up=0.5
    )
    with FakeApiServer() as server, server.client() as api:
        server.gone_as = "status" if gone_as == "status" else "event"
        seen: list[Change] = []
        state: State = {}
        finished = threading.Event()
        proofs = Proofs()

        def follow() -> None:
            watch = Watch(api, PATH, timing=timing)
            for change in watch.changes(Deadline.after(60, "the end"), finished, proofs=proofs):
                seen.append(change)
                fold(state, change)
                if "default/end" in state and whole_after(seen):
                    finished.set()

        follower = threading.Thread(target=follow)
        follower.start()
        server.wait_for_stream()
        for step, name in steps:
            act(server, proofs, step, name)
        server.accept()
        server.speak()
        server.put("end")
        follower.join()
        assert {key(pod): pod for pod in server.objects.values()} == state
        assert_accounted(seen, server)
