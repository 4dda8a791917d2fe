"""Planted defects on a real cluster: each check is seen to hold where nothing is wrong, and to fail where something is.

The defects are planted beside Gatekeeper, not in it: webhooks that are asked where nobody answers, a container
that ends behind the harness's back.
"""

import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.shape import NAMESPACE
from chaos_harness.harness.checks.fail_open import fail_open_window
from chaos_harness.harness.checks.outage import comes_back, outlasts
from chaos_harness.harness.checks.parity import enforcement_parity
from chaos_harness.harness.checks.undisturbed import undisturbed
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.errors import InvariantViolated
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import BEGIN, EXPERIMENT, LATE, METRONOME, READ, numbered
from chaos_harness.harness.policies import deny_pods_by_cel, mutate_pods
from chaos_harness.harness.probes.replicas import ask_replicas
from chaos_harness.harness.probes.running import Probes
from chaos_harness.harness.probes.starving import watch_starving
from chaos_harness.harness.pytest_plugin.plugin import attach_record
from chaos_harness.scenarios.planted.steps import PLANTED, PlantedDefect, mislead_webhooks
from tests.unstarved import hold_unstarved

pytestmark = [pytest.mark.cluster, pytest.mark.alone(reason="a check that misses a second does not decide")]

_CROWD = """
trap 'exec 2>/dev/null; kill -KILL "${loops[@]}"; "${widen[@]}" >/dev/null; echo gone' EXIT
pid=$(pgrep --oldest --exact manager)
list=$(taskset --cpu-list --pid "$pid")
cpus=${list##* } cpu=${cpus%%[,-]*}
widen=(taskset --all-tasks --cpu-list --pid "$cpus" "$pid")
while IFS=: read -r _ kinds path; do
  case ,$kinds, in ,,) break ;; *,cpu,*) path=/cpu$path && break ;; esac
done <"/proc/$pid/cgroup"
taskset --all-tasks --cpu-list --pid "$cpu" "$pid" >/dev/null
for _ in {1..24}; do
  nice -n -20 bash -c 'while ((SECONDS < 60)); do :; done' &>/dev/null </dev/null &
  loops+=($!)
  echo $! >"/sys/fs/cgroup$path/cgroup.procs"
  taskset --cpu-list --pid "$cpu" $! >/dev/null
done
echo crowded
read -rt 60
"""
"""What bash does on a node: one Gatekeeper process shares one processor, and its own share of that, with 24 loops.

They have the highest rank: beside loops of its own rank a process that slept is let run at once, on an idle machine.

It is so on a machine with many processors, too, and takes from others what Gatekeeper may take. The loops end when
nobody is left who could say a line, or after a minute, and the process may then run where it could before.
"""


@pytest.fixture(scope="module")
def cluster(shared_cluster: Cluster) -> Cluster:
    return shared_cluster


@pytest.fixture
def unruled(request: pytest.FixtureRequest, make: Callable[[], Experiment]) -> Iterator[Experiment]:
    """Open an experiment without policies, which take half a minute; leave its record for the truth table.

    That needs `-p chaos_harness.reports.truth.verdict_log --alluredir DIR/results`.
    """
    experiment = make()
    try:
        with experiment:
            yield experiment
    finally:
        attach_record(request.node, experiment.record)


@pytest.fixture
def experiment(unruled: Experiment) -> Experiment:
    """Put policies in force that are asked by webhook and by generated policy."""
    unruled.apply(mutate_pods(), deny_pods_by_cel())
    return unruled


def test_all_checks_hold_where_nothing_is_wrong(experiment: Experiment) -> None:
    """With a fault that does nothing, no check raises an alarm."""
    planted = hold_unstarved(experiment, 20)
    for check in (
        never_unmutated(during=planted, excused=["timed out"]),
        fail_open_window(5, fault=planted, excused=["timed out"]),
        outlasts(10, fault=planted),
        comes_back(fault=planted, before_healing=True),
        enforcement_parity(5),
        undisturbed(during=planted),
    ):
        experiment.claim(check, known="planted")
        with pytest.raises(InvariantViolated, match="no longer reproduces"):
            experiment.claim(check, expected="violated", issue="gatekeeper#0", record=experiment.record.of("unlike it"))


def test_mutation_that_fails_open_is_found(experiment: Experiment, cluster: Cluster) -> None:
    """Pods that nobody mutates are told one by one, and the seconds are counted; validation is as before."""
    with mislead_webhooks(cluster, "mutating") as defect, experiment.fault(defect):
        experiment.hold(20)
    verdict = experiment.claim(never_unmutated(during=PLANTED), expected="violated", known="planted")
    assert verdict.figures["unmutated_pods"] >= 20
    assert any("unmutated" in line for line in verdict.evidence)
    mutated, denied = ["mutate pods"], ["deny by cel (webhook)"]
    experiment.claim(fail_open_window(10, fault=PLANTED, policies=mutated), expected="violated", known="planted")
    experiment.claim(outlasts(10, fault=PLANTED, policies=mutated), expected="violated", known="planted")
    experiment.claim(
        comes_back(fault=PLANTED, policies=mutated, before_healing=True), expected="violated", known="planted"
    )
    experiment.claim(fail_open_window(5, fault=PLANTED, policies=denied, excused=["timed out"]), known="planted")
    experiment.claim(comes_back(fault=PLANTED, policies=denied, before_healing=True), known="planted")
    experiment.claim(enforcement_parity(5), known="planted")


def test_validation_that_fails_open_is_found(experiment: Experiment, cluster: Cluster) -> None:
    """What the webhook should deny is admitted, while the generated policy denies it: the two disagree."""
    with mislead_webhooks(cluster, "validating") as defect, experiment.fault(defect):
        experiment.hold(20)
    experiment.claim(enforcement_parity(10), expected="violated", known="planted")
    experiment.claim(
        fail_open_window(10, fault=PLANTED, policies=["deny by cel (webhook)"]), expected="violated", known="planted"
    )
    experiment.claim(fail_open_window(5, fault=PLANTED, policies=["deny by cel (vap)"]), known="planted")
    experiment.claim(never_unmutated(during=PLANTED, excused=["timed out"]), known="planted")


def test_a_restart_behind_our_back_is_found(unruled: Experiment, cluster: Cluster) -> None:
    """A container that ends although no fault says so is a disturbance."""
    soon = Deadline.after(60, "the container to be ended")
    with unruled.fault(PlantedDefect()):
        listed = ["crictl", "ps", "--quiet", "--label", f"io.kubernetes.pod.namespace={NAMESPACE}"]
        container = cluster.exec(cluster.workers[0], listed, soon).stdout.split()[0]
        cluster.exec(cluster.workers[0], ["crictl", "stop", "--timeout", "0", container], soon)
        unruled.hold(15)
    verdict = unruled.claim(undisturbed(during=PLANTED), expected="violated", known="planted")
    assert "s after the fault" in verdict.summary


def test_a_webhook_that_gets_no_processor_is_seen(cluster: Cluster, tmp_path: Path) -> None:
    """Who has to wait is told, on its node, once there are loops beside it; nobody is for five seconds before that."""
    history, node = HistoryWriter(tmp_path / "history.jsonl"), cluster.workers[0]
    probes = Probes(history)

    def now() -> float:
        return history.append("mark", EXPERIMENT, BEGIN).at

    def seen() -> list[Entry]:
        entries = read(history.path, so_far=True).entries
        return [entry for entry in entries if entry.process == numbered(METRONOME, node)]

    def wait_until_starved_since(begin: float, seconds: float) -> Entry | None:
        for _ in Deadline.after(seconds, "somebody to starve").attempts(first=0.5, most=0.5):
            if marks := [entry for entry in seen() if entry.f == LATE and entry.at > begin]:
                return marks[-1]
        return None

    try:
        probes.start(watch_starving(cluster, history), ask_replicas(cluster, history))
        quiet = Deadline.after(60, "five seconds in which nobody starves")
        while wait_until_starved_since(now(), 5):
            assert not quiet.expired
        with cluster.talk(node, ["bash", "-c", _CROWD], Deadline.after(30, "the engine")) as loops:
            mark = wait_until_starved_since(now(), 30)
            loops.say("")
            lines = []
            while not loops.ended and select.select([loops], [], [], 30)[0]:
                lines += loops.hear()
    finally:
        probes.stop()
        history.close()
    assert lines == ["crowded", "gone"]
    assert (seen()[0].kind, seen()[0].f, seen()[0].value) == ("ok", READ, {"processes": ["manager"]})
    assert mark is not None
    assert mark.value["who"] == ["manager"]
    assert mark.value["waited"] > 0.2 * mark.value["seconds"]
