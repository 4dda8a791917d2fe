"""Tests of the pool on real clusters: in whatever order scenarios come, each says what it said on a cluster just made.

Each of them leaves something behind on purpose. More orders, which take about two minutes each:
`CHAOS_ORDERS=50 pytest -n 2 tests/integration/test_pool_orders.py`.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.api.rest import apply, merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.gatekeeper.install import REPOSITORY
from chaos_harness.clusters.images import ensure
from chaos_harness.clusters.pool import Pool
from chaos_harness.clusters.shape import NAMESPACE, Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.checks import Check
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.gatekeeper.restart import restart_gatekeeper
from chaos_harness.harness.history import History, HistoryWriter
from chaos_harness.harness.policies import Question
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.admission import CANARY, FORBIDDEN, admission_canary
from chaos_harness.harness.run.cluster_provider import ClusterProvider
from chaos_harness.harness.run.context import RunContext
from chaos_harness.harness.verdict import Verdict

pytestmark = [pytest.mark.cluster, pytest.mark.beside]

_SHAPE = Shape(workers=0, install="chart")
_ORDERS = int(os.environ.get("CHAOS_ORDERS", "1"))
_SPOILERS = (1, 2, 0)  # in one order after the other: without any, one cluster has to do for all
_LEAST_ANSWERS = 20
_NAME = "chaos-left"
_MAPS = "/api/v1/namespaces/default/configmaps"
_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CONSTRAINTS = "/apis/constraints.gatekeeper.sh/v1beta1/chaosleft"
_RULE = ["OUTPUT", "--protocol", "tcp", "--dport", "8443", "--jump", "DROP"]
_TEMPLATE = {
    "apiVersion": "templates.gatekeeper.sh/v1",
    "kind": "ConstraintTemplate",
    "metadata": {"name": "chaosleft"},
    "spec": {
        "crd": {"spec": {"names": {"kind": "ChaosLeft"}}},
        "targets": [
            {"target": "admission.k8s.gatekeeper.sh", "rego": 'package left\nviolation[{"msg": "left"}] { true }'}
        ],
    },
}
_CONSTRAINT = {
    "apiVersion": "constraints.gatekeeper.sh/v1beta1",
    "kind": "ChaosLeft",
    "metadata": {"name": _NAME},
    "spec": {"match": {"kinds": [{"apiGroups": [""], "kinds": ["ConfigMap"]}], "namespaces": ["default"]}},
}


def soon(what: str = "what is left behind", seconds: float = 60) -> Deadline:
    return Deadline.after(seconds, what)


def reads(cluster: Cluster) -> None:
    """Leave everything as it is."""


def heals(cluster: Cluster) -> None:
    """Leave nothing of what was done."""
    cluster.exec(cluster.control_planes[0], ["iptables", "--insert", *_RULE], soon())
    cluster.exec(cluster.control_planes[0], ["iptables", "--delete", *_RULE], soon())


def kills_containers(cluster: Cluster) -> None:
    argv = "crictl stop --timeout 0 $(crictl ps --quiet --label io.kubernetes.container.name=manager)"
    cluster.exec(cluster.control_planes[0], ["sh", "-c", argv], soon())


def rolls_out(cluster: Cluster) -> None:
    restart_gatekeeper(cluster, soon("the roll-out", 240), pull_policy="Always")


def leaves_a_constraint(cluster: Cluster) -> None:
    with cluster.client() as api:
        apply(api, [_TEMPLATE], soon())
        defined = "chaosleft.constraints.gatekeeper.sh"
        wait_until(api, _CRDS, lambda state: "acceptedNames" in state.get(defined, {}).get("status", {}), soon())
        apply(api, [_CONSTRAINT], soon())


def leaves_a_namespace(cluster: Cluster) -> None:
    with cluster.client() as api:
        request(api, "POST", "/api/v1/namespaces", body={"kind": "Namespace", "metadata": {"name": _NAME}})


def drops_packets(cluster: Cluster) -> None:
    cluster.exec(cluster.control_planes[0], ["iptables", "--insert", *_RULE], soon())


def gives_an_image_another_name(cluster: Cluster) -> None:
    image = f"docker.io/{REPOSITORY}:{_SHAPE.gatekeeper}"
    ctr = ["ctr", "--namespace", "k8s.io", "images", "tag", image, f"docker.io/{REPOSITORY}:{_NAME}"]
    cluster.exec(cluster.control_planes[0], ctr, soon())


def weakens_a_webhook(cluster: Cluster) -> None:
    with cluster.client() as api:
        path = f"{_WEBHOOKS}/gatekeeper-validating-webhook-configuration"
        webhooks = [webhook | {"timeoutSeconds": 9} for webhook in request(api, "GET", path)["webhooks"]]
        merge_patch(api, path, {"webhooks": webhooks})


def kills_the_node(cluster: Cluster) -> None:
    cluster.engine.run(["kill", cluster.control_planes[0]], soon())


@dataclass(frozen=True)
class Scenario:
    """What it does to its cluster in the end, and what is told of why that is no more for others, if it is not."""

    leave: Callable[[Cluster], None]
    message: str = ""


_KEPT = tuple(map(Scenario, (reads, heals, kills_containers, rolls_out)))
_SPOILED = (
    Scenario(leaves_a_constraint, f"new: chaosleft {_NAME}"),
    Scenario(leaves_a_namespace, f"new: namespaces {_NAME}"),
    Scenario(drops_packets, "control-plane rules"),
    Scenario(gives_an_image_another_name, "control-plane images"),
    Scenario(weakens_a_webhook, "changed: validatingwebhookconfigurations gatekeeper-validating-webhook-configuration"),
    Scenario(kills_the_node, "its fingerprint could not be compared"),
)


@Check
def answered_as_policy_demands(recorded: History) -> Verdict:
    """Violated by one wrong answer; that a busy machine did not answer says nothing."""
    answers = [entry for entry in recorded.entries if entry.process.startswith(CANARY) and entry.kind in ("ok", "fail")]
    wrong = [answer for answer in answers if answer.kind == "fail" and answer.value["outcome"] != "timed out"]
    if wrong:
        return Verdict("violated", f"{len(wrong)} of {len(answers)}: {wrong[0].value['said']}")
    return Verdict("holds" if len(answers) >= _LEAST_ANSWERS else "inconclusive", f"{len(answers)} answers")


def questions(cluster: Cluster, history: HistoryWriter) -> list[Probe]:
    """Return a canary that asks for what Gatekeeper denies, and for what it does not."""
    allowed = Question("create config map", "nobody denies", "admitted", _MAPS, _MAP)
    return [admission_canary(cluster, history, rate=20, questions=(FORBIDDEN, allowed))]


def judged(cluster: Cluster, directory: Path, name: str) -> dict[str, Any]:
    """Return what a short experiment says, and what else of others' leftovers a scenario could stumble over."""
    with Experiment(cluster, directory, name=name, seed=1, probes=questions) as experiment:
        experiment.hold(2)
        outcome = experiment.claim(answered_as_policy_demands).outcome
    with cluster.client() as api:
        pods = request(api, "GET", f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
        namespaces = request(api, "GET", "/api/v1/namespaces")["items"]
        webhooks = [
            hook for configuration in request(api, "GET", _WEBHOOKS)["items"] for hook in configuration["webhooks"]
        ]
    node = cluster.control_planes[0]
    listed = cluster.exec(node, ["ctr", "--namespace", "k8s.io", "images", "list", "--quiet"], soon())
    return {
        "outcome": outcome,
        "restarts": sum(container["restartCount"] for pod in pods for container in pod["status"]["containerStatuses"]),
        "pull policies": {container["imagePullPolicy"] for pod in pods for container in pod["spec"]["containers"]},
        "namespaces": {namespace["metadata"]["name"] for namespace in namespaces},
        "time-outs": sorted(webhook["timeoutSeconds"] for webhook in webhooks),
        "images": {image for image in listed.stdout.split() if REPOSITORY in image},
        "dropped": cluster.exec(node, ["iptables-save"], soon()).stdout.count("--dport 8443 -j DROP"),
    }


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, progress: Progress) -> Iterator[RunContext]:
    with pytest.MonkeyPatch.context() as patch:
        # A shelf of its own: the machine's may hold clusters of others. Leftovers would be found by their labels.
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        histories = tmp_path_factory.mktemp("histories")
        yield RunContext(1, "never", None, {}, histories, progress, pool=True)


@pytest.fixture(scope="module")
def engine(session: RunContext) -> Engine:
    return session.connect()


@pytest.fixture(scope="module")
def used() -> list[Cluster]:
    """Keep the clusters that scenarios were given; all but the last may be gone."""
    return []


@pytest.fixture(scope="module")
def supply(session: RunContext, engine: Engine, used: list[Cluster]) -> Iterator[ClusterProvider]:
    yield ClusterProvider(session, engine, lambda shape: ensure(engine, shape, session.progress))
    for last in used[-1:]:
        Pool(engine, session.progress).remove(last)


@pytest.fixture(scope="module")
def first() -> list[Mapping[str, Any]]:
    """Keep what the first scenario has said, whose cluster had just been made."""
    return []


@pytest.mark.parametrize("seed", range(_ORDERS))
def test_verdicts_do_not_hang_on_the_order(
    session: RunContext,
    supply: ClusterProvider,
    used: list[Cluster],
    first: list[Mapping[str, Any]],
    tmp_path: Path,
    seed: int,
) -> None:
    """Each finds a cluster as it is made; why one was thrown away is told: what its scenario has left."""
    chosen = random.Random(seed)  # noqa: S311 - chosen again from the same seed
    order = [*_KEPT, *chosen.sample(_SPOILED, _SPOILERS[seed % len(_SPOILERS)])]
    chosen.shuffle(order)
    kept = None
    for number, scenario in enumerate(order):
        name = scenario.leave.__name__
        session.remarks.clear()
        with supply.cluster(_SHAPE, lambda: 0, None) as cluster:
            used.append(cluster)
            assert kept in (None, cluster.name), "one that was as it was made was not used again"
            judgement = judged(cluster, tmp_path / str(number), name)
            scenario.leave(cluster)
        if not first:
            first.append(judgement)
        assert (judgement["outcome"], judgement) == ("holds", first[0])
        messages = "\n".join(session.remarks)
        assert (scenario.message in messages) if scenario.message else messages == "", messages
        kept = None if scenario.message else cluster.name
