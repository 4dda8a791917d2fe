"""Edits: fields are changed, proved, and put back as they were, also after a crash."""

from typing import Any

import pytest

from chaos_harness.clusters.machine.process import Completed
from chaos_harness.harness.errors import ApiRefused, BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults.objects import edit
from chaos_harness.harness.faults.objects.edit import edit_object, restore
from tests.fakes.bench import Bench
from tests.fakes.world import World, WorldEngine

_PATCH = {"spec": {"replicas": 0, "paused": True, "list": [2], "old": None}}


def _merge(present: Any, patch: Any) -> Any:
    """Merge as an API server does."""
    merged = {**present, **{name: value for name, value in patch.items() if not isinstance(value, dict)}}
    merged |= {name: _merge(present.get(name) or {}, value) for name, value in patch.items() if isinstance(value, dict)}
    return {name: value for name, value in merged.items() if value is not None}


class Objects:
    """The one object, behind the API and behind kubectl."""

    def __init__(self) -> None:
        self.spec: Any = {"replicas": 3, "list": [1], "old": 1, "other": 7}
        self.gone = False
        self.asked: list[str] = []

    def request(self, _api: object, _method: str, path: str) -> Any:
        self.asked.append(path)
        if self.gone:
            raise ApiRefused(404, "gone")
        metadata = {"name": "d", "namespace": "n", "resourceVersion": "8"}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": self.spec}

    def merge(self, api: object, path: str, body: Any) -> Any:
        if not self.gone:
            self.spec = _merge({"spec": self.spec}, body)["spec"]
        return self.request(api, "GET", path)

    def by_kubectl(self, path: str, patch: Any) -> bool:
        assert path == "/apis/apps/v1/namespaces/n/deployments/d"
        self.merge(None, "", patch)
        return True


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Objects:
    objects = Objects()
    monkeypatch.setattr(edit, "request", objects.request)
    monkeypatch.setattr(edit, "merge_patch", objects.merge)
    monkeypatch.setattr(edit, "find_path", lambda *_: "/apis/apps/v1/deployments")
    monkeypatch.setattr(World, "find", lambda *_: {})
    monkeypatch.setattr(World, "merge", lambda _, path, patch: objects.by_kubectl(path, patch))
    return objects


def test_an_edit_is_proved_and_put_back(objects: Objects, bench: Bench) -> None:
    """What the patch says is so, and after healing everything is as it was; the undo was written before."""
    before = dict(objects.spec)
    fault = edit_object("Deployment", "d", _PATCH, namespace="n")
    bench.inject(fault)
    (undo,) = bench.pending()

    assert undo.arguments["patch"] == {"spec": {"replicas": 3, "paused": None, "list": [1], "old": 1}}
    assert objects.asked[0] == "/apis/apps/v1/namespaces/n/deployments/d"
    assert objects.spec == {"replicas": 0, "paused": True, "list": [2], "other": 7}
    assert fault.name == "edit Deployment"
    assert bench.observed(fault).startswith("Deployment d has ")

    bench.heal(fault)
    assert objects.spec == before
    assert bench.pending() == []
    assert "in version 8" in bench.healed(fault)


def test_an_edit_that_was_taken_back_is_not_applied(objects: Objects, bench: Bench) -> None:
    """An edit that somebody took back is no fault, and the message says what the object has."""
    before = dict(objects.spec)
    fault = edit_object("Deployment", "d", _PATCH, namespace="n")
    bench.inject(fault)
    objects.spec = before

    with pytest.raises(FaultNotApplied, match=r"expected Deployment d to have .*, it has {'spec': {'replicas': 3, "):
        bench.observed(fault)


def test_an_object_that_is_gone_is_healed_but_not_observed(objects: Objects, bench: Bench) -> None:
    """An object that is gone meanwhile is healed, but was not observed."""
    fault = edit_object("Deployment", "d", _PATCH, namespace="n")
    bench.inject(fault)
    objects.gone = True

    assert bench.healed(fault) == "Deployment d is gone"
    with pytest.raises(ApiRefused):
        bench.observed(fault)


@pytest.mark.parametrize(
    ("said", "raises"),
    [
        (None, False),
        ('Error from server (NotFound): deployments.apps "d" not found', False),
        ('error: the server doesn\'t have a resource type "K"', False),
        ("connection refused", True),
    ],
)
def test_after_a_crash(monkeypatch: pytest.MonkeyPatch, said: str | None, raises: bool) -> None:
    """The undo succeeds where nothing is left to restore, and says what else kept it from being done."""
    world = World()
    if said is None:
        del world.containers["w-control-plane"]
    monkeypatch.setattr(world.kubectl, "run", lambda *_: Completed("", said or "", 1))
    where = {"control_plane": "w-control-plane", "resource": "K.v1.g", "name": "d", "namespace": ""}
    if raises:
        with pytest.raises(CommandFailed, match="connection refused"):
            restore(WorldEngine(world=world), **where, patch={})
    else:
        restore(WorldEngine(world=world), **where, patch={})


@pytest.mark.parametrize(
    "words",
    [
        {"name": "../secrets/x"},
        {"name": "--all"},
        {"name": "a/b"},
        {"name": "a%2fb"},
        {"name": ""},
        {"kind": "--raw=/x"},
        {"namespace": "n/../kube-system"},
    ],
    ids=str,
)
def test_names_that_are_options_or_paths(words: dict[str, str]) -> None:
    """A word that would be an option of kubectl or another path of the API is refused before anything is touched."""
    with pytest.raises(BadScenario, match=f"{next(iter(words))}: expected .* found"):
        edit_object(**({"kind": "ConfigMap", "name": "d"} | words), patch=_PATCH)


def test_a_reference_must_stand_for_a_name(objects: Objects, bench: Bench) -> None:
    """A reference is none before it is resolved, and one that is not resolved touches nothing."""
    fault = edit_object("Deployment", "$node(a=b)", _PATCH, namespace="n")
    with pytest.raises(BadScenario, match="no option and no path"):
        bench.inject(fault)
    assert objects.asked == []


@pytest.mark.parametrize(("kind", "patch"), [("Deployment", {}), ("Secret", _PATCH)])
def test_empty_patches_and_secrets_are_refused(kind: str, patch: dict[str, Any]) -> None:
    """An empty patch, and one of a Secret, whose values would stand in the journal, are refused."""
    with pytest.raises(BadScenario, match="expected a patch, and of no Secret"):
        edit_object(kind, "d", patch)
