"""Planted defects of single webhook pods: what checks that ask each pod by itself must report on a real cluster."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from chaos_harness.clusters.api.rest import delete, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.installed import WEBHOOK_PODS, pods_path
from chaos_harness.harness.checks.agreement import replicas_agree
from chaos_harness.harness.checks.invariants import gatekeeper_invariants
from chaos_harness.harness.checks.readiness import ready_means_enforcing
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.objects.delete import delete_object
from chaos_harness.harness.invariants import INVARIANTS
from chaos_harness.harness.policies import deny_pods
from chaos_harness.scenarios.planted.steps import PlantedDefect

pytestmark = [pytest.mark.shape(workers=2), pytest.mark.extended, pytest.mark.takes(70)]

_SECONDS = 30.0
_CONSTRAINTS = "/apis/constraints.gatekeeper.sh/v1beta1/chaosdeniedbyrego"
_BY_REGO = ["deny by rego"]
_UNRECORDED = [name for name in INVARIANTS if name not in ("ready_means_enforcing", "replicas_agree")]


def test_planted_pod_that_learns_nothing(experiment: Experiment) -> None:
    """A webhook pod that cannot reach the API server stays Ready, and denies what the others allow again."""
    cluster, policy = experiment.cluster, deny_pods()
    experiment.apply(policy)
    experiment.hold(15)
    experiment.claim(replicas_agree(policies=_BY_REGO), known="planted")
    _, constraint = policy.objects
    with cluster.client() as api, _cut_off(cluster) as defect:
        try:
            with experiment.fault(defect):
                delete(api, f"{_CONSTRAINTS}/{constraint['metadata']['name']}")
                experiment.hold(30)
        finally:
            request(api, "POST", _CONSTRAINTS, body=constraint)
    experiment.claim(replicas_agree(policies=_BY_REGO), expected="violated", known="planted")
    experiment.claim(gatekeeper_invariants(_UNRECORDED), expected="violated", known="planted")


@pytest.mark.takes(100)
def test_planted_pod_that_is_ready_and_enforces_nothing(experiment: Experiment) -> None:
    """A webhook pod that cannot reach the API server does not see a constraint come back, and stays Ready."""
    cluster, policy = experiment.cluster, deny_pods()
    experiment.apply(policy)
    experiment.hold(15)
    experiment.claim(ready_means_enforcing(policies=_BY_REGO), known="planted")
    _, constraint = policy.objects
    deleted = delete_object(constraint["kind"], constraint["metadata"]["name"])
    with _cut_off(cluster) as defect, ExitStack() as until_judged:
        with experiment.fault(deleted):
            experiment.hold(15)
            until_judged.enter_context(experiment.fault(defect))
        experiment.hold(25)
    experiment.claim(ready_means_enforcing(10, _BY_REGO), expected="violated", known="planted")


@contextmanager
def _cut_off(cluster: Cluster) -> Iterator[PlantedDefect]:
    """Give the defect that one webhook pod hears nothing of any API server, nor it of the pod, which serves."""
    with cluster.client() as api:
        pod = request(api, "GET", pods_path(cluster), query={"labelSelector": WEBHOOK_PODS})["items"][0]

    def rules(verb: str) -> None:
        for chain, to_server in (("FORWARD", True), ("INPUT", True), ("FORWARD", False), ("OUTPUT", False)):
            address, port = ("-s", "--dport") if to_server else ("-d", "--sport")
            words = [address, pod["status"]["podIP"], "-p", "tcp", port, "6443", "-j", "DROP"]
            deadline = Deadline.after(_SECONDS, f"iptables {verb} {chain}")
            cluster.exec(pod["spec"]["nodeName"], ["iptables", "-w", verb, chain, *words], deadline)

    planted: list[str] = []

    def plant() -> None:
        planted.append(pod["metadata"]["name"])
        rules("-I")

    try:
        yield PlantedDefect(plant)
    finally:
        if planted:
            rules("-D")
