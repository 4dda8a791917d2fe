"""Watching a real API server: what it tells, when it forgets, is killed or silent, and takes a kind or a right away."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, delete, merge_patch, read, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded, HarnessError
from chaos_harness.clusters.watching.watch import Change, Proofs, State, Watch, fold, wait_until
from tests.fakes.watch_changes import QUICK, in_background, named, take, whole
from tests.live_api.server import NOBODY, UNCACHED, ApiServer
from tests.live_api.widgets import CRDS, DEFINITION, WIDGETS

MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = f"/api/v1/namespaces/default/{UNCACHED}"
CALM = replace(QUICK, connect=5.0, read=5.0, chunk=3.0)


def soon(seconds: float = 60) -> Deadline:
    return Deadline.after(seconds, "the test")


def put(api: ApiClient, name: str, path: str = MAPS, **fields: Any) -> Any:
    return request(api, "POST", path, body={"metadata": {"name": name}, **fields})


@pytest.fixture
def other(server: ApiServer) -> Iterator[ApiClient]:
    """Give a client of somebody else's, who changes what is watched."""
    with server.client() as other:
        yield other


@pytest.fixture
def changes(api: ApiClient) -> Iterator[Generator[Change, None, None]]:
    changes = Watch(api, MAPS, timing=CALM).changes(soon())
    yield changes
    changes.close()


def rows(changes: list[Change]) -> list[tuple[str, str, bool]]:
    return [named(change) for change in changes if change.kind != "BOOKMARK"]


def test_list_then_watch(other: ApiClient, changes: Iterator[Change]) -> None:
    """Objects that are there come as LISTED, an empty LISTED says that these were all, then come changes."""
    put(other, "a")
    seen = take(changes, whole)
    put(other, "b")
    merge_patch(other, f"{MAPS}/a", {"data": {"a": "b"}})
    delete(other, f"{MAPS}/b")
    seen += take(changes, lambda change: change.kind == "DELETED")
    assert rows(seen) == [
        ("LISTED", "default/a", False),
        ("LISTED", "", False),
        ("ADDED", "default/b", False),
        ("MODIFIED", "default/a", False),
        ("DELETED", "default/b", False),
    ]


def test_listed_and_watched_objects_are_alike(other: ApiClient, changes: Iterator[Change]) -> None:
    """Each is what the server gives of the object alone: a list leaves out kind and apiVersion."""
    before = put(other, "a")
    assert next(iter(changes)).object == before == request(other, "GET", f"{MAPS}/a")
    take(changes, whole)
    after = put(other, "b")
    (added,) = [change for change in take(changes, lambda change: change.kind == "ADDED") if change.object]
    assert added.object == after


def test_selectors(other: ApiClient, api: ApiClient) -> None:
    """Of other objects nothing is told, and one that is no longer selected is gone."""
    changes = Watch(api, MAPS, params={"labelSelector": "a=b"}, timing=CALM).changes(soon())
    request(other, "POST", MAPS, body={"metadata": {"name": "mine", "labels": {"a": "b"}}})
    put(other, "another")
    assert rows(take(changes, whole)) == [("LISTED", "default/mine", False), ("LISTED", "", False)]
    put(other, "more")
    merge_patch(other, f"{MAPS}/mine", {"metadata": {"labels": None}})
    assert rows(take(changes, lambda change: change.object is not None)) == [("DELETED", "default/mine", False)]
    changes.close()


def test_a_stream_ends_in_its_time(other: ApiClient, api: ApiClient) -> None:
    """That is no gap but a sign of life: the watch goes on, and nothing is told twice."""
    changes = Watch(api, MAPS, timing=replace(CALM, chunk=1.0)).changes(soon())
    put(other, "a")
    seen = take(changes, whole)
    for _ in range(2):
        seen += take(changes, lambda change: change.kind == "BOOKMARK")
    put(other, "b")
    seen += take(changes, lambda change: change.kind == "ADDED")
    assert {change.kind for change in seen} == {"LISTED", "BOOKMARK", "ADDED"}
    assert len(rows(seen)) == 3
    changes.close()


def test_bookmarks_tell_how_far_a_quiet_list_has_come(other: ApiClient, api: ApiClient) -> None:
    """While others change, the versions of a list of which nothing is told grow, so that the watch can go on there."""
    changes = Watch(api, MAPS, timing=CALM).changes(soon())
    first = take(changes, whole)[-1].resource_version
    for number in range(5):
        put(other, f"s{number}", SECRETS)
    newest = request(other, "GET", SECRETS)["metadata"]["resourceVersion"]
    seen = take(changes, lambda change: int(change.resource_version or 0) >= int(newest))
    assert int(newest) > int(first)
    assert {change.kind for change in seen} == {"BOOKMARK"}
    changes.close()


def test_a_silent_server_is_a_gap(server: ApiServer, api: ApiClient, other: ApiClient) -> None:
    """One that takes requests and answers none is noticed by the read time-out; what comes later is told, marked."""
    changes = Watch(api, MAPS, timing=replace(QUICK, read=1.0)).changes(soon())
    take(changes, whole)
    gap = in_background(lambda: next(iter(changes)))
    server.freeze()
    seen = gap()
    assert (seen.kind, seen.why) == ("GAP", "silent")
    server.thaw()
    put(other, "a")
    assert rows(take(changes, whole)) == [("ADDED", "default/a", True), ("RESUMED", "", False)]
    changes.close()


def test_a_killed_server_is_a_gap(server: ApiServer, other: ApiClient, changes: Iterator[Change]) -> None:
    """The stream is cut, then nobody listens: one GAP; the restarted server tells what it did meanwhile."""
    put(other, "old")
    take(changes, whole)
    gap = in_background(lambda: next(iter(changes)))
    server.kill()
    assert gap().why in ("broken", "ended", "refused")
    server.restart()
    put(other, "new")
    seen = take(changes, whole)
    assert rows(seen) == [("ADDED", "default/new", True), (seen[-1].kind, "", False)]


def test_versions_that_are_compacted(server: ApiServer, api: ApiClient, other: ApiClient) -> None:
    """A watch that comes back too late is told 410 and lists anew: what came and went meanwhile is not known."""
    changes = Watch(api, SECRETS, timing=CALM).changes(soon())
    put(other, "gone", SECRETS)
    put(other, "stays", SECRETS)
    take(changes, whole)
    for name in ("gone", "brief"):
        if name == "brief":
            put(other, name, SECRETS)
        delete(other, f"{SECRETS}/{name}")
    put(other, "new", SECRETS)
    server.compact()
    seen = take(changes, whole)
    assert [(change.kind, change.why) for change in seen[:1]] == [("GAP", "410")]
    assert "is too old" in seen[0].detail
    assert rows(seen[1:]) == [
        ("DELETED", "default/gone", True),
        ("ADDED", "default/new", True),
        ("LISTED", "", False),
    ]
    changes.close()


def test_a_kind_whose_definition_goes(api: ApiClient, other: ApiClient) -> None:
    """Its objects are gone before it: a gap because of 404, which ends when it is served again."""
    apply(other, [DEFINITION], soon())
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    apply(other, [widget], soon())
    read(other, WIDGETS, soon())
    changes = Watch(api, WIDGETS, timing=CALM).changes(soon())
    assert rows(take(changes, whole)) == [("LISTED", "w", False), ("LISTED", "", False)]
    assert delete(other, f"{CRDS}/widgets.example.com")
    seen = take(changes, lambda change: change.why == "404")
    if not any(change.kind == "DELETED" for change in seen):  # both went before the watch was asked for again
        seen += take(changes, lambda change: change.kind == "DELETED")
    assert [row[:2] for row in rows(seen)].count(("DELETED", "w")) == 1
    apply(other, [DEFINITION], soon())
    apply(other, [widget], soon())
    state: State = {}
    for change in take(changes, lambda change: change.object is not None):
        fold(state, change)
    assert list(state) == ["w"]
    changes.close()


def test_a_right_that_comes_and_goes(server: ApiServer, other: ApiClient) -> None:
    """Who may not list sees a gap because of 403, until he may."""
    root = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    with server.client(NOBODY) as api:
        changes = Watch(api, MAPS, timing=CALM).changes(soon())
        gap = next(changes)
        assert gap.why == "403"
        assert 'User "nobody" cannot list resource "configmaps"' in gap.detail.replace("\\", "")
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
        put(other, "reader", f"{root}/roles", rules=rules)
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
        put(other, "reader", f"{root}/rolebindings", roleRef=role, subjects=[{"kind": "User", "name": NOBODY}])
        assert rows(take(changes, whole)) == [("LISTED", "", False)]
        changes.close()


def test_what_is_no_list(api: ApiClient) -> None:
    """The URL of an object is the caller's mistake, and raised."""
    with pytest.raises(HarnessError, match="expected a list, found a Namespace"):
        next(Watch(api, "/api/v1/namespaces/default").changes(soon()))


@pytest.mark.parametrize("path", [MAPS, SECRETS, "/api/v1/pods", "/apis/apps/v1/deployments"])
def test_a_proof_comes_behind_all_that_there_is(api: ApiClient, other: ApiClient, path: str) -> None:
    """Who asks whether all was told gets it long before a read ends, though nothing happens in the list."""
    proofs, stop = Proofs(), threading.Event()
    seen: list[Change] = []

    def follow() -> None:
        watch = Watch(api, path, timing=replace(CALM, chunk=120, read=130))
        seen.extend(watch.changes(soon(), stop, proofs=proofs))

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        assert proofs.ask(20)
        for name in ("a", "b") if path in (MAPS, SECRETS) else ():
            put(other, name, path)
            assert proofs.ask(20)
            assert rows(seen)[-1] == ("ADDED", f"default/{name}", False)
        put(other, "other", SECRETS)
        assert proofs.ask(20)
        assert "GAP" not in {change.kind for change in seen}
    finally:
        stop.set()
        thread.join()


def test_until(other: ApiClient, api: ApiClient) -> None:
    """It returns what the predicate finds in the state, keyed by namespace and name."""
    put(other, "a")
    threading.Timer(0.2, merge_patch, (other, f"{MAPS}/a", {"data": {"phase": "Running"}})).start()

    def running(state: State) -> list[str]:
        return [name for name, entry in state.items() if entry.get("data", {}).get("phase") == "Running"]

    assert wait_until(api, MAPS, running, soon(), timing=CALM) == ["default/a"]


def test_until_too_late(other: ApiClient, api: ApiClient) -> None:
    """The error says what was waited for, and in short what was there: a pod that nobody schedules is Pending."""
    pods = "/api/v1/namespaces/default/pods"
    put(other, "p", pods, spec={"containers": [{"name": "c", "image": "i"}]})
    with pytest.raises(DeadlineExceeded, match=r"a running pod; last seen: Pod default/p: Pending$"):
        wait_until(api, pods, lambda _: None, Deadline.after(5, "a running pod"), timing=CALM)
