"""Denied undos: who denied what a policy under test forbids is told, and it is done when the policy is gone."""

import json
from contextlib import suppress
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import find_object, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.retrying import retry
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import ApiRefused, CommandFailed, UndoDenied, UndoFailed
from chaos_harness.harness.experiment.healing import take_back
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.objects.delete import delete_object
from chaos_harness.harness.faults.objects.put import put_object
from chaos_harness.harness.history import read
from chaos_harness.harness.undo import denials, journal
from chaos_harness.harness.undo.bring_back import bring_back
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put
from tests.fakes.bench import Bench
from tests.live_api.cluster import KubectlEngine, live_cluster
from tests.live_api.lives import inject_and_die, replay_afresh
from tests.live_api.server import ApiServer
from tests.live_api.webhook import denial, serving

MAPS = "/api/v1/namespaces/default/configmaps"
VERSION = "admissionregistration.k8s.io/v1"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
FORBIDS = (
    {
        "apiVersion": VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "no-maps"},
        "spec": {
            "matchConstraints": {"resourceRules": [RULE]},
            "validations": [{"expression": "false", "message": "a label was not found"}],
        },
    },
    {
        "apiVersion": VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-maps"},
        "spec": {"policyName": "no-maps", "validationActions": ["Deny"]},
    },
)
BY = "ValidatingAdmissionPolicy no-maps"


@pytest.fixture
def cluster(server: ApiServer, binaries: Any, tmp_path: Any) -> Cluster:
    """Give a cluster without Gatekeeper: its policies are the API server's own."""
    return live_cluster(server, binaries.kubectl, tmp_path, Shape(workers=1, gatekeeper=None))


@pytest.fixture(autouse=True)
def there(server: ApiServer, api: ApiClient) -> None:
    """Put an object there."""
    server.had_policies = True
    request(api, "POST", MAPS, body={"metadata": {"name": "a"}, "data": {"a": "1"}})


def forbid(bench: Bench) -> Undos:
    """Put the policy there; return what takes it away."""
    undos = Undos(bench.cluster.engine, bench.journal)
    for part in FORBIDS:
        put(bench.cluster, undos, part, Deadline.after(10, "the policy"))
    return undos


def wait_denied(api: ApiClient, method: str = "POST", path: str = MAPS) -> None:
    """Wait until the policy is enforced."""
    for _ in Deadline.after(20, "the policy to deny").attempts(0.05, 0.2):
        try:
            body = {"metadata": {"name": "never"}} if method == "POST" else None
            request(api, method, path, query={"dryRun": "All"}, body=body)
        except ApiRefused as error:
            if "denied request" in error.message:
                return
    pytest.fail("the policy denies nothing")


def test_it_is_done_when_the_policies_are_removed(api: ApiClient, bench: Bench, cluster: Cluster) -> None:
    """The history says by what it was denied, and so does the proof of healing; the words "not found" are no excuse."""
    fault = delete_object("ConfigMap", "a", namespace="default")
    injection = Injection(cluster, bench.journal, bench.history)
    policies = forbid(bench)
    wait_denied(api)
    fault.inject(injection)
    fault.observed(cluster, Deadline.after(5, "the proof"))
    with pytest.raises(UndoDenied, match=r"(?s)denied request: a label was not found") as denied:
        take_back(fault, injection, bench.history, "fault 1", None, proved=True)
    assert denied.value.by == BY
    assert "objects.bring_back" in [undo.action for undo in bench.pending()]
    policies.run()
    healed, proof = take_back(fault, injection, bench.history, "fault 1", None, proved=True, denied=denied.value)
    assert healed
    assert proof.endswith(f"; its undo was denied by {BY} until the policies were removed")
    assert request(api, "GET", f"{MAPS}/a")["data"] == {"a": "1"}
    told = [entry for entry in read(bench.history.path).entries if entry.process == "fault 1"]
    assert [entry.f for entry in told] == ["heal", "undo denied", "heal", "undone", "healed"]
    assert told[1].value["by"] == BY
    assert bench.pending() == []


OWN = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own", "namespace": "default"}}
"""What an experiment puts there beside its policies, as it does a constraint."""


def test_what_the_policies_took_along_is_not_brought_back(api: ApiClient, bench: Bench, cluster: Cluster) -> None:
    """A constraint of the experiment's own goes with its template: once that is removed, nobody could make it again."""
    policies = Undos(cluster.engine, bench.journal)
    put(cluster, policies, OWN, Deadline.after(10, "the object"))
    for part in FORBIDS:
        put(cluster, policies, part, Deadline.after(10, "the policy"))
    wait_denied(api)
    fault = delete_object("ConfigMap", "own", namespace="default")
    injection = Injection(cluster, bench.journal, bench.history)
    fault.inject(injection)
    with pytest.raises(UndoDenied) as denied:
        take_back(fault, injection, bench.history, "fault 1", None, proved=True)
    policies.run()
    healed, proof = take_back(fault, injection, bench.history, "fault 1", None, proved=True, denied=denied.value)
    assert healed
    assert proof.startswith("ConfigMap own was put there for the experiment, which has taken it away; its undo was ")
    assert find_object(api, f"{MAPS}/own") is None
    assert bench.pending() == []


def test_a_fresh_process_brings_nothing_back_either(api: ApiClient, bench: Bench, cluster: Cluster) -> None:
    """After `kill -9` the replay removes the policies, and what they forbade, and was theirs, stays away."""
    put(cluster, Undos(cluster.engine, bench.journal), OWN, Deadline.after(10, "the object"))
    forbid(bench)
    wait_denied(api)
    inject_and_die(cluster, "delete_object", {"kind": "ConfigMap", "name": "own", "namespace": "default"})
    replay_afresh(cluster)
    assert find_object(api, f"{MAPS}/own") is None
    assert bench.pending() == []


def test_a_fresh_process_does_it_after_the_policies(api: ApiClient, bench: Bench, cluster: Cluster) -> None:
    """After `kill -9` of the first, one replay removes the policies and then brings back what they forbade."""
    forbid(bench)
    wait_denied(api)
    inject_and_die(cluster, "delete_object", {"kind": "ConfigMap", "name": "a", "namespace": "default"})
    assert find_object(api, f"{MAPS}/a") is None
    undone = replay_afresh(cluster)
    assert [words.partition("(")[0] for words in undone.splitlines()] == [
        "objects.delete",
        "objects.delete",
        "objects.bring_back",
    ]
    assert request(api, "GET", f"{MAPS}/a")["data"] == {"a": "1"}
    assert bench.pending() == []


def test_a_policy_that_stays(api: ApiClient, bench: Bench, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not the experiment's own goes on to deny: nothing is done, and the undo stays in the journal."""
    monkeypatch.setattr(denials, "GONE_SECONDS", 1.0)
    forbid(bench)
    for undo in range(2):
        bench.journal.done(undo)
    wait_denied(api)
    fault = delete_object("ConfigMap", "a", namespace="default")
    bench.inject(fault)
    put(cluster, Undos(cluster.engine, bench.journal), {**FORBIDS[0], "metadata": {"name": "b"}}, Deadline.after(9, ""))
    with pytest.raises(UndoFailed, match=r"1 of 2 undos(?s:.*)CommandDenied"):
        journal.replay(bench.journal.path, cluster.engine)
    assert find_object(api, f"{MAPS}/a") is None
    assert [undo.action for undo in bench.pending()] == ["objects.bring_back"]


def test_a_deletion_that_is_denied_is_not_done(
    api: ApiClient, bench: Bench, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was put and may be held is still to be deleted if a policy denies that, for it is not marked."""
    policy, binding = json.loads(json.dumps(FORBIDS))
    policy["spec"]["matchConstraints"]["resourceRules"][0]["operations"] = ["DELETE"]
    fault = put_object({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "put", "namespace": "default"}})
    monkeypatch.setattr("chaos_harness.harness.undo.put_object._HELD_SECONDS", 1.0)
    bench.inject(fault)
    policies = Undos(cluster.engine, bench.journal)
    for part in (policy, binding):
        put(cluster, policies, part, Deadline.after(10, "the policy"))
    wait_denied(api, "DELETE", f"{MAPS}/put")
    with pytest.raises(UndoDenied, match="denied request"):
        bench.heal(fault)
    assert "deletionTimestamp" not in request(api, "GET", f"{MAPS}/put")["metadata"]
    policies.run()
    retry(lambda: bench.heal(fault), Deadline.after(20, "no policy"), passes=lambda _: True)
    assert bench.healed(fault) == "ConfigMap put is gone"


def test_a_webhook_denies_and_one_that_is_away_does_not(api: ApiClient, cluster: Cluster) -> None:
    """A webhook's denial is told by the webhook's name; that it could not be called is another failure."""
    assert isinstance(cluster.engine, KubectlEngine)
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("chaos-a", "b")]
    again: dict[str, Any] = {"control_plane": "live-control-plane", "manifests": namespaces}
    with serving() as webhook:
        webhook.decide = lambda _: denial("[no-namespaces] not found in the list")
        webhook.configure(api)
        for _ in Deadline.after(20, "the webhook to be called").attempts(0.05, 0.2):
            with suppress(ApiRefused):
                request(api, "POST", "/api/v1/namespaces", query={"dryRun": "All"}, body=namespaces[0])
                continue
            break
        with pytest.raises(CommandFailed) as raised:
            bring_back(cluster.engine, **again)
        assert getattr(raised.value, "by", "") == "admission webhook validation.gatekeeper.sh"
        webhook.configure(api, port=1)
        for _ in Deadline.after(20, "another port").attempts(0.05, 0.2):
            with pytest.raises(CommandFailed) as raised:
                bring_back(cluster.engine, **again)
            if "failed calling webhook" in str(raised.value):
                break
        assert not hasattr(raised.value, "by")


def test_a_denial_beside_another_failure(cluster: Cluster, bench: Bench, api: ApiClient) -> None:
    """What else failed would be hidden by a denial, so that is raised at once."""
    undos = forbid(bench)
    wait_denied(api)
    maps = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in ("x", "not a name!")]
    with pytest.raises(CommandFailed) as raised:
        bring_back(cluster.engine, control_plane="live-control-plane", manifests=maps)
    assert not hasattr(raised.value, "by")
    undos.run()
