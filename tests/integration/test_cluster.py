"""Tests of clusters on a real engine: real nodes, a real registry, real Gatekeeper, and nothing left behind."""

import base64
import http.client
import json
import os
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import RUN, EngineObject, inventory
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded
from chaos_harness.clusters.garbage import collect_garbage
from chaos_harness.clusters.gatekeeper.install import install, wait_until_serving
from chaos_harness.clusters.kind.cli import KindCli
from chaos_harness.clusters.kind.logs import collect_logs
from chaos_harness.clusters.registry.container import DOWN_FILE, RequestLine
from chaos_harness.clusters.registry.saved import MANIFEST_TYPE
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.gatekeeper.restart import restart_gatekeeper
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.spans import Span
from chaos_harness.harness.history.vocabulary import BEGIN, CLOCK, EXPERIMENT, NUMBER, READ, WATCH_NUMBER, numbered
from chaos_harness.harness.probes.clocks import read_clocks
from chaos_harness.harness.probes.metronome import keep_time
from chaos_harness.harness.probes.numbers import write_numbers
from chaos_harness.harness.probes.running import Probes
from chaos_harness.harness.probes.starving import watch_starving
from chaos_harness.harness.undo import journal
from tests.fakes.child import child

pytestmark = [pytest.mark.cluster, pytest.mark.beside, pytest.mark.xdist_group("one cluster")]

_BARE = Shape(workers=0, gatekeeper=None)
_SYSTEM = "gatekeeper-system"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@pytest.fixture(scope="module")
def cluster(shared_cluster: Cluster) -> Cluster:
    return shared_cluster


def soon(what: str = "the test", seconds: float = 60) -> Deadline:
    return Deadline.after(seconds, what)


def of_run(engine: Engine, run: str) -> list[EngineObject]:
    return [thing for thing in inventory(engine, soon()) if thing.labels[RUN] == run]


def asked(cluster: Cluster, since: datetime) -> list[RequestLine]:
    assert cluster.registry
    log = cluster.registry.log(since)
    return [line for line in log if line.method == "HEAD" and "/gatekeeper/manifests/" in line.path]


def audit_container(cluster: Cluster) -> tuple[str, str]:
    """Return the node and the id of the running audit container."""
    for node in cluster.workers:
        argv = ["crictl", "ps", "--quiet", "--label", f"io.kubernetes.pod.namespace={_SYSTEM}"]
        containers = cluster.exec(node, [*argv, "--pod", audit_sandbox(cluster, node)], soon()).stdout.split()
        if containers and audit_sandbox(cluster, node):
            return node, containers[0]
    raise AssertionError("no running audit container")


def audit_sandbox(cluster: Cluster, node: str) -> str:
    argv = ["crictl", "pods", "--quiet", "--state", "ready", "--label", "control-plane=audit-controller"]
    return cluster.exec(node, argv, soon()).stdout.strip()


def restart_audit(cluster: Cluster) -> datetime:
    """Kill the audit container, wait until another one runs, and return when it was killed."""
    node, container = audit_container(cluster)
    since = datetime.now(UTC)
    cluster.exec(node, ["crictl", "stop", "--timeout", "0", container], soon())
    for _ in soon("another audit container").attempts():
        try:
            if audit_container(cluster)[1] != container:
                return since
        except AssertionError:
            continue
    raise AssertionError("the audit container did not come back")


def status_of(cluster: Cluster) -> int:
    assert cluster.registry
    return asking(cluster, "GET", "/v2/", cluster.registry.login.authorization)[0]


def asking(cluster: Cluster, method: str, path: str, authorization: str = "") -> tuple[int, str]:
    """Return the status and the digest that the registry answers this machine with."""
    assert cluster.registry
    headers = {"Accept": MANIFEST_TYPE, **({"Authorization": authorization} if authorization else {})}
    with closing(http.client.HTTPConnection(cluster.registry.address_host, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Docker-Content-Digest", "")


def test_every_node_of_the_shape_is_ready(cluster: Cluster) -> None:
    """Kubernetes knows three Ready nodes, of the wanted version, by the names of their containers."""
    with cluster.client() as api:
        nodes = request(api, "GET", "/api/v1/nodes")["items"]
    ready = {
        node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"]
        for node in nodes
        for condition in node["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Ready", "True")
    }
    assert ready == dict.fromkeys(cluster.nodes(), known_versions.DEFAULT_KUBERNETES)


def test_everything_made_carries_the_run(cluster: Cluster) -> None:
    """Containers on the network, their volumes and the network itself are all labelled: gc finds them."""
    things = [
        thing for thing in of_run(cluster.engine, cluster.run) if thing.labels["chaos-harness.cluster"] == cluster.name
    ]
    names = {
        kind: {thing.name for thing in things if thing.kind == kind} for kind in ("container", "network", "volume")
    }
    network = json.loads(cluster.engine.run(["network", "inspect", cluster.network], soon()).stdout)[0]
    mounts = [mount for thing in things for mount in thing.attributes.get("Mounts", []) if mount["Type"] == "volume"]
    assert names["container"] == {container["Name"] for container in network["Containers"].values()}
    assert names["container"] == {*cluster.nodes(), f"{cluster.name}-registry"}
    assert names["volume"] == {mount["Name"] for mount in mounts}
    assert len(mounts) == 4
    assert names["network"] == {cluster.network}


def test_only_loopback_reaches_the_cluster_from_outside(cluster: Cluster) -> None:
    """API server and registry are published on 127.0.0.1, nothing else is published."""
    things = of_run(cluster.engine, cluster.run)
    bindings = [
        (port, binding["HostIp"])
        for thing in things
        for port, all_ in (thing.attributes.get("HostConfig", {}).get("PortBindings") or {}).items()
        for binding in all_
        if thing.labels["chaos-harness.cluster"] == cluster.name
    ]
    assert sorted(bindings) == [("5000/tcp", "127.0.0.1"), ("6443/tcp", "127.0.0.1")]


def test_the_kubeconfig_is_private(cluster: Cluster) -> None:
    """Nobody else on the machine can read the credentials, or the directory that holds them."""
    assert (cluster.kubeconfig.stat().st_mode & 0o777, cluster.directory.stat().st_mode & 0o777) == (0o600, 0o700)


def test_another_process_finds_the_same_cluster(cluster: Cluster) -> None:
    """What the labels tell is all there is to know."""
    assert Cluster.open(cluster.engine, cluster.name) == cluster


def test_gatekeeper_serves(cluster: Cluster) -> None:
    """Three webhook replicas answer."""
    assert len(wait_until_serving(cluster, soon("Gatekeeper"))) == 3


def unexplained(coverage: Coverage, begin: float, end: float) -> list[Span]:
    """Return what the watch did not see in a time in which this machine let everybody run."""
    unseen = coverage.unseen([NUMBER, WATCH_NUMBER], begin, end)
    return [span for span in unseen if not coverage.blind.within(*span)]


def test_how_late_a_watch_is_is_known(cluster: Cluster, tmp_path: Path) -> None:
    """Each second of a healthy cluster, from one small write; not while the API server is paused, and then again."""
    history = HistoryWriter(tmp_path / "history.jsonl")
    probes, node = Probes(history), cluster.control_planes[0]
    numbers = read_clocks(cluster, history), *write_numbers(cluster, history)
    probes.start(keep_time(history), watch_starving(cluster, history), *numbers)
    begin = history.append("mark", EXPERIMENT, BEGIN).at
    Event().wait(15)
    before = history.append("mark", EXPERIMENT, BEGIN).at
    cluster.exec(node, ["pkill", "-STOP", "-x", "kube-apiserver"], soon())
    paused = history.append("mark", EXPERIMENT, BEGIN).at
    try:
        Event().wait(8)
    finally:
        cluster.exec(node, ["pkill", "-CONT", "-x", "kube-apiserver"], soon())
    Event().wait(15)
    probes.give_signs()
    probes.stop()
    history.finish()
    coverage, recorded = Coverage(read(history.path)), read(history.path)
    follow(recorded, coverage)
    assert not unexplained(coverage, begin + 2, before)
    assert coverage.late.within(begin, before - 1).longest < 3
    assert coverage.delayed([NUMBER]).within(paused, paused + 8).longest > 5
    assert not unexplained(coverage, paused + 20, inf)
    writes = [entry for entry in recorded.entries if (entry.process, entry.kind) == (NUMBER, "invoke")]
    assert 20 < len(writes) <= history.end + 2
    names = [numbered(CLOCK, node) for node in cluster.nodes()]
    clocks = [entry for entry in recorded.entries if entry.f == READ and entry.process in names]
    assert [entry.process for entry in clocks] == 2 * names
    assert {entry.kind for entry in clocks} == {"ok"}


def test_replicas_are_spread_over_the_workers(cluster: Cluster) -> None:
    """Objects are applied while workers join, and yet no worker has all of the webhook's pods."""
    with cluster.client() as api:
        pods = request(api, "GET", f"/api/v1/namespaces/{_SYSTEM}/pods")["items"]
    webhook = [pod for pod in pods if pod["metadata"]["labels"].get("gatekeeper.sh/operation") == "webhook"]
    assert {pod["spec"]["nodeName"] for pod in webhook} == set(cluster.workers)


def test_gatekeeper_that_the_api_server_does_not_ask_is_not_serving(cluster: Cluster) -> None:
    """With the webhook configuration gone all pods are Ready, and yet nothing is enforced."""
    with cluster.client() as api:
        request(api, "DELETE", f"{_WEBHOOKS}/gatekeeper-validating-webhook-configuration")
    try:
        with pytest.raises(DeadlineExceeded, match="the API server admitted a namespace"):
            wait_until_serving(cluster, soon("Gatekeeper", 30))
    finally:
        install(cluster, "manifest", soon("the manifest"))
    wait_until_serving(cluster, soon("Gatekeeper"))


def test_a_container_that_restarts_with_always_asks_the_registry(cluster: Cluster) -> None:
    """The manifest's pull policy shows as a HEAD of the image that the node has long had."""
    since = restart_audit(cluster)
    lines = asked(cluster, since)
    assert [(line.status, line.path) for line in lines][:1] == [
        (200, "/v2/openpolicyagent/gatekeeper/manifests/v3.23.1?ns=docker.io")
    ]
    assert all(line.time >= since for line in lines)


def test_a_container_that_restarts_with_if_not_present_asks_nobody(cluster: Cluster) -> None:
    """With that policy the registry hears nothing of a restart."""
    restart_gatekeeper(cluster, soon("the roll-out", 240), pull_policy="IfNotPresent")
    assert asked(cluster, restart_audit(cluster)) == []


def test_a_restart_makes_all_pods_at_once(cluster: Cluster) -> None:
    """No new pod waits for another one to serve; how the Deployments are rolled out otherwise is as before.

    The pull policy is the manifest's again, for the files that share the cluster.
    """

    def rolled_out() -> dict[str, Any]:
        deployments = request(api, "GET", f"/apis/apps/v1/namespaces/{_SYSTEM}/deployments")["items"]
        return {each["metadata"]["name"]: each["spec"]["strategy"] for each in deployments}

    with cluster.client() as api:
        before = rolled_out()
        assert len(restart_gatekeeper(cluster, soon("the roll-out", 240), pull_policy="Always")) == 3
        assert rolled_out() == before
        pods = request(api, "GET", f"/api/v1/namespaces/{_SYSTEM}/pods")["items"]
    made = [datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in pods]
    ready = [
        datetime.fromisoformat(condition["lastTransitionTime"])
        for pod in pods
        for condition in pod["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Ready", "True")
    ]
    assert len(ready) == len(pods) == 4
    assert max(made) <= min(ready)


def test_the_registry_answers_503_while_its_file_is_there(cluster: Cluster) -> None:
    """Touching a file in the registry's container takes it down, removing the file brings it back."""
    registry = cluster.registry
    assert registry
    for command, expected in ((["touch", DOWN_FILE], 503), (["rm", DOWN_FILE], 200)):
        cluster.engine.run(["exec", registry.container, *command], soon())
        assert any(status_of(cluster) == expected for _ in soon("the registry's health check", 30).attempts())


def test_the_registry_keeps_its_addresses_over_a_stop(cluster: Cluster) -> None:
    """Stopped and started, it answers the host and the nodes where it did before."""
    registry = cluster.registry
    assert registry
    for verb in ("stop", "start"):
        cluster.engine.run([verb, registry.container], soon())
    quiet = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
    argv = [
        "curl",
        "--config",
        "-",
        "--retry",
        "5",
        "--retry-connrefused",
        *quiet,
        f"http://{registry.address_node}/v2/",
    ]
    for header, status in ((f'header = "Authorization: {registry.login.authorization}"', "200"), ("", "401")):
        assert cluster.exec(cluster.workers[0], argv, soon(), stdin=header).stdout == status
    assert status_of(cluster) == 200


def test_a_node_asks_nobody_else_for_an_image(cluster: Cluster) -> None:
    """What the registry does not have is not to be had, and it was the registry that was asked."""
    since = datetime.now(UTC)
    assert cluster.registry
    with pytest.raises(CommandFailed, match="not found"):
        cluster.exec(cluster.workers[0], ["crictl", "pull", "docker.io/library/nothing:1"], soon())
    statuses = {line.status for line in cluster.registry.log(since) if "/library/nothing/" in line.path}
    assert statuses == {404}


def test_nobody_else_reads_or_writes_the_registry(cluster: Cluster) -> None:
    """Any user of this machine reaches it, and is refused: the image stays, and no check takes him for a node."""
    assert cluster.registry
    manifest, own = "/v2/openpolicyagent/gatekeeper/manifests/v3.23.1", cluster.registry.login.authorization
    since, before = datetime.now(UTC), asking(cluster, "HEAD", manifest, own)
    uploads = "/v2/openpolicyagent/gatekeeper/blobs/uploads/"
    for method, path in (("PUT", manifest), ("POST", uploads), ("DELETE", manifest), ("GET", manifest)):
        assert asking(cluster, method, path)[0] == 401
    assert before == asking(cluster, "HEAD", manifest, own)
    assert before[0] == 200
    assert asked(cluster, since) == []
    assert [line.path for line in cluster.registry.log(since) if manifest in line.path] == []
    image = "docker.io/openpolicyagent/gatekeeper:v3.23.1"
    cluster.exec(cluster.workers[0], ["crictl", "pull", image], soon())
    assert {line.status for line in asked(cluster, since)} == {200}


def test_the_password_is_told_nowhere(cluster: Cluster, tmp_path: Path) -> None:
    """Neither what the engine tells of containers has it, nor any log of them, of kind, or of a node's containerd."""
    assert cluster.registry
    blob = cluster.registry.login.authorization.removeprefix("Basic ")
    secrets = (base64.b64decode(blob).decode().partition(":")[2], blob)
    containers = [*cluster.nodes(), cluster.registry.container]
    text = cluster.engine.run(["inspect", *containers], soon()).stdout
    text += cluster.engine.run(["logs", cluster.registry.container], soon()).stdout
    for node in cluster.nodes():
        text += cluster.exec(node, ["journalctl", "--no-pager", "--unit", "containerd"], soon()).stdout
    assert [secret for secret in secrets if secret in text] == []
    collect_logs(cluster.engine, KindCli(cluster.engine, cluster.name, cluster.directory), cluster.name, tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files for secret in secrets if secret.encode() in path.read_bytes()] == []
    holding = [path for path in cluster.directory.rglob("*") if path.is_file() and has(path, *secrets)]
    assert sorted(path.name for path in holding) == ["hosts.toml", "registry.password"]
    assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}


def has(path: Path, *words: str) -> bool:
    """Whether any of `words` stands in a file."""
    content = path.read_bytes()
    return any(word.encode() in content for word in words)


def test_a_busy_node_has_time_to_answer_crictl(cluster: Cluster) -> None:
    """On each node it waits for a minute, whatever image the nodes are made of."""
    for node in cluster.nodes():
        assert cluster.exec(node, ["crictl", "config", "--get", "timeout"], soon()).stdout.strip() == "60"


def test_a_command_on_a_node_does_not_outlive_its_deadline(cluster: Cluster) -> None:
    """After the deadline's error the process is gone from the node."""
    node = cluster.workers[0]
    with pytest.raises(DeadlineExceeded, match="sleep 4242"):
        cluster.exec(node, ["sleep", "4242"], soon("a long sleep", 1))
    assert cluster.exec(node, ["pgrep", "-f", "^sleep 4242"], soon(), check=False).stdout == ""


@pytest.mark.parametrize("until", ["start the registry", "create the nodes", "created"])
def test_a_killed_run_is_collected_and_a_live_one_is_not(cluster: Cluster, until: str) -> None:
    """After kill -9 of a run, at any moment, its things go and those of the living stay."""
    engine, run = cluster.engine, f"killed-{os.urandom(2).hex()}"
    alive = len(of_run(engine, cluster.run))
    with child(run, until) as process:
        assert of_run(engine, run)
        collect(engine)
        assert of_run(engine, run)
        process.kill()
    collect(engine)
    assert (of_run(engine, run), len(of_run(engine, cluster.run))) == ([], alive)
    wait_until_serving(cluster, soon("Gatekeeper"))


def collect(engine: Engine) -> None:
    collect_garbage(engine, undo=partial(journal.replay, engine=engine))
