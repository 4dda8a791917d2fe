"""Faults on a real cluster: each bites and is healed, a no-op is found out, and a killed harness leaves what heals."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.harness.checks.pulls import asked_registry, no_request_during
from chaos_harness.harness.checks.recovery import recovers_within
from chaos_harness.harness.checks.undisturbed import undisturbed
from chaos_harness.harness.errors import FaultNotApplied, Inconclusive, InvariantViolated
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.faults.registry.remove_image import images_of, remove_image
from chaos_harness.harness.faults.webhook.empty_certificate import blank_certificate
from chaos_harness.harness.faults.webhook.link import cut_webhook
from chaos_harness.harness.faults.workloads.kill_containers import kill_containers
from chaos_harness.harness.faults.workloads.reschedule import reschedule_pod
from chaos_harness.harness.gatekeeper.restart import restart_gatekeeper
from chaos_harness.harness.history import read
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.undo import journal

pytestmark = [pytest.mark.cluster, pytest.mark.beside, pytest.mark.xdist_group("one cluster")]

ROOT = Path(__file__).parents[2]
AUDIT = "gatekeeper.sh/operation=audit"


@pytest.fixture(scope="module")
def cluster(shared_cluster: Cluster) -> Cluster:
    return shared_cluster


def webhooks(cluster: Cluster) -> list[str]:
    """Return the names of the webhook pods, when all of them serve."""
    return wait_until_serving(cluster, Deadline.after(180, "Gatekeeper to serve"))


CUTS: dict[str, tuple[Callable[[Cluster], Fault], str]] = {
    "stop": (lambda _: cut_registry("stop"), "is exited"),
    "drop": (lambda cluster: cut_registry("drop", nodes=cluster.workers[:1]), "dropped"),
    "503": (lambda _: cut_registry("503"), "with status 503"),
    "webhook dropped": (lambda _: cut_webhook("drop"), "lost"),
    "webhook rejected": (lambda _: cut_webhook("reject"), "lost"),
    "one webhook pod dropped": (lambda _: cut_webhook(count=1), "no connection to gatekeeper-controller-manager-"),
    "image": (lambda cluster: remove_image(image(cluster), cluster.workers[:1]), "does not list"),
    "certificate": (lambda _: blank_certificate(), "was emptied"),
}


def image(cluster: Cluster) -> str:
    """Return Gatekeeper's image by the name that nodes have for it."""
    names = images_of(cluster, cluster.workers[0], Deadline.after(30, "the images"))
    return next(name for name in names if "openpolicyagent/gatekeeper:" in name)


def test_cuts(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """Each fault on the registry, on images and on webhooks proves that it bites, and that it is healed."""
    pending = partial(journal.pending, cluster.directory / "journal.jsonl")
    with make() as experiment:
        for name, (fault, proof) in CUTS.items():
            with ExitStack() as healed:
                assert proof in experiment.act(fault(cluster), until=healed), name
                assert pending(), name
            assert pending() == [], name
    assert [fault.healed_at is None for fault in experiment.record.faults] == [False] * len(CUTS)
    assert journal.pending(Path(experiment.record.journal)) == []


def test_kill_and_reschedule(cluster: Cluster, make: Callable[[], Experiment]) -> None:
    """With the registry there, a killed container and a rescheduled pod come back; inverted claims are refused.

    It follows the fault on the certificate: new pods have the healed one at once, old ones half a minute later.
    """
    restart_gatekeeper(cluster, Deadline.after(180, "fresh pods"))
    with make() as experiment:
        killed, moved, _ = webhooks(cluster)
        with experiment.fault(nothing()):
            experiment.act(kill_containers(killed))
            experiment.act(kill_containers(selector=AUDIT))
            assert "replaces it on" in experiment.act(reschedule_pod(moved))
            webhooks(cluster)
            experiment.hold(15)
        assert experiment.recovered()
    for check in (
        recovers_within(120, "killed", during="nothing"),
        recovers_within(120, "rescheduled", during="nothing"),
    ):
        assert "asked_seconds" in experiment.claim(check).figures
        with pytest.raises(InvariantViolated, match="no longer reproduces"):
            experiment.claim(check, expected="violated", issue="gatekeeper#3839")
    with pytest.raises(InvariantViolated):
        experiment.claim(undisturbed(during="nothing"), expected="violated")
    experiment.claim(undisturbed(during="nothing"))
    with pytest.raises(InvariantViolated):
        experiment.claim(recovers_within(0.5, "killed", during="nothing"))
    with pytest.raises(Inconclusive, match="not proved"):
        experiment.claim(recovers_within(30, "killed"))
    with pytest.raises(Inconclusive):
        experiment.claim(no_request_during())
    asked = asked_registry(experiment.gatekeeper_repository, before="nothing")
    with pytest.raises(Inconclusive, match="no container was seen to start"):
        experiment.claim(asked)
    recorded = read(experiment.history.path)
    assert Coverage(recorded).blind or not [entry for entry in recorded.entries if entry.f == "GAP"]


class _Nothing:
    """A span of time without any harm of its own, in which others are done."""

    name = "nothing"

    def inject(self, *_: object) -> None:
        """Do nothing."""

    def observed(self, *_: object) -> str:
        return "nothing was removed"

    def healed(self, *_: object) -> str:
        return "nothing was removed"


def nothing() -> Fault:
    """Return the fault that only has a begin and an end."""
    return _Nothing()


NO_OPS: dict[str, Callable[[Cluster], Fault]] = {
    "registry.cut._RegistryStop.inject": lambda _: cut_registry("stop"),
    "registry.cut._PacketDrop.inject": lambda _: cut_registry("drop"),
    "registry.cut._Unavailable.inject": lambda _: cut_registry("503"),
    "webhook.link._LinkCut.inject": lambda _: cut_webhook(),
    "webhook.empty_certificate.merge_patch": lambda _: blank_certificate(),
    "workloads.reschedule._Reschedule.inject": lambda cluster: reschedule_pod(webhooks(cluster)[0]),
    "workloads.kill_containers._ContainerKill._kill": lambda cluster: kill_containers(webhooks(cluster)[0]),
}
"""What harms, in harness.faults, and the fault that does no harm without it."""


def test_no_op(cluster: Cluster, make: Callable[[], Experiment], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that was turned into a no-op is FaultNotApplied, not green; the experiment goes on."""
    monkeypatch.setattr("chaos_harness.harness.experiment.harm._PROVE_SECONDS", 5.0)
    unchanged = {"metadata": {"resourceVersion": "0"}}
    with make() as experiment:
        for harm, fault in NO_OPS.items():
            harmless = fault(cluster)
            with monkeypatch.context() as patch:
                patch.setattr(f"chaos_harness.harness.faults.{harm}", lambda *_, **__: unchanged)
                with pytest.raises(FaultNotApplied):
                    experiment.act(harmless)


CHILD = """
import json, sys
from pathlib import Path
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import connect
from chaos_harness.harness.faults.registry.remove_image import remove_image
from chaos_harness.harness.faults.workloads.reschedule import reschedule_pod
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.undo.journal import Journal

name, folder, image, pod = sys.argv[1:]
cluster = Cluster.open(connect(), name)
journal, history = Journal(cluster.directory / "journal.jsonl"), HistoryWriter(Path(folder) / "history.jsonl")
cuts = [cut_registry(how) for how in ("503", "drop", "stop")]
for fault in (remove_image(image), reschedule_pod(pod), *cuts):
    fault.inject(Injection(cluster, journal, history))
print("broken", flush=True)
sys.stdin.read()
"""


def test_killed_in_the_middle(cluster: Cluster, make: Callable[[], Experiment], tmp_path: Path) -> None:
    """What a harness that is killed (SIGKILL) leaves broken, all faults at once, the next experiment undoes first."""
    arguments = [cluster.name, str(tmp_path), image(cluster), webhooks(cluster)[0]]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "broken\n"
        child.send_signal(signal.SIGKILL)
    left = journal.pending(cluster.directory / "journal.jsonl")
    assert {undo.action for undo in left} == {
        "images.pull",
        "pods.uncordon",
        "registry.drop_no_more",
        "registry.restore",
    }
    with make() as experiment:
        pass
    assert all(undo.action in experiment.record.phases[0].detail for undo in left)
    for worker in cluster.workers:
        assert image(cluster) in images_of(cluster, worker, Deadline.after(30, "the images"))
        rules = cluster.exec(worker, ["iptables", "-S", "OUTPUT"], Deadline.after(30, "the rules")).stdout
        assert "chaos-harness" not in rules
    nodes = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get", "nodes", "--output", "json"]
    listing = cluster.exec(cluster.control_planes[0], nodes, Deadline.after(30, "the nodes")).stdout
    assert not [node for node in json.loads(listing)["items"] if node["spec"].get("unschedulable")]
