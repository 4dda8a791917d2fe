"""Objects: what is put into a cluster is promised to be taken away before, and what is gone already is gone."""

from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import list_objects, merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, CommandFailed, DeadlineExceeded, PreparationFailed
from chaos_harness.harness.policies import GROUND, mutate_pods
from chaos_harness.harness.undo import journal, put_object
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import delete, put
from tests.live_api.cluster import KubectlEngine
from tests.live_api.gatekeeper import install_kinds
from tests.live_api.server import ApiServer

ASSIGN = mutate_pods().objects[0]
ASSIGNS = "/apis/mutations.gatekeeper.sh/v1/assign"
PLANE = "live-control-plane"


def soon() -> Deadline:
    return Deadline.after(20, "the object")


def names(api: ApiClient, path: str) -> list[str]:
    return [entry["metadata"]["name"] for entry in list_objects(api, path, "items")]


@pytest.fixture
def engine(cluster: Cluster) -> KubectlEngine:
    assert isinstance(cluster.engine, KubectlEngine)
    return cluster.engine


def test_a_crash_leaves_nothing(
    server: ApiServer, api: ApiClient, cluster: Cluster, engine: KubectlEngine, undo: Journal
) -> None:
    """The journal alone takes away what was put, newest first: a namespace goes when nothing is in it any more."""
    install_kinds(api)
    for part in (*GROUND, ASSIGN):
        put(cluster, Undos(cluster.engine, undo), part, soon())
    assert names(api, ASSIGNS) == ["chaos-pods"]
    assert names(api, "/api/v1/namespaces/chaos-canary/serviceaccounts") == ["canary"]
    with server.controllers():
        undone = journal.replay(undo.path, cluster.engine)
    assert [words[1:3] for words in engine.ran] == [
        ["Assign.v1.mutations.gatekeeper.sh", "chaos-pods"],
        ["ServiceAccount", "canary"],
        ["Namespace", "chaos-canary"],
    ]
    assert len(undone) == 3
    assert names(api, ASSIGNS) == []
    assert "chaos-canary" not in names(api, "/api/v1/namespaces")
    assert journal.pending(undo.path) == []


def test_promise_before_the_deed(cluster: Cluster, undo: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the API server refuses was promised, and its undo has nothing to do."""
    refused = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "nowhere"}}
    monkeypatch.setattr(put_object, "_REFUSED_SECONDS", 0.5)
    with pytest.raises(PreparationFailed, match='"nowhere" not found'):
        put(cluster, Undos(cluster.engine, undo), refused, soon())
    assert [entry.action for entry in journal.pending(undo.path)] == ["objects.delete"]
    assert len(journal.replay(undo.path, cluster.engine)) == 1


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ({"metadata": {"name": "--all"}}, "metadata.name"),
        ({"metadata": {"name": "../nodes/n"}}, "metadata.name"),
        ({"metadata": {"name": "x", "namespace": "--all-namespaces"}}, "metadata.namespace"),
        ({"kind": "all,secrets"}, "kind"),
        ({"apiVersion": "v1/../../x"}, "apiVersion"),
    ],
)
def test_names_that_are_options_or_paths(
    api: ApiClient, cluster: Cluster, undo: Journal, place: dict[str, Any], name: str
) -> None:
    """They are refused before anything is promised or put."""
    before = names(api, "/api/v1/namespaces")
    named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}} | place
    with pytest.raises(BadScenario, match=rf"{name}: expected .*, found "):
        put(cluster, Undos(cluster.engine, undo), named, soon())
    assert journal.pending(undo.path) == []
    assert names(api, "/api/v1/namespaces") == before


def test_unknown_kind(cluster: Cluster, undo: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that the server does not know by the end of the patience is told as it is."""
    monkeypatch.setattr(put_object, "_REFUSED_SECONDS", 0.5)
    monkeypatch.setattr("chaos_harness.clusters.api.rest._SERVED_SECONDS", 0.5)
    unheard = {"apiVersion": "v1", "kind": "Unheard", "metadata": {"name": "x"}}
    with pytest.raises(PreparationFailed, match=r"Unheard x: expected.*no kind Unheard in v1"):
        put(cluster, Undos(cluster.engine, undo), unheard, soon())


def test_what_the_kinds_schema_refuses_is_told(
    api: ApiClient, cluster: Cluster, undo: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words are the API server's, and name the field."""
    monkeypatch.setattr(put_object, "_REFUSED_SECONDS", 0.5)
    install_kinds(api)
    wrong = {**ASSIGN, "spec": {"match": 7}}
    with pytest.raises(PreparationFailed, match=r"Assign chaos-pods: expected it to be accepted.*spec\.match"):
        put(cluster, Undos(cluster.engine, undo), wrong, soon())


@pytest.mark.parametrize(
    "place",
    [
        {"resource": "Assign.v1.mutations.gatekeeper.sh", "name": "chaos-pods"},
        {"resource": "ConfigMap", "name": "gone", "namespace": "default"},
        {"resource": "ConfigMap", "name": "gone", "namespace": "nowhere"},
    ],
    ids=["no such kind", "no such object", "no such namespace"],
)
def test_delete_of_what_is_gone(engine: KubectlEngine, place: dict[str, Any]) -> None:
    """No kind, no namespace and no object are no object; kubectl was asked, though."""
    delete(engine, control_plane=PLANE, **place)
    assert len(engine.ran) == 1


def test_delete_waits_for_finalizers(api: ApiClient, engine: KubectlEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being deleted is not gone: the undo fails if it is still there when the time is up."""
    maps = "/api/v1/namespaces/default/configmaps"
    request(api, "POST", maps, body={"metadata": {"name": "held", "finalizers": ["example.com/keep"]}})
    monkeypatch.setattr(put_object, "_PATIENCE_SECONDS", 1.0)
    with pytest.raises(CommandFailed, match="timed out"):
        delete(engine, control_plane=PLANE, resource="ConfigMap", name="held", namespace="default")
    assert names(api, maps)[-1] == "held"


def test_what_others_hold_is_deleted_all_the_same(
    api: ApiClient, engine: KubectlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what may be held it is enough that it is marked, now and a second time; when it is let go, it is gone."""
    maps = "/api/v1/namespaces/default/configmaps"
    request(api, "POST", maps, body={"metadata": {"name": "held", "finalizers": ["example.com/keep"]}})
    monkeypatch.setattr(put_object, "_HELD_SECONDS", 1.0)
    place: dict[str, Any] = {"control_plane": PLANE, "resource": "ConfigMap", "name": "held", "namespace": "default"}
    for _ in range(2):
        delete(engine, **place, may_be_held=True)
        assert "deletionTimestamp" in request(api, "GET", f"{maps}/held")["metadata"]
    merge_patch(api, f"{maps}/held", {"metadata": {"finalizers": None}})
    asked = len(engine.ran)
    delete(engine, **place, may_be_held=True)
    assert "held" not in names(api, maps)
    assert len(engine.ran) == asked + 1


def test_a_server_that_is_away_leaves_it_open(server: ApiServer, engine: KubectlEngine) -> None:
    """Nobody knows then whether the object is there."""
    server.kill()
    for may_be_held in (False, True):
        with pytest.raises(CommandFailed, match="refused"):
            delete(engine, control_plane=PLANE, resource="Namespace", name="x", may_be_held=may_be_held)


def test_another_control_plane_is_asked_when_one_is_silent(
    server: ApiServer, api: ApiClient, engine: KubectlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes the request and says nothing costs the patience, and the others are asked after it."""
    object.__setattr__(engine, "planes", (PLANE, "live-control-plane2"))
    request(api, "POST", "/api/v1/namespaces/default/configmaps", body={"metadata": {"name": "m"}})
    monkeypatch.setattr(put_object, "_PATIENCE_SECONDS", -8.0)
    server.freeze()
    with pytest.raises(DeadlineExceeded, match="live-control-plane2"):
        delete(
            engine,
            control_plane=PLANE,
            others=["live-control-plane2"],
            resource="ConfigMap",
            name="m",
            namespace="default",
        )
    assert len(engine.ran) == 2


def test_an_object_of_the_user_is_left_alone(
    api: ApiClient, cluster: Cluster, undo: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an adopted cluster what is there already is neither overwritten, nor promised to be deleted; on ours it is."""
    monkeypatch.setattr(put_object, "_REFUSED_SECONDS", 0.5)
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
    request(api, "POST", "/api/v1/namespaces/default/configmaps", body={**theirs, "data": {"whose": "the user's"}})
    yours = replace(cluster, adopted=True)
    with pytest.raises(PreparationFailed, match=r"ConfigMap a is on kind cluster live already, and is yours"):
        put(yours, Undos(cluster.engine, undo), {**theirs, "data": {"whose": "ours"}}, soon())
    assert request(api, "GET", "/api/v1/namespaces/default/configmaps/a")["data"] == {"whose": "the user's"}
    assert journal.pending(undo.path) == []

    undos = Undos(cluster.engine, undo)
    for whose in ("ours", "ours, changed"):
        other = {**theirs, "metadata": {"name": "b", "namespace": "default"}, "data": {"whose": whose}}
        put(yours, undos, other, soon())
    undos.run()
    assert "b" not in names(api, "/api/v1/namespaces/default/configmaps")

    put(cluster, Undos(cluster.engine, undo), {**theirs, "data": {"whose": "ours"}}, soon())
    assert len(journal.pending(undo.path)) == 1
