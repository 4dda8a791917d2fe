"""Planted defects: what each check must report on a real cluster, because it was planted there.

This is about the checks, not about Gatekeeper: `nox -s truth -- -k planted` counts their verdicts.
"""

from collections.abc import Callable

import pytest

from chaos_harness.clusters.api.rest import delete, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.checks.comparison import loses_no_longer_than
from chaos_harness.harness.checks.control_plane import control_plane_unharmed, leases_renewed, leases_renewed_again
from chaos_harness.harness.checks.fail_open import fail_open_window, refused_for_at_most
from chaos_harness.harness.checks.fields import field_stays
from chaos_harness.harness.checks.generators import has_generator
from chaos_harness.harness.checks.heals import heals
from chaos_harness.harness.checks.node_loss import never_replaced
from chaos_harness.harness.checks.outage import comes_back, outlasts
from chaos_harness.harness.checks.pulls import asked_no_registry, asked_registry, no_request_during
from chaos_harness.harness.checks.recovery import recovers, recovers_after
from chaos_harness.harness.checks.undisturbed import undisturbed
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.workload import Controller, deploy
from chaos_harness.harness.faults.nodes.power import PAUSED_NODE, pause_node
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.faults.workloads.kill_containers import kill_containers
from chaos_harness.harness.gatekeeper.webhook_settings import fail_closed
from chaos_harness.harness.policies import POD_LEVEL, deny_pods_by_cel, mutate_pods
from chaos_harness.harness.probes.control_plane import watch_control_plane
from chaos_harness.harness.probes.objects import GENERATED, WORKLOAD, WORKLOAD_EVENTS, watch_objects
from chaos_harness.scenarios.planted.steps import (
    AUDIT_PODS,
    PLANTED,
    PlantedDefect,
    count_audit_pods,
    end_generation,
    mislead_webhooks,
)

pytestmark = [pytest.mark.shape(workers=2), pytest.mark.extended, pytest.mark.takes(55)]

_SECONDS = 60.0
_PODS = "chaos-planted"
_BY_WEBHOOK = ["deny by cel (webhook)"]


def test_planted_scheduler_that_stops(experiment: Experiment) -> None:
    """A scheduler whose process is stopped renews no lease, and does not come back by itself."""
    cluster = experiment.cluster
    experiment.probe(*watch_control_plane(cluster, experiment.history))

    def send(signal: str) -> Callable[[], object]:
        words = ["pkill", f"-{signal}", "-x", "kube-scheduler"]
        return lambda: cluster.exec(cluster.control_planes[0], words, Deadline.after(_SECONDS, f"SIG{signal}"))

    experiment.hold(10)
    try:
        with experiment.fault(PlantedDefect(send("STOP"))):
            experiment.hold(30)
        experiment.hold(15)
        experiment.claim(leases_renewed(20), expected="violated", known="planted")
        experiment.claim(control_plane_unharmed(seconds=20), expected="violated", known="planted")
        experiment.claim(leases_renewed_again(10, fault=PLANTED), expected="violated", known="planted")
    finally:
        send("CONT")()


def test_planted_refusal(experiment: Experiment) -> None:
    """A webhook that fails closed and is called at a wrong path refuses what complies, and bypasses nothing."""
    experiment.prepare(fail_closed())
    experiment.apply(deny_pods_by_cel())
    with mislead_webhooks(experiment.cluster, "validating") as defect, experiment.fault(defect):
        experiment.hold(20)
    refused = refused_for_at_most(10, fault=PLANTED, policies=_BY_WEBHOOK)
    experiment.claim(refused, expected="violated", known="planted")
    experiment.claim(outlasts(10, fault=PLANTED, policies=_BY_WEBHOOK), expected="violated", known="planted")
    back = comes_back(fault=PLANTED, policies=_BY_WEBHOOK, before_healing=True)
    experiment.claim(back, expected="violated", known="planted")
    experiment.claim(fail_open_window(5, fault=PLANTED, policies=_BY_WEBHOOK, excused=["timed out"]), known="planted")


def test_planted_difference(experiment: Experiment) -> None:
    """A defect that mutates nothing loses more than one that does nothing, and not the other way round."""
    experiment.apply(mutate_pods())
    with experiment.fault(PlantedDefect()):
        experiment.hold(15)
    with mislead_webhooks(experiment.cluster, "mutating") as defect, experiment.fault(defect):
        experiment.hold(20)
    harmless, harmful = "fault 1", "fault 2"
    worse = loses_no_longer_than(fault=harmful, than=harmless, excused=["timed out"])
    experiment.claim(worse, expected="violated", known="planted")
    experiment.claim(loses_no_longer_than(fault=harmless, than=harmful, excused=["timed out"]), known="planted")


def test_planted_generator_that_is_gone(experiment: Experiment) -> None:
    """Nobody generates policies while Gatekeeper's audit has no pods, though a template asks for one."""
    experiment.probe(*watch_objects(experiment.cluster, experiment.history, GENERATED))
    experiment.probe(count_audit_pods(experiment))
    experiment.apply(deny_pods_by_cel())
    with end_generation(experiment.cluster) as defect, experiment.fault(defect):
        experiment.hold(20)
    experiment.claim(has_generator(10), expected="violated", known="planted")
    experiment.claim(has_generator(120), known="planted")
    experiment.claim(field_stays(AUDIT_PODS, 1), expected="violated", known="planted")
    experiment.claim(field_stays(AUDIT_PODS, 1, but_for=120), known="planted")


def test_planted_pull(experiment: Experiment) -> None:
    """A node that asks the registry behind our back makes a cut that is none; containers that start ask for nothing."""
    cluster = experiment.cluster
    experiment.restart_gatekeeper("IfNotPresent")

    with experiment.fault(PlantedDefect()):
        words = ["crictl", "pull", experiment.gatekeeper_image]
        cluster.exec(cluster.workers[0], words, Deadline.after(_SECONDS, "a pull behind our back"))
        experiment.hold(5)
    experiment.claim(no_request_during(PLANTED), expected="violated", known="planted")
    asked = asked_registry(experiment.gatekeeper_repository, before=PLANTED)
    experiment.claim(asked, expected="violated", known="planted")
    experiment.claim(asked_no_registry(experiment.gatekeeper_repository, before=PLANTED), known="planted")


def test_planted_pull_policy(experiment: Experiment) -> None:
    """Containers that start with the pull policy Always ask the registry, also if a claim says that they do not."""
    experiment.restart_gatekeeper("Always")
    with experiment.fault(PlantedDefect()):
        experiment.hold(5)
    experiment.claim(no_request_during(PLANTED), known="planted")
    asked = asked_no_registry(experiment.gatekeeper_repository, before=PLANTED)
    experiment.claim(asked, expected="violated", known="planted")
    experiment.claim(asked_registry(experiment.gatekeeper_repository, before=PLANTED), known="planted")


def test_planted_deletion(experiment: Experiment) -> None:
    """A Pod of a paused node that somebody deletes does not outlive it, though its node comes back in time."""
    cluster, victim = experiment.cluster, experiment.cluster.workers[-1]
    experiment.apply(mutate_pods())
    experiment.probe(*watch_objects(cluster, experiment.history, (*WORKLOAD, *WORKLOAD_EVENTS)))
    left, deleted = Controller("DaemonSet", "daemon"), Controller("Deployment", "direct", 2)
    experiment.prepare(deploy(_PODS, left, deleted, on=victim, carrying=POD_LEVEL))
    path = f"/api/v1/namespaces/{_PODS}/pods"
    with experiment.fault(pause_node(victim)), cluster.client() as api:
        for pod in request(api, "GET", path)["items"]:
            if pod["metadata"]["name"].startswith(deleted.name):
                delete(api, f"{path}/{pod['metadata']['name']}")
        experiment.hold(10)
    experiment.hold(20)
    gone = never_replaced(PAUSED_NODE, namespace=_PODS, kinds=("ReplicaSet",))
    experiment.claim(gone, expected="violated", known="planted")
    experiment.claim(never_replaced(PAUSED_NODE, namespace=_PODS, kinds=("DaemonSet",)), known="planted")


def test_planted_node_that_stays_away(experiment: Experiment) -> None:
    """A paused node whose kubelet stopped before is not back when it runs again: it is undone, and does not heal."""
    cluster, victim = experiment.cluster, experiment.cluster.workers[-1]

    def kubelet(verb: str) -> None:
        cluster.exec(victim, ["systemctl", verb, "kubelet"], Deadline.after(_SECONDS, f"the kubelet to {verb}"))

    fault = pause_node(victim)
    kubelet("stop")
    try:
        with experiment.fault(fault, heals_within=20):
            experiment.hold(5)
        experiment.claim(heals(20, fault=fault.name), expected="violated", known="planted")
    finally:
        kubelet("start")


@pytest.mark.takes(130)
def test_planted_back_off(experiment: Experiment) -> None:
    """A container whose pull failed a few times waits for the kubelet's back-off when the registry is back.

    The registry answers 503: pulls from a stopped one may hang for as long as it is gone, and never fail.
    """
    killed, *_others = experiment.restart_gatekeeper("Always")
    with experiment.fault(cut_registry("503")):
        experiment.act(kill_containers(killed))
        experiment.hold(45)
    experiment.hold(15)
    experiment.claim(recovers_after(5, "killed"), expected="violated", because=["image pull failed"])
    experiment.claim(recovers(20, "killed"), expected="violated", known="planted")
    experiment.claim(undisturbed())
    experiment.recovered()
