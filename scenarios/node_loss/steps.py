"""Node loss: the steps of one row: place pods on a worker, lose it, wait for their replacements, let it return."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import State, wait_until
from chaos_harness.harness.errors import DeadlineExceeded
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.workload import Controller, deploy
from chaos_harness.harness.gatekeeper.placement import place_gatekeeper
from chaos_harness.harness.gatekeeper.webhook_settings import fail_mutation
from chaos_harness.harness.history.objects import is_ready, is_terminating, node_of, owners
from chaos_harness.harness.policies import CANARIES, POD_LEVEL, Policy, deny_pods_by_cel, mutate_pods, mutate_templates
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.probes.objects import GENERATED, WORKLOAD, WORKLOAD_EVENTS, constraints, watch_objects
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put
from chaos_harness.scenarios.node_loss.table import (
    DEADLOCK_SECONDS,
    FAULTS,
    OUTAGE,
    PODS,
    REPLACED_SECONDS,
    REPLICAS,
    TEMPLATES,
    LossRow,
)

__all__ = ["lose"]

_COUNTS = {"one": 1, "all": REPLICAS, "none": 0}
_BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
_KIND = "ChaosDeniedByCel"


def lose(experiment: Experiment, row: LossRow) -> None:
    """Run one row: put pods on a worker, lose it, wait for their replacements, and let it return."""
    victim, make = experiment.cluster.workers[-1], FAULTS[row.fault][0]
    experiment.prepare(place_gatekeeper(victim, webhooks=_COUNTS[row.webhooks], audit=True))
    generating = (deny_pods_by_cel(),) if row.generation else ()
    experiment.apply(_only_in(mutate_pods(), PODS), _only_in(mutate_templates(), TEMPLATES), *generating)
    watched = (*WORKLOAD, *WORKLOAD_EVENTS, *((*GENERATED, *constraints(_KIND)) if row.generation else ()))
    experiment.probe(*watch_objects(experiment.cluster, experiment.history, watched))
    direct = (Controller("Deployment", "direct", 3), Controller("StatefulSet", "stateful", 2))
    experiment.prepare(deploy(PODS, *direct, Controller("DaemonSet", "daemon"), on=victim, carrying=POD_LEVEL))
    experiment.prepare(deploy(TEMPLATES, Controller("Deployment", "template", 3), on=victim, carrying=POD_LEVEL))
    with ExitStack() as closed:
        if row.policy == "Fail":
            closed.enter_context(experiment.prepare_for_block(fail_mutation("Fail")))
        with experiment.fault(make(victim)):
            if row.generation:
                experiment.prepare(_CONSTRAINT)
            if row.deployment != "never":
                _wait_for(experiment, _pods_of(TEMPLATES), partial(_are_replaced, 3, victim))
                _wait_for(experiment, _pods_of(PODS), partial(_are_replaced, 3, victim))
            else:
                experiment.hold(DEADLOCK_SECONDS)
            if row.policy == "Fail" and row.deployment == "never":
                # Nothing heals while no lease can be renewed: the policy goes first (Gatekeeper's emergency page).
                closed.close()
        _wait_for(experiment, _pods_of(PODS), partial(_are_replaced, 5, ""))
        experiment.recovered()
        _wait_for(experiment, _pods_of(PODS), partial(_daemon_serves, victim))
        if row.generation:
            _wait_for(experiment, _BINDINGS, _is_generated)


def _only_in(policy: Policy, namespace: str) -> Policy:
    """Return the policy for one namespace, and for the canary's, whose answers show when it is not enforced."""
    objects = []
    for policy_object in policy.objects:
        match = {**policy_object["spec"]["match"], "namespaces": [namespace, CANARIES]}
        objects.append({**policy_object, "spec": {**policy_object["spec"], "match": match}})
    return replace(policy, objects=tuple(objects))


@contextmanager
def _add_constraint(cluster: Cluster, journal: Journal) -> Iterator[str]:
    """Add one more constraint of the CEL template; it asks for a binding of the existing policy."""
    undos, item = Undos(cluster.engine, journal), {**deny_pods_by_cel().objects[-1], "metadata": {"name": OUTAGE}}
    try:
        put(cluster, undos, item, Deadline.after(REPLACED_SECONDS, f"constraint {OUTAGE}"))
        yield f"constraint {OUTAGE} is made"
    finally:
        undos.run()


_CONSTRAINT = Preparation("ask for a generated binding", _add_constraint)


def _pods_of(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


def _wait_for(experiment: Experiment, path: str, predicate: Callable[[State], bool]) -> None:
    """Wait until a condition is true; a check judges whether it came in time."""
    with experiment.cluster.client() as api, suppress(DeadlineExceeded):
        wait_until(api, path, predicate, Deadline.after(REPLACED_SECONDS, path))


def _is_generated(state: State) -> bool:
    return any(name.endswith(f"-{OUTAGE}") for name in state)


def _are_replaced(count: int, beside: str, state: State) -> bool:
    """Whether `count` pods are Ready on nodes other than `beside`, not counting those of a DaemonSet."""
    return sum(node != beside and not daemon for node, daemon in _ready(state)) >= count


def _daemon_serves(node: str, state: State) -> bool:
    """Whether the DaemonSet's pod on a node is Ready."""
    return (node, True) in _ready(state)


def _ready(state: State) -> list[tuple[str, bool]]:
    """Return the node of each Ready pod, and whether it is a DaemonSet's."""
    ready = (pod for pod in state.values() if is_ready(pod) and not is_terminating(pod) and node_of(pod))
    return [(node_of(pod), any(owner["kind"] == "DaemonSet" for owner in owners(pod))) for pod in ready]
