"""Watching under any schedule of failures: nothing is lost without a word, nothing comes twice."""

import threading
from typing import get_args

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clusters.deadline import Deadline
from clusters.watching import Change, State, Timing, Watch, fold, key
from tests.fakes.api_handler import Order
from tests.fakes.api_server import PATH, FakeApiServer
from tests.fakes.seen import whole


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
@example(steps=[("lose", ""), ("put", "a"), ("bookmark", ""), ("put", "a")], gone_as="status")
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
            for change in Watch(api, PATH, timing=timing).changes(Deadline.after(60, "the end"), finished):
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
