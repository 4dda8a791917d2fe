"""Tests of policies on a real cluster: they come into force, are seen to be lost, and leave nothing behind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.harness.checks.fail_open import fail_open_window
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.errors import ApiRefused, PolicyRejected
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.workloads.rollouts import scale_to_zero
from chaos_harness.harness.gatekeeper.apply import enforce_policies
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.policies import CANARIES, Policy, deny_pods, deny_pods_by_cel, mutate_pods, mutate_templates
from chaos_harness.harness.suites.model import Assertion
from chaos_harness.harness.suites.read import read_suites
from chaos_harness.harness.suites.running import Results, ask_suites
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal

pytestmark = [pytest.mark.cluster, pytest.mark.beside, pytest.mark.xdist_group("one cluster")]

SUITES = Path(__file__).parents[1] / "suites"
LISTS = {
    "mutators": "/apis/mutations.gatekeeper.sh/v1/assign",
    "templates": "/apis/templates.gatekeeper.sh/v1/constrainttemplates",
    "policies": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "bindings": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}


@pytest.fixture(scope="module")
def cluster(shared_cluster: Cluster) -> Cluster:
    return shared_cluster


def left(cluster: Cluster) -> list[str]:
    """Return what of policies is in the cluster, once Kubernetes has had time to collect what belonged to others."""
    names = [""]
    with cluster.client() as api:
        for _ in Deadline.after(60, "generated policies to be collected").attempts():
            lists = [object_ for path in LISTS.values() for object_ in request(api, "GET", path)["items"]]
            names = [f"{object_.get('kind')} {object_['metadata']['name']}" for object_ in lists]
            try:
                request(api, "GET", f"/api/v1/namespaces/{CANARIES}")
                names.append(CANARIES)
            except ApiRefused:
                pass
            if not names:
                break
    return names


def test_policies_are_in_force_and_leave_nothing(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """Every question gets the answer that its policy demands, at both enforcement points, and all goes again."""
    with make() as experiment:
        experiment.apply(mutate_pods(), mutate_templates(), deny_pods(), deny_pods_by_cel(), rate=20)
        experiment.hold(10)
    canary_entries = [entry for entry in read(experiment.history.path).entries if entry.process.startswith("canary ")]
    outcomes = {
        (entry.value["policy"], entry.value["outcome"])
        for entry in canary_entries
        if entry.kind == "ok" and entry.value
    }
    right = {
        ("check ignore label", "denied by webhook"),
        ("mutate pods", "mutated"),
        ("mutate templates", "mutated"),
        ("deny by rego", "denied by webhook"),
        ("admit compliant pods", "admitted"),
        ("deny by cel (webhook)", "denied by webhook"),
        ("deny by cel (vap)", "denied by policy"),
    }
    assert {policy for policy, _ in outcomes} == {policy for policy, _ in right}
    assert right - outcomes == set()
    assert left(cluster) == []
    assert journal.pending(Path(experiment.record.journal)) == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe Gatekeeper after 3 s that it refuses an object: these objects it never takes."""
    monkeypatch.setattr("chaos_harness.harness.undo.put_object._REFUSED_SECONDS", 3.0)
    monkeypatch.setattr("chaos_harness.harness.gatekeeper.in_force._ERROR_SECONDS", 3.0)


def broken(location: str) -> Policy:
    """Return a mutator with this location, and no question."""
    [assign] = mutate_pods().objects
    spec = {**assign["spec"], "location": location}
    changed: dict[str, Any] = {**assign, "metadata": {"name": "chaos-broken"}, "spec": spec}
    return replace(mutate_pods(), name="broken", objects=(changed,), questions=())


@pytest.mark.usefixtures("impatient")
def test_mutator_that_is_refused(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """A location that Gatekeeper cannot parse is a bad scenario, in its words, and nothing is left."""
    with make() as experiment, pytest.raises(PolicyRejected, match=r"chaos-broken: expected.*invalid location format"):
        experiment.apply(mutate_pods(), broken("spec.annotations.example.com/pod"))
    assert left(cluster) == []


@pytest.mark.usefixtures("impatient")
def test_mutator_that_is_stored_broken(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """Two mutators that Gatekeeper takes, and then enforces neither of, are a bad scenario with its status's words."""
    with make() as experiment, pytest.raises(PolicyRejected, match=r"Gatekeeper says: .*[Cc]onflict"):
        experiment.apply(mutate_pods(), broken("spec.securityContext[name: x].seLinuxOptions.level"))
    assert left(cluster) == []


def test_loss_is_seen(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """Without a replica pods are created unmutated: the check is violated with its cause, and the time is measured."""
    with make() as experiment:
        experiment.apply(mutate_pods(), rate=20)
        with experiment.fault(scale_to_zero()):
            experiment.hold(12)
        assert experiment.recovered()
        experiment.hold(5)
        lost = experiment.claim(never_unmutated(enough=50), expected="violated")
        window = experiment.claim(fail_open_window(0, fault="scale to zero"), expected="violated")
    assert lost.evidence[0].startswith("causes (by audit id): ")
    assert "not logged" not in lost.evidence[0]
    assert window.figures["mutate_pods_lost_least_seconds"] > 2


def test_crash_leaves_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """What the journal of a harness that died has takes all policies away."""
    wait_until_serving(cluster, Deadline.after(120, "Gatekeeper to serve"))
    opened = Journal(tmp_path / "journal.jsonl")
    block = enforce_policies(cluster, opened, HistoryWriter(tmp_path / "history.jsonl"), [mutate_pods(), deny_pods()])
    block.__enter__()
    try:
        journal.replay(opened.path, cluster.engine)
        assert left(cluster) == []
    finally:
        block.__exit__(None, None, None)
        opened.close()


def test_cases_of_suites(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """Cases of gator's suites are asked by webhook, by generated policy and as updates; a wrong one is told."""
    repos, *others = read_suites(SUITES / name for name in ("allowed-repos", "cel-requests", "review-update"))
    [test] = repos.tests
    wrong = replace(test.cases[0], name="wrong", assertions=(Assertion("yes"),))
    asked = [replace(repos, tests=(replace(test, cases=(*test.cases, wrong)),)), *others]
    with make() as experiment:
        results = ask_suites(experiment, Results(asked))
    assert [(result.case, result.agreement) for result in results] == [
        *((name, "as expected") for name in ("ours", "foreign", "both-foreign")),
        ("wrong", "otherwise"),
        *((name, "as expected") for name in ("set", "no-memory", "none", "same-team", "other-team")),
    ]
    assert left(cluster) == []
