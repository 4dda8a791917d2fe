"""Faults on single objects: each is proved, found out if it does nothing, and undone by the journal alone, twice."""

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, delete, list_objects, merge_patch, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.retrying import retry
from chaos_harness.harness.errors import BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.objects import delete as deletion
from chaos_harness.harness.faults.objects import finalizers, flip, put
from chaos_harness.harness.faults.objects.delete import delete_object, recreate_object
from chaos_harness.harness.faults.objects.finalizers import hold_deletion, strip_finalizers
from chaos_harness.harness.faults.objects.flip import flip_field
from chaos_harness.harness.faults.objects.put import put_object
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo import put_object as put_object_module
from chaos_harness.harness.undo.bring_back import bring_back
from tests.fakes.bench import Bench
from tests.live_api.server import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"
HERE = {"namespace": "default"}
PUT: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "put", **HERE}, "data": {"a": "b"}}


def made(name: str, **metadata: Any) -> dict[str, Any]:
    named = {"name": name, **HERE, "labels": {"app": "a"}, **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {"a": "1"}}


@pytest.fixture(autouse=True)
def maps(api: ApiClient) -> None:
    """Give two ConfigMaps, one of which somebody else holds, too."""
    objects = [made("a"), made("b", annotations={"c": "d"}, finalizers=["example.com/mine"])]
    apply(api, objects, Deadline.after(10, "the ConfigMaps"))


def state(api: ApiClient) -> dict[str, Any]:
    """Return what was said of each ConfigMap, without what the API server says of it."""
    own = ("labels", "annotations", "finalizers", "deletionTimestamp")
    return {
        one["metadata"]["name"]: ({name: one["metadata"].get(name) for name in own}, one.get("data"))
        for one in list_objects(api, MAPS, "items")
    }


def uid(api: ApiClient, name: str) -> str:
    return str(request(api, "GET", f"{MAPS}/{name}")["metadata"]["uid"])


LASTING: dict[str, tuple[Callable[[], Fault], str, str]] = {
    "delete": (
        lambda: delete_object("ConfigMap", "a", namespace="default"),
        f"nothing is at {MAPS}/a",
        "1 of 1 with a new uid",
    ),
    "hold": (
        lambda: hold_deletion("ConfigMap", "a", namespace="default"),
        "is still there, held by chaos",
        "1 of 1 with a new uid",
    ),
    "put": (lambda: put_object(PUT), "ConfigMap put is there with the uid", "ConfigMap put is gone"),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts(api: ApiClient, bench: Bench, name: str) -> None:
    """It is there until the journal alone takes it back, and a second time has nothing to do."""
    make, proof, healed = LASTING[name]
    before = state(api)
    fault = make()
    bench.inject(fault)
    assert proof in bench.observed(fault)
    assert state(api) != before
    with pytest.raises(FaultNotApplied, match="expected ConfigMap "):
        bench.healed(fault)
    with pytest.raises(BadScenario):
        bench.inject(make())
    undos = bench.pending()
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert healed in bench.healed(fault)
    assert state(api) == before
    with pytest.raises(FaultNotApplied, match="expected "):
        bench.observed(fault, 0.1)
    for undo in undos:
        bench.journal.record(undo)
    journal.replay(bench.journal.path, bench.cluster.engine)
    if name != "put":
        assert state(api) == before


@pytest.mark.parametrize("name", LASTING)
def test_what_does_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A request that was not done is found out by what is there."""
    monkeypatch.setattr(deletion, "delete", lambda *_: True)
    monkeypatch.setattr(finalizers, "delete", lambda *_: True)
    monkeypatch.setattr(put, "put", lambda *_, **__: None)
    fault = LASTING[name][0]()
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="expected "):
        bench.observed(fault, 0.1)


def test_a_selector_has_a_limit(api: ApiClient, bench: Bench) -> None:
    """All that it selects are deleted, if they are not too many; one that is held stays until it is let go."""
    with pytest.raises(BadScenario, match="expected that at most 1 objects would be lost, there are 2"):
        bench.inject(delete_object("ConfigMap", selector="app=a", namespace="default", most=1))
    with pytest.raises(BadScenario, match="there is no ConfigMap 'app=b' in default"):
        bench.inject(delete_object("ConfigMap", selector="app=b", namespace="default"))
    assert bench.pending() == []
    before = state(api)
    fault = delete_object("ConfigMap", selector="app=a")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match=f"there still is, or is again, {MAPS}/b; "):
        bench.observed(fault, 0.1)
    merge_patch(api, f"{MAPS}/b", {"metadata": {"finalizers": None}})
    bench.observed(fault)
    bench.heal(fault)
    assert "2 of 2 with a new uid" in bench.healed(fault)
    assert state(api) == before


def test_recreated(api: ApiClient, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another object with the same content; if the harness is killed in between, the journal makes it."""
    before, old = state(api), uid(api, "a")
    fault = recreate_object("ConfigMap", "a", namespace="default")
    bench.inject(fault)
    assert f"has the uid {uid(api, 'a')} now, it had {old}" in bench.observed(fault)
    assert state(api) == before
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert "1 of 1 with a new uid" in bench.healed(fault)
    monkeypatch.setattr(deletion, "_GONE_SECONDS", -1.0)
    monkeypatch.setattr(deletion, "is_gone", lambda *_: False)
    killed = recreate_object("ConfigMap", "a", namespace="default")
    bench.inject(killed)
    with pytest.raises(FaultNotApplied, match="expected ConfigMap a to be there anew, it is gone"):
        bench.observed(killed)
    bench.heal(killed)
    assert state(api) == before


def test_stripped(api: ApiClient, bench: Bench) -> None:
    """What was held goes, and there is nothing to undo; what is not being deleted is refused."""
    fault = strip_finalizers("ConfigMap", "b", namespace="default")
    with pytest.raises(BadScenario, match=r"expected ConfigMap b to be held .*, it is not being deleted"):
        bench.inject(fault)
    assert delete(api, f"{MAPS}/b")
    with pytest.raises(FaultNotApplied, match="expected ConfigMap b to be gone within 0 s, it is there"):
        bench.observed(fault, 0.1)
    bench.inject(fault)
    assert bench.observed(fault) == "ConfigMap b is gone, without what example.com/mine waited for"
    assert "b" not in state(api)
    assert bench.pending() == []
    assert fault.healed is ONE_SHOT


def test_a_hold_that_somebody_ends(api: ApiClient, bench: Bench) -> None:
    """Whoever takes the finalizers off has ended the fault, which is told; the object is made again all the same."""
    before = state(api)
    fault = hold_deletion("ConfigMap", "a", namespace="default")
    bench.inject(fault)
    bench.inject(strip_finalizers("ConfigMap", "a", namespace="default"))
    with pytest.raises(FaultNotApplied, match="expected ConfigMap a to be held while it is deleted, it is gone"):
        bench.observed(fault)
    bench.heal(fault)
    bench.healed(fault)
    assert state(api) == before


def test_what_was_put_and_others_hold(api: ApiClient, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its undo is done when it is marked; whether it is gone is asked then, and who holds it is told."""
    monkeypatch.setattr(put_object_module, "_HELD_SECONDS", 1.0)
    fault = put_object({**PUT, "metadata": {**PUT["metadata"], "finalizers": ["example.com/mine"]}})
    bench.inject(fault)
    bench.observed(fault)
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert bench.pending() == []
    with pytest.raises(FaultNotApplied, match=r"it is there, being deleted since .*, held by finalizer example.com/mi"):
        bench.healed(fault)
    merge_patch(api, f"{MAPS}/put", {"metadata": {"finalizers": None}})
    assert bench.healed(fault) == "ConfigMap put is gone"


def test_a_namespace_that_others_hold(
    server: ApiServer, api: ApiClient, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namespace goes when what is in it is gone: until then it is said what is left, and for whom."""
    monkeypatch.setattr(put_object_module, "_HELD_SECONDS", 3.0)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "full"}}
    held = {**made("held", finalizers=["example.com/mine"]), "kind": "ConfigMap"}
    held["metadata"]["namespace"] = "full"
    fault = put_object(namespace, contents=[held])
    with server.controllers():
        bench.inject(fault)
        assert bench.observed(fault).endswith(", and 1 objects in it")
        assert [undo.arguments["name"] for undo in bench.pending()] == ["full"]
        bench.heal(fault)
        assert bench.pending() == []
        for _ in Deadline.after(20, "the namespace's controller to look").attempts(0.2):
            with pytest.raises(FaultNotApplied) as raised:
                bench.healed(fault)
            if "example.com/mine in 1 resource instances" in str(raised.value):
                break
        else:
            pytest.fail(str(raised.value))
        merge_patch(api, "/api/v1/namespaces/full/configmaps/held", {"metadata": {"finalizers": None}})
        retry(lambda: bench.healed(fault), Deadline.after(40, "the namespace to be gone"), passes=lambda _: True)


def test_flipped(api: ApiClient, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change makes a version, the last leaves what was there; so does the journal if it is cut off."""
    before = state(api)
    patch = {"data": {"a": "2", "e": "f"}}
    fault = flip_field("ConfigMap", "a", patch, times=3, every=0.01, namespace="default")
    bench.inject(fault)
    proof = bench.observed(fault)
    assert proof.startswith("6 changes made the versions ")
    assert proof.endswith("ConfigMap a is as before")
    assert state(api) == before
    bench.heal(fault)
    bench.healed(fault)
    with monkeypatch.context() as context:
        context.setattr(flip, "merge_patch", lambda api, path, _: request(api, "GET", path))
        cut = flip_field("ConfigMap", "a", patch, times=2, every=0, namespace="default")
        bench.inject(cut)
        with pytest.raises(FaultNotApplied, match="expected 4 changes of ConfigMap a, the API server made 1"):
            bench.observed(cut)
    with pytest.raises(FaultNotApplied, match=r"expected ConfigMap a to have .* again"):
        bench.healed(cut)
    journal.replay(bench.journal.path, bench.cluster.engine)
    bench.healed(cut)
    assert state(api) == before


def test_an_undo_names_what_is_refused(api: ApiClient, bench: Bench) -> None:
    """It tells it in the API server's words, and does the rest; what was in a namespace that is gone needs nothing."""
    wrong, gone, right = made("../x"), made("x", namespace="nowhere"), made("right")
    with pytest.raises(CommandFailed, match=r"\.\./x"):
        bring_back(bench.cluster.engine, control_plane="live-control-plane", manifests=[wrong, gone, right])
    assert "right" in state(api)
