"""Generated policies on a real cluster: planted violations are found, and the faults for them bite and are healed."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.api.leader_election import LEADERS
from chaos_harness.clusters.api.rest import apply, delete, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.checks.control_plane import control_plane_unharmed, leases_admitted, leases_renewed
from chaos_harness.harness.checks.policies import policies_match
from chaos_harness.harness.errors import FaultNotApplied, Inconclusive, InvariantViolated
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.trigger import TRIGGER, Trigger, When
from chaos_harness.harness.faults.control_plane.api_server import _ApiServerRestart, restart_api_server
from chaos_harness.harness.faults.workloads.pause_containers import pause_containers
from chaos_harness.harness.faults.workloads.throttle import _Throttle, throttle
from chaos_harness.harness.history import read
from chaos_harness.harness.probes.control_plane import watch_control_plane
from chaos_harness.harness.probes.objects import GENERATED, constraints, watch_objects
from chaos_harness.harness.undo import journal
from chaos_harness.scenarios.generated_policies.steps import CONFIG_MAPS, PolicyInCluster

pytestmark = [pytest.mark.cluster, pytest.mark.beside, pytest.mark.xdist_group("one cluster")]

AUDIT = "gatekeeper.sh/operation=audit"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
ORPHAN = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "gatekeeper-chaoslabels-nobody"},
    "spec": {"policyName": "gatekeeper-chaoslabels", "validationActions": ["Audit"]},
}
KILL_SCHEDULER = "kill -KILL $(crictl inspect $(crictl ps --quiet --name '^kube-scheduler$') | jq .info.pid)"


@pytest.fixture(scope="module")
def cluster(shared_cluster: Cluster) -> Cluster:
    return shared_cluster


def _restarts(pods: Iterable[Mapping[str, Any]]) -> int:
    return sum(container["restartCount"] for pod in pods for container in pod["status"].get("containerStatuses") or ())


def test_planted_orphan(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """What is generated matches; a binding planted by hand is seen by a trigger, and is an orphan when it is old."""
    with PolicyInCluster(cluster, CONFIG_MAPS) as generated, cluster.client() as api, make() as experiment:
        generated.put()
        watched = (*GENERATED, *constraints(CONFIG_MAPS.kind))
        experiment.probe(*watch_objects(cluster, experiment.history, watched))
        experiment.hold(2)
        experiment.claim(policies_match(5))
        planted = When("ValidatingAdmissionPolicyBinding", name="*-nobody")
        with Trigger(cluster, experiment.history, planted, lambda _: None) as trigger:
            apply(api, [ORPHAN], Deadline.after(30, "the orphan"))
            trigger.wait(Deadline.after(10, "the orphan to be seen"))
        experiment.hold(15)
        with pytest.raises(InvariantViolated, match="1 orphan binding for more than 5 s"):
            experiment.claim(policies_match(5))
        assert delete(api, f"{BINDINGS}/{ORPHAN['metadata']['name']}")  # type: ignore[index]
        generated.remove()
        experiment.hold(1)
        experiment.claim(policies_match(30))
    acted = [entry for entry in read(experiment.history.path).entries if entry.process.startswith(TRIGGER)]
    assert [entry.kind for entry in acted] == ["invoke", "ok"]
    assert acted[1].value["begun_seconds"] < 1


def test_restarted_api_server(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """An API server that is killed refuses connections and comes back as another, as the fault tells: no harm."""
    with make() as experiment:
        experiment.probe(*watch_control_plane(cluster, experiment.history))
        experiment.hold(12)
        experiment.claim(control_plane_unharmed() & leases_renewed(20))
        with experiment.fault(restart_api_server()) as proof:
            assert "refused a connection" in proof
        assert experiment.recovered()
        experiment.hold(10)
        experiment.claim(control_plane_unharmed(spare=LEADERS))
        with suppress(Inconclusive):  # a probe that asked late does not know what was admitted meanwhile
            experiment.claim(leases_admitted(least=5))
        with pytest.raises(InvariantViolated, match="did not renew its lease for"):
            experiment.claim(leases_renewed(0.5))


def test_planted_restart(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """A scheduler killed behind our back is harm to the control plane, and is told by its name."""
    deadline = Deadline.after(120, "the scheduler to be killed, and its kubelet to tell")
    pods, scheduler = "/api/v1/namespaces/kube-system/pods", {"labelSelector": "component=kube-scheduler"}
    with make() as experiment, cluster.client() as api:
        experiment.probe(*watch_control_plane(cluster, experiment.history))
        experiment.hold(7)
        before = _restarts(request(api, "GET", pods, query=scheduler)["items"])
        cluster.exec(cluster.control_planes[0], ["bash", "-c", KILL_SCHEDULER], deadline)
        wait_until(api, pods, lambda state: _restarts(state.values()) > before, deadline, scheduler)
        experiment.hold(3)
        with pytest.raises(InvariantViolated, match="container kube-scheduler of"):
            experiment.claim(control_plane_unharmed())


def test_throttle(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """A throttled pod is held back by the kernel, and gets its limit back."""
    with make() as experiment:
        with experiment.fault(throttle(AUDIT, 0.05)) as proof:
            assert "says 5000" in proof
            assert journal.pending(cluster.directory / "journal.jsonl")
        assert "have the limit that they had" in experiment.record.faults[0].heal_proof
    assert journal.pending(Path(experiment.record.journal)) == []


def test_pause_containers(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """While kube-proxy stands still nobody writes the rules of a new Service; then it does, and has not restarted."""
    proxies = {"selector": "k8s-app=kube-proxy", "namespace": "kube-system"}
    pods, labels = "/api/v1/namespaces/kube-system/pods", {"labelSelector": proxies["selector"]}
    rules = ["bash", "-c", "iptables-save | grep -c paused-test || :"]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "paused-test", "namespace": "default"}}
    service["spec"] = {"selector": {"a": "nobody"}, "ports": [{"port": 80}]}
    deadline = Deadline.after(90, "kube-proxy to write the rules of a Service")
    with cluster.client() as api, make() as experiment:
        before = _restarts(request(api, "GET", pods, query=labels)["items"])
        with experiment.fault(pause_containers(**proxies)) as proof:
            assert f"on {cluster.control_planes[0]} stand still" in proof
            apply(api, [service], deadline)
            experiment.hold(5)
            assert cluster.exec(cluster.control_planes[0], rules, deadline).stdout.strip() == "0"
        for _ in deadline.attempts():
            if cluster.exec(cluster.control_planes[0], rules, deadline).stdout.strip() != "0":
                break
        assert delete(api, "/api/v1/namespaces/default/services/paused-test")
        assert _restarts(request(api, "GET", pods, query=labels)["items"]) == before
        assert "goes on" in experiment.record.faults[0].heal_proof
    assert journal.pending(Path(experiment.record.journal)) == []


def test_no_ops(cluster: Cluster, make: Callable[[], Experiment], monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults that were turned into no-ops are not applied: nothing was killed, nothing was written."""
    monkeypatch.setattr("chaos_harness.harness.experiment.harm._PROVE_SECONDS", 5.0)
    monkeypatch.setattr(_ApiServerRestart, "_kill", lambda *_: "")
    monkeypatch.setattr(_Throttle, "_write", lambda *_: None)
    monkeypatch.setattr("chaos_harness.harness.faults.workloads.pause_containers._STOP", "exit 0")
    with make() as experiment:
        with pytest.raises(FaultNotApplied, match="to end within 5 s, it runs"), experiment.fault(restart_api_server()):
            pytest.fail("the block was entered")
        with pytest.raises(FaultNotApplied, match="to say 5000"), experiment.fault(throttle(AUDIT, 0.05)):
            pytest.fail("the block was entered")
        with (
            pytest.raises(FaultNotApplied, match="to stand still, "),
            experiment.fault(pause_containers(selector=AUDIT)),
        ):
            pytest.fail("the block was entered")
