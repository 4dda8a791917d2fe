"""Planted defects on a real cluster: each check is seen to hold where nothing is wrong, and to fail where something is.

The defects are planted beside Gatekeeper, not in it: webhooks that are asked where nobody answers, a container
that ends behind the harness's back.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from clusters.rest import merge, request
from clusters.serving import NAMESPACE
from clusters.shape import Shape
from harness.checks.fail_open import fail_open_window
from harness.checks.outage import comes_back, outlasts
from harness.checks.parity import enforcement_parity
from harness.checks.undisturbed import undisturbed
from harness.checks.unmutated import never_unmutated
from harness.errors import InvariantViolated
from harness.experiment import Experiment
from harness.history import History
from harness.journal import Journal
from harness.policies import deny_pods_by_cel, mutate_pods

pytestmark = pytest.mark.cluster

_NAME = "plant defect"
_NOWHERE = "/planted"


@pytest.fixture(scope="module")
def cluster(build: Callable[..., Cluster]) -> Cluster:
    return build(Shape(workers=1))


@pytest.fixture
def experiment(make: Callable[[], Experiment]) -> Iterator[Experiment]:
    with make() as experiment:
        experiment.apply(mutate_pods(), deny_pods_by_cel())
        yield experiment


class Planted:
    """A fault that is a defect of the cluster's configuration, or none at all; who planted it takes it away."""

    name = _NAME

    def __init__(self, plant: Callable[[], None] = lambda: None) -> None:
        self._plant = plant

    def inject(self, cluster: Cluster, journal: Journal, history: History) -> None:
        self._plant()

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        return "the API server took it"

    def heal(self, cluster: Cluster, journal: Journal, history: History) -> None:
        """Do nothing."""

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        return "it is taken away at the end"


@contextmanager
def misled(cluster: Cluster, kind: str) -> Iterator[Planted]:
    """Give the defect that the API server asks Gatekeeper's webhooks of one kind at a path where nobody answers.

    A Service that leads nowhere would not do: the API server keeps the connections that it has.
    """
    path = f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations/gatekeeper-{kind}-webhook-configuration"

    def lead(rename: Callable[[str], str]) -> None:
        with cluster.client() as api:
            webhooks = request(api, "GET", path)["webhooks"]
            for each in webhooks:
                service = each["clientConfig"]["service"]
                service["path"] = rename(service["path"])
            merge(api, path, {"webhooks": webhooks})

    try:
        yield Planted(lambda: lead(lambda found: f"{_NOWHERE}{found}"))
    finally:
        lead(lambda found: found.removeprefix(_NOWHERE))


def test_all_checks_hold_where_nothing_is_wrong(experiment: Experiment) -> None:
    """With a fault that does nothing, no check raises an alarm."""
    with experiment.fault(Planted()):
        experiment.hold(20)
    for check in (
        never_unmutated(during=_NAME, excused=["timed out"]),
        fail_open_window(5, fault=_NAME, excused=["timed out"]),
        outlasts(10, fault=_NAME),
        comes_back(fault=_NAME, before_healing=True),
        enforcement_parity(5),
        undisturbed(during=_NAME),
    ):
        experiment.claim(check)
        with pytest.raises(InvariantViolated, match="no longer reproduces"):
            experiment.claim(check, expected="violated", issue="gatekeeper#0")


def test_mutation_that_fails_open_is_found(experiment: Experiment, cluster: Cluster) -> None:
    """Pods that nobody mutates are told one by one, and the seconds are counted; validation is as before."""
    with misled(cluster, "mutating") as defect, experiment.fault(defect):
        experiment.hold(20)
    verdict = experiment.claim(never_unmutated(during=_NAME), expected="violated")
    assert verdict.figures["unmutated_pods"] >= 20
    assert any("unmutated" in line for line in verdict.evidence)
    mutated, denied = ["mutate pods"], ["deny by cel (webhook)"]
    experiment.claim(fail_open_window(10, fault=_NAME, policies=mutated), expected="violated")
    experiment.claim(outlasts(10, fault=_NAME, policies=mutated), expected="violated")
    experiment.claim(comes_back(fault=_NAME, policies=mutated, before_healing=True), expected="violated")
    experiment.claim(fail_open_window(5, fault=_NAME, policies=denied, excused=["timed out"]))
    experiment.claim(comes_back(fault=_NAME, policies=denied, before_healing=True))
    experiment.claim(enforcement_parity(5))


def test_validation_that_fails_open_is_found(experiment: Experiment, cluster: Cluster) -> None:
    """What the webhook should deny is admitted, while the generated policy denies it: the two disagree."""
    with misled(cluster, "validating") as defect, experiment.fault(defect):
        experiment.hold(20)
    experiment.claim(enforcement_parity(10), expected="violated")
    experiment.claim(fail_open_window(10, fault=_NAME, policies=["deny by cel (webhook)"]), expected="violated")
    experiment.claim(fail_open_window(5, fault=_NAME, policies=["deny by cel (vap)"]))
    experiment.claim(never_unmutated(during=_NAME, excused=["timed out"]))


def test_a_restart_behind_our_back_is_found(experiment: Experiment, cluster: Cluster) -> None:
    """A container that ends although no fault says so is a disturbance."""
    soon = Deadline.after(60, "the container to be ended")
    with experiment.fault(Planted()):
        listed = ["crictl", "ps", "--quiet", "--label", f"io.kubernetes.pod.namespace={NAMESPACE}"]
        container = cluster.exec(cluster.workers[0], listed, soon).stdout.split()[0]
        cluster.exec(cluster.workers[0], ["crictl", "stop", "--timeout", "0", container], soon)
        experiment.hold(15)
    assert "s after the fault" in experiment.claim(undisturbed(during=_NAME), expected="violated").summary
