"""A definition that is deleted: its objects go with it, and all of them come back, whenever the harness is killed."""

import subprocess
import sys
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, list_objects, merge_patch, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, FaultNotApplied, UndoFailed
from chaos_harness.harness.faults.objects import definition
from chaos_harness.harness.faults.objects.definition import delete_crd
from chaos_harness.harness.undo import bring_back as undoing
from tests.fakes.bench import Bench
from tests.live_api.cluster import KubectlEngine

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MAKERS, THINGS = "/apis/example.com/v1/makers", "/apis/example.com/v1/namespaces/default/things"
NAME = "makers.example.com"
REPLAY = """
import sys
from pathlib import Path
from chaos_harness.harness.undo import journal
from tests.live_api.cluster import KubectlEngine

engine = KubectlEngine(kubectl=Path(sys.argv[2]), kubeconfig=Path(sys.argv[3]), planes=("live-control-plane",))
print(len(journal.replay(Path(sys.argv[1]), engine)))
"""


def defined(kind: str, scope: str, **metadata: Any) -> dict[str, Any]:
    """Return a definition in which anything may be said of an object, and its status is apart."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com", **metadata},
        "spec": {
            "group": "example.com",
            "scope": scope,
            "names": {"kind": kind, "plural": plural},
            "versions": [{**version, "subresources": {"status": {}}}],
        },
    }


def made(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": name}, **fields}


@pytest.fixture(autouse=True)
def kinds(api: ApiClient) -> None:
    """Define makers; one of them owns the definition of things, as a template owns that of its constraints."""
    soon = Deadline.after(30, "the kinds")
    maker = made("Maker", "a", spec={"b": [1, {"c": "d"}]})
    maker["metadata"] |= {"labels": {"e": "f"}, "annotations": {"g": "h"}}
    apply(api, [defined("Maker", "Cluster"), maker], soon)
    merge_patch(api, f"{MAKERS}/a/status", {"status": {"seen": True}})
    uid = request(api, "GET", f"{MAKERS}/a")["metadata"]["uid"]
    owner = {"apiVersion": "example.com/v1", "kind": "Maker", "name": "a", "uid": uid}
    thing = made("Thing", "t", spec={"of": "a"})
    thing["metadata"] |= {"namespace": "default"}
    apply(api, [defined("Thing", "Namespaced", ownerReferences=[owner]), thing], soon)


@pytest.fixture
def engine(bench: Bench) -> KubectlEngine:
    assert isinstance(bench.cluster.engine, KubectlEngine)
    return bench.cluster.engine


def contents(api: ApiClient) -> list[Any]:
    """Return what was said of the objects, and who owns whom."""
    (maker,) = list_objects(api, MAKERS, "items")
    (thing,) = list_objects(api, THINGS, "items")
    things = request(api, "GET", f"{CRDS}/things.example.com")
    (owner,) = things["metadata"]["ownerReferences"]
    named = {name: maker["metadata"][name] for name in ("labels", "annotations")}
    return [maker["spec"], named, thing["spec"], things["spec"], owner["uid"] == maker["metadata"]["uid"]]


def forget(api: ApiClient) -> None:
    """Be the garbage collector, which takes what an object owned that is gone."""
    request(api, "DELETE", f"{CRDS}/things.example.com")
    for _ in Deadline.after(20, "the other definition to be gone").attempts():
        if [one["metadata"]["name"] for one in list_objects(api, CRDS, "items")] == []:
            return


def test_life(api: ApiClient, bench: Bench) -> None:
    """The definition and its objects are gone and come back as they were, but for uids and statuses."""
    before, maker = contents(api), request(api, "GET", f"{MAKERS}/a")
    fault = delete_crd(NAME)
    bench.inject(fault)
    (undo,) = bench.pending()
    names = [manifest["metadata"]["name"] for manifest in undo.arguments["manifests"]]
    assert names == [NAME, "a", "things.example.com", "t"]
    assert all("status" not in manifest for manifest in undo.arguments["manifests"])
    assert "nobody answers at /apis/example.com/v1/makers, and 3 objects are lost" in bench.observed(fault, 20)
    with pytest.raises(FaultNotApplied, match=r"expected the kind of makers\.example\.com to be served"):
        bench.healed(fault)
    forget(api)
    bench.heal(fault)
    assert "4 of 4 with a new uid" in bench.healed(fault, 20)
    assert contents(api) == before
    again = request(api, "GET", f"{MAKERS}/a")
    assert again["metadata"]["uid"] != maker["metadata"]["uid"]
    assert "status" not in again


def test_what_is_refused_and_what_does_nothing(api: ApiClient, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """More objects than the limit are not touched, and nothing is promised; a deletion that is none is found out."""
    with pytest.raises(BadScenario, match=r"expected that at most 3 objects would be lost, there are 4 .*say `most`"):
        bench.inject(delete_crd(NAME, most=3))
    with pytest.raises(BadScenario, match=r"there is no definition 'makers\.example\.org'"):
        bench.inject(delete_crd("makers.example.org"))
    assert bench.pending() == []
    assert contents(api)
    monkeypatch.setattr(definition, "delete", lambda *_: True)
    fault = delete_crd(NAME)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match=r"expected definition makers\.example\.com to be gone within 0 s"):
        bench.observed(fault, 0.1)


class _KilledError(BaseException):
    pass


def _die(*_: object) -> None:
    raise _KilledError


def test_a_harness_that_is_killed_in_the_middle_of_the_undo(
    api: ApiClient, bench: Bench, engine: KubectlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process brings back what is missing by the journal alone, and a second time has nothing to do."""
    before = contents(api)
    fault = delete_crd(NAME)
    bench.inject(fault)
    with monkeypatch.context() as patch:
        patch.setattr(undoing._Again, "_await_established", _die)
        with pytest.raises(_KilledError):
            bench.heal(fault)
    (undo,) = bench.pending()
    bench.journal.close()
    words = [sys.executable, "-c", REPLAY, *map(str, (bench.journal.path, engine.kubectl, engine.kubeconfig))]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert contents(api) == before
    assert bench.pending() == []
    versions = [request(api, "GET", path)["metadata"]["resourceVersion"] for path in (f"{MAKERS}/a", f"{THINGS}/t")]
    undoing.bring_back(engine, **undo.arguments)
    after = [request(api, "GET", path)["metadata"]["resourceVersion"] for path in (f"{MAKERS}/a", f"{THINGS}/t")]
    assert (after, contents(api)) == (versions, before)


def test_what_the_policy_denies_stays_pending(api: ApiClient, bench: Bench, engine: KubectlEngine) -> None:
    """One object is refused in its policy's words; the others are back, and it is when the policy is gone."""
    before = contents(api)
    fault = delete_crd(NAME)
    bench.inject(fault)
    forget(api)
    rules = [{"apiGroups": ["example.com"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["makers"]}]
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": "false", "message": "no"}]}
    root = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
    policy = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "spec": spec}
    bound = {"policyName": "p", "validationActions": ["Deny"]}
    binding = {**policy, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "p"}, "spec": bound}
    apply(api, [{**policy, "metadata": {"name": "p"}}, binding], Deadline.after(10, "the policy"))
    apply(api, [defined("Maker", "Cluster")], Deadline.after(10, "the definition"))
    _wait_until_denied(api)
    with pytest.raises(UndoFailed, match=r'makers "a" is invalid: .*denied request: no'):
        bench.heal(fault)
    assert list_objects(api, THINGS, "items")
    with pytest.raises(FaultNotApplied, match="expected Maker a to be back, it is not there"):
        bench.healed(fault)
    for name in ("ybindings/p", "ies/p"):
        request(api, "DELETE", f"{root}{name}")
    _wait_until_denied(api, denied=False)
    bench.heal(fault)
    assert contents(api)[:-1] == before[:-1]


def _wait_until_denied(api: ApiClient, *, denied: bool = True) -> None:
    for _ in Deadline.after(20, "the policy").attempts():
        try:
            request(api, "POST", MAKERS, query={"dryRun": "All"}, body=made("Maker", "x"))
        except Exception as error:  # noqa: BLE001 - the kind may be too new
            if denied and "denied request" in str(error):
                return
        else:
            if not denied:
                return


def test_an_object_that_is_held(api: ApiClient, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told what keeps the definition from going; when that is gone, everything is brought back."""
    merge_patch(api, f"{MAKERS}/a", {"metadata": {"finalizers": ["example.com/held"]}})
    monkeypatch.setattr(undoing, "_GONE_SECONDS", 1.0)
    fault = delete_crd(NAME)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match=f"there still is {CRDS}/{NAME}"):
        bench.observed(fault, 1)
    with pytest.raises(UndoFailed, match=r"which is being deleted, to be gone.*held by customresourcecleanup"):
        bench.heal(fault)
    with pytest.raises(BadScenario, match="is being deleted already"):
        bench.inject(delete_crd(NAME))
    merge_patch(api, f"{MAKERS}/a", {"metadata": {"finalizers": None}})
    monkeypatch.setattr(undoing, "_GONE_SECONDS", 20.0)
    bench.heal(fault)
    assert request(api, "GET", f"{MAKERS}/a")["metadata"]["finalizers"] == ["example.com/held"]
