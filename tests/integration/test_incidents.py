"""Incidents on a real cluster: one is lived again, its bundle has no secret, and a draft is read off the cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chaos_harness.clusters.api import readonly
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import connect
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.history import read
from chaos_harness.harness.incident.bundle.recheck import recheck
from chaos_harness.harness.incident.bundle.write import write
from chaos_harness.harness.incident.draft import draft
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.replay.runner import Runner
from chaos_harness.harness.run.context import RunContext

pytestmark = [pytest.mark.cluster, pytest.mark.beside]

_SECRET = "/api/v1/namespaces/gatekeeper-system/secrets/gatekeeper-webhook-server-cert"  # noqa: S105 - a path
_INCIDENT = """
schema: 1
title: While the audit pod moves, the way to the webhooks is cut
links: [https://github.com/open-policy-agent/gatekeeper/issues/3538]
policies: [{policy: mutate_pods}]
workload: [{object: {apiVersion: v1, kind: Namespace, metadata: {name: chaos-a}}}]
watch: [workload]
faults:
  - {fault: reschedule_pod, with: {pod: "$pod(gatekeeper.sh/operation=audit)"}, at: 2s}
  - fault: cut_webhook
    when: {kind: Pod, namespace: gatekeeper-system, name: "gatekeeper-audit-*", within: 60s}
    lasts: 15s
claims:
  - {check: never_unmutated, with: {during: cut webhook}, expect: violated, issue: gatekeeper#3538}
"""


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, progress: Progress) -> Iterator[Runner]:
    work = tmp_path_factory.mktemp("work")
    with Runner(RunContext(7, "never", None, {}, work, progress), work).open() as runner:
        yield runner


def test_lived_bundled_and_judged_again(runner: Runner, tmp_path: Path) -> None:
    """A fault comes when its trigger does, the symptom is seen, and the bundle tells the same without secrets."""
    (tmp_path / "a.yaml").write_text(_INCIDENT, encoding="utf-8")
    loaded = load(tmp_path / "a.yaml")
    lived, directory = runner.run(loaded, 7)

    assert lived.seen == "reproduced", lived
    entries = list(read(directory / "history.jsonl").entries)
    (seen,) = [entry.at for entry in entries if entry.f == "seen"]
    cut = next(entry.at for entry in entries if entry.f == "inject" and entry.value["name"] == "cut webhook")
    moved = next(entry.at for entry in entries if entry.f == "observed" and entry.value["name"] == "reschedule pod")
    assert max(seen, moved) <= cut

    bundle = write(
        tmp_path / "bundle",
        loaded,
        seed=7,
        runs=[(lived, directory)],
        environment=runner.environment,
        images=runner.images,
    )
    _, _, compared = recheck(bundle)
    assert [(comparison.now.id, comparison.changed) for comparison in compared if comparison.now] == [
        ("never_unmutated(during=cut webhook)", False),
        ("heals(120, reschedule pod)", False),
        ("heals(120, cut webhook)", False),
    ]
    files = [path for path in (tmp_path / "bundle").rglob("*") if path.is_file()]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    assert "kube-apiserver" in "".join(path.name for path in files)
    assert not [planted for planted in _secrets(_cluster(runner)) if planted in text]


def test_drafted(runner: Runner, tmp_path: Path) -> None:
    """A cluster that is only read becomes an incident of its versions, with what its webhooks are set to."""
    cluster = _cluster(runner)
    with readonly.open_readonly(cluster.kubeconfig) as opened:
        text = draft(opened)
    (tmp_path / "b.yaml").write_text(text, encoding="utf-8")
    loaded = load(tmp_path / "b.yaml")

    assert loaded.shape == cluster.shape
    assert "# webhook mutation.gatekeeper.sh: failurePolicy Ignore, timeoutSeconds 1" in text
    assert not [planted for planted in _secrets(cluster) if planted in text]


def _cluster(runner: Runner) -> Cluster:
    """Return the runner's cluster, or the test has no secrets to look for."""
    assert runner._cluster is not None
    return Cluster.open(connect(), runner._cluster.name)


def _secrets(cluster: Cluster) -> list[str]:
    """Return what must not be found: the webhooks' key and the key of the kubeconfig's user."""
    with cluster.client() as api:
        webhook: str = request(api, "GET", _SECRET)["data"]["tls.key"]
    user = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))["users"][0]["user"]["client-key-data"]
    assert len(webhook) > 100
    assert len(user) > 100
    return [webhook, user]
