"""Generated policies: what Gatekeeper generates matches what templates and constraints ask for, in all cases."""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import pytest

from chaos_harness.clusters.api.leader_election import LEADERS
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.checks.control_plane import control_plane_unharmed, leases_admitted, leases_renewed
from chaos_harness.harness.checks.policies import policies_match
from chaos_harness.harness.checks.races import never_orphaned
from chaos_harness.harness.errors import DeadlineExceeded
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.trigger import Trigger, When
from chaos_harness.harness.faults.control_plane.api_server import RESTARTED, restart_api_server
from chaos_harness.harness.faults.workloads.kill_containers import kill_containers
from chaos_harness.harness.faults.workloads.throttle import throttle
from chaos_harness.harness.history import read
from chaos_harness.harness.history.vocabulary import DECIDED, RACE
from chaos_harness.harness.probes.control_plane import watch_control_plane
from chaos_harness.harness.probes.objects import GENERATED, constraints, watch_objects
from chaos_harness.harness.versions import Versions
from chaos_harness.scenarios.generated_policies.steps import BOTH, CONFIG_MAPS, LEASES, WEBHOOK_ONLY, PolicyInCluster

pytestmark = [pytest.mark.shape(workers=2, install="manifest"), pytest.mark.takes(35)]

AUDIT = "gatekeeper.sh/operation=audit"
LATE = 30.0
REST_SECONDS = 6.0
"""How long after the constraint's status the last look of its controller at it may come: 4.2 s were seen."""
RESTARTS = 5
SIGNS = 3


class Crowd(NamedTuple):
    """The pods that generate (`selector`), and how many templates keep them busy with so little of a `cpu`."""

    selector: str
    templates: int
    cpu: float


def crowd(version: str | None) -> Crowd:
    """Return the pods that generate on a version: since v3.18 the audit pod alone, before that every pod."""
    alone = version is None or version in Versions(">=3.18")
    return Crowd(AUDIT, 40, 0.05) if alone else Crowd("gatekeeper.sh/system=yes", 12, 0.1)


def race(experiment: Experiment, generated: PolicyInCluster, mode: str, revision: str) -> None:
    """Let the template ask for a policy and take it back before its controller sees it, but after its constraint's has.

    "burst": at once. "trigger": when the binding is there and the constraint's controller, which looks at the
    constraint once more because it wrote its status, has come to rest.
    """

    def take_back(_: object) -> None:
        generated.wait_settled(60)
        Deadline.after(2 * REST_SECONDS, "the constraint's controller to rest").pause(REST_SECONDS)
        generated.generate(wanted=False)

    if mode == "burst":
        generated.generate(wanted=True)
        generated.touch(revision)
        generated.generate(wanted=False)
        return
    bound = When("ValidatingAdmissionPolicyBinding", "ADDED", generated.binding)
    with Trigger(experiment.cluster, experiment.history, bound, take_back) as trigger:
        generated.generate(wanted=True)
        generated.touch(revision)
        trigger.wait(Deadline.after(180, "a binding whose policy is taken back"))


def has_left_an_orphan(experiment: Experiment) -> bool:
    """Whether a try has left an orphan; while that is undecided, the watches are given time for a sign of life."""
    outcome = "inconclusive"
    for _ in range(SIGNS):
        outcome = never_orphaned()(read(experiment.history.path, so_far=True)).outcome
        if outcome != "inconclusive":
            break
        experiment.hold(2)
    return outcome == "violated"


@pytest.fixture(scope="module", autouse=True)
def nothing_stays(cluster: Cluster) -> Iterator[None]:
    """Delete template and constraint after the last test, so that the cluster can be used again."""
    yield
    with suppress(DeadlineExceeded), PolicyInCluster(cluster, CONFIG_MAPS) as generated:
        generated.remove()  # a version that cannot leaves a cluster that is not used again


@pytest.fixture
def generated(experiment: Experiment) -> Iterator[PolicyInCluster]:
    """Give a template and a constraint whose policy and binding exist, all of them watched."""
    with PolicyInCluster(experiment.cluster, CONFIG_MAPS) as generated:
        generated.put()
        watched = (*GENERATED, *constraints(CONFIG_MAPS.kind, LEASES.kind))
        experiment.probe(*watch_objects(experiment.cluster, experiment.history, watched))
        yield generated


def test_a_constraint_that_leaves_an_enforcement_point(experiment: Experiment, generated: PolicyInCluster) -> None:
    """A constraint that gives up vap.k8s.io loses its binding; older versions keep it, and it goes on denying."""
    generated.scope(WEBHOOK_ONLY)
    generated.reaches("binding", there=False, seconds=LATE + 5)
    experiment.hold(3)
    match = policies_match(LATE)
    experiment.claim(match.expect("violated", issue="gatekeeper#4441", on="<3.22.1", because=["orphan binding"]))
    generated.scope(BOTH)


def test_a_template_that_takes_its_policy_back(experiment: Experiment, generated: PolicyInCluster) -> None:
    """A template that asks for no policy any more loses policy and binding; v3.17 keeps the policy for ever."""
    generated.generate(wanted=False)
    generated.reaches(there=False, seconds=LATE + 5)
    experiment.hold(3)
    experiment.claim(policies_match(LATE).expect("violated", on="<3.18", because=["orphan policy"]))
    generated.take_back()


@pytest.mark.parametrize("what", ["binding", "policy"])
def test_what_is_deleted_by_hand_comes_back(experiment: Experiment, generated: PolicyInCluster, what: str) -> None:
    """What somebody deleted is generated again, from v3.21 on; before, a binding only when an audit stumbles on it."""
    if (experiment.cluster.shape.gatekeeper or "") in Versions("<3.21"):
        generated.wait_audited()
    generated.delete(what)
    repaired = generated.reaches(what, there=True, seconds=LATE + 5)
    experiment.hold(3)
    match = policies_match(LATE)
    experiment.claim(match.expect("violated", issue="gatekeeper#4119", on="<3.21"))
    if not repaired:
        generated.remove()


@pytest.mark.parametrize("first", ["constraint", "template"])
def test_what_nobody_asks_for_goes(experiment: Experiment, generated: PolicyInCluster, first: str) -> None:
    """Template and constraint are deleted, and the pod that generates is killed in between: nothing is left behind."""
    experiment.restart_gatekeeper()
    gone = When({"constraint": CONFIG_MAPS.kind, "template": "ConstraintTemplate"}[first], "DELETED")
    kill = kill_containers(selector=AUDIT)
    with Trigger(experiment.cluster, experiment.history, gone, lambda _: experiment.act(kill)) as trigger:
        generated.delete(first)
        trigger.wait(Deadline.after(60, f"the {first} to be gone and the audit pod to be killed"))
    for kind in ("constraint", "template"):
        generated.delete(kind)
    generated.reaches(there=False, seconds=65)
    assert experiment.recovered(), "Gatekeeper does not serve again"
    experiment.claim(policies_match(60))
    generated.remove()


@pytest.mark.founding(2)
@pytest.mark.takes(150)  # 65 for the first try, 25 to 30 for each other
def test_no_race_leaves_an_orphan(
    experiment: Experiment, generated: PolicyInCluster, repetitions: int, race_mode: str, *, is_one_orphan_enough: bool
) -> None:
    """A template asks for a policy and takes it back while others keep its controller busy: the binding is left.

    Among the founding incidents the race ends with its first orphan; otherwise all tries are made, for their rate.
    """
    cluster, history = experiment.cluster, experiment.history
    busy = crowd(cluster.shape.gatekeeper)
    generated.apply_fillers(busy.templates, "first")
    for repetition in range(repetitions):
        generated.take_back()
        with experiment.fault(throttle(busy.selector, busy.cpu)):
            generated.apply_fillers(busy.templates, str(repetition))
            race(experiment, generated, race_mode, str(repetition + 1))  # constraints are made with revision 0
        generated.wait_decided(120)
        history.append("mark", RACE, DECIDED, {"repetition": repetition})
        experiment.hold(6)
        if is_one_orphan_enough and has_left_an_orphan(experiment):
            experiment.note(f"the race ends with its first orphan, in try {repetition + 1} of at most {repetitions}")
            break
    generated.delete_fillers(busy.templates)
    known = never_orphaned().expect("violated", issue="gatekeeper#3287", because=["orphan binding"], race=True)
    experiment.claim(known)


@pytest.mark.takes(150)
@pytest.mark.usefixtures("generated")
def test_the_control_plane_starts_again_with_generated_policies(experiment: Experiment) -> None:
    """An API server that restarts denies Leases, because a generated policy is there before its parameters are.

    One restart of three does not, for no Lease was asked for in time: so it is done again until one does.
    """
    cluster, history = experiment.cluster, experiment.history
    with PolicyInCluster(cluster, LEASES) as leases:
        leases.put()
        experiment.probe(*watch_control_plane(cluster, history, every=0.1))
        experiment.hold(10)
        for _ in range(RESTARTS):
            with experiment.fault(restart_api_server()):
                experiment.hold(30)
            assert experiment.recovered(), "Gatekeeper does not serve again"
            experiment.hold(10)
            if leases_admitted(fault=RESTARTED)(read(history.path)).outcome == "violated":
                break
        leases.remove()
    known = leases_admitted(fault=RESTARTED).expect(
        "violated", issue="gatekeeper#4530", on=">=3.18", because=["denied by configuration error"], race=True
    )
    experiment.claim(known)
    experiment.claim(leases_renewed(120, spare=LEADERS))
    experiment.claim(control_plane_unharmed(spare=LEADERS))
    experiment.claim(policies_match(90))
