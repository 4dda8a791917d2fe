"""Tests of clusters.creation.create: a creation that fails names its action, keeps logs and removes what it made."""

import io
import os
import re
import signal
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.creation.builder import ClusterBuilder, _ready_nodes
from chaos_harness.clusters.creation.create import create, delete
from chaos_harness.clusters.engine import EngineTraits
from chaos_harness.clusters.errors import (
    BadScenario,
    ClusterUnavailable,
    DeadlineExceeded,
    EngineUnavailable,
    HarnessError,
)
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.known_versions import DEFAULT_KUBERNETES
from chaos_harness.clusters.machine import memory
from chaos_harness.clusters.registry.container import Registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.engine import FakeEngine

_IMAGES = Images(node="node:1", gatekeeper="gatekeeper:1", gatekeeper_crds=None, registry="registry:1")


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("chaos_harness.clusters.engine.inventory._PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: Path("/bin/false"))
    return tmp_path


def bring_up(engine: FakeEngine, **settings: Any) -> Cluster:
    owner = Owner.mine("r")
    return create(engine, _IMAGES, settings.pop("shape", Shape()), owner, owner.claim(), Progress.quiet(), **settings)


def titles(shape: Shape) -> list[str]:
    site = ClusterBuilder(FakeEngine(), _IMAGES, shape, Owner.mine("r"), Path("/nowhere"), keep=False)
    return [title for title, _ in site.actions()]


def test_a_cluster_comes_up_by_these_actions() -> None:
    """The list of actions of the default shape, in order."""
    assert titles(Shape()) == [
        "create the network",
        f"start to create the nodes with kind (1 control plane, 2 workers, Kubernetes {DEFAULT_KUBERNETES})",
        "start the registry",
        "push Gatekeeper to the registry",
        "wait for the API server",
        "prepare the webhook's certificate",
        "apply Gatekeeper's resource definitions",
        "wait for the nodes",
        "install Gatekeeper v3.23.1 by its manifest",
        "wait until Gatekeeper serves",
    ]


_OWN = ("docker.io/acme/web:1", "ghcr.io/acme/web:1", "localhost:5000/web:1")


def test_images_of_the_users_own_are_pushed_even_without_gatekeeper() -> None:
    """They are told where they are pushed."""
    assert titles(Shape(images=_OWN))[3] == "push Gatekeeper and 3 images of yours to the registry"
    assert "push 3 images of yours to the registry" in titles(Shape(images=_OWN, gatekeeper=None))


def test_each_registry_that_they_name_is_ours_for_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes are told for each name; the files hold the password, and nobody else may read them."""
    told: dict[str, tuple[dict[str, Any], int]] = {}

    def take(_: object, config: str, *_more: object) -> None:
        for mount in yaml.safe_load(config)["nodes"][-1]["extraMounts"]:
            path, file = Path(mount["containerPath"]), Path(mount["hostPath"])
            if path.name == "hosts.toml":
                told[path.parent.name] = tomllib.loads(file.read_text(encoding="utf-8")), file.stat().st_mode & 0o777

    monkeypatch.setattr("chaos_harness.clusters.kind.cli.KindCli.create", take)
    engine = FakeEngine(errors={"create": "no space left on device"})
    images = replace(_IMAGES, own=_OWN)
    owner = Owner.mine("r")
    with pytest.raises(ClusterUnavailable):
        create(engine, images, Shape(images=_OWN), owner, owner.claim(), Progress.quiet())
    servers = {name: hosts["server"].partition("//")[2].partition("/")[2] for name, (hosts, _) in told.items()}
    assert servers == {"docker.io": "", "ghcr.io": "v2/ghcr.io", "localhost:5000": "v2/localhost-5000"}
    assert {mode for _, mode in told.values()} == {0o600}
    assert all(hosts["header"]["Authorization"] for hosts, _ in told.values())


def test_they_are_pushed_to_where_nodes_look_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """docker.io's at the top, those of others in a folder each."""
    pushed: list[tuple[str, str]] = []
    site = ClusterBuilder(
        FakeEngine(), replace(_IMAGES, own=_OWN), Shape(images=_OWN), Owner.mine("r"), Path("/nowhere"), keep=False
    )
    login = Login(Path("/nowhere"))
    site._registry = Registry.at(FakeEngine(), "registry", port=1, address="10.0.0.2", gateway="10.0.0.1", login=login)
    monkeypatch.setattr(Registry, "push", lambda _, image, name, _deadline: pushed.append((image, name)))
    dict(site.actions())["push Gatekeeper and 3 images of yours to the registry"]()
    assert dict(pushed) == {
        "gatekeeper:1": "openpolicyagent/gatekeeper:v3.23.1",
        "docker.io/acme/web:1": "acme/web:1",
        "ghcr.io/acme/web:1": "ghcr.io/acme/web:1",
        "localhost:5000/web:1": "localhost-5000/web:1",
    }


@pytest.mark.parametrize("shape", [Shape(), Shape(install="chart"), Shape(registry=False, install="chart")])
def test_no_pod_comes_before_all_nodes_are_ready(shape: Shape) -> None:
    """What is applied while workers still join is scheduled to the first of them, all of it."""
    steps = titles(shape)
    (install,) = [title for title in steps if title.startswith("install")]
    assert steps.index("wait for the nodes") < steps.index(install)


def test_a_node_is_ready_when_it_takes_pods() -> None:
    """One that says Ready and still carries the taint gets none: they would all land on the others."""

    def node(status: str, *taints: str) -> dict[str, Any]:
        spec = {"taints": [{"key": taint} for taint in taints]}
        return {"spec": spec, "status": {"conditions": [{"type": "Ready", "status": status}]}}

    control = node("True", "node-role.kubernetes.io/control-plane")
    tainted, booting = node("True", "node.kubernetes.io/not-ready"), node("False")
    assert _ready_nodes({"a": control, "b": tainted, "c": booting, "d": node("True")}) == {"a", "d"}


def test_a_native_certificate_is_left_to_gatekeeper() -> None:
    """The first start of such a shape finds an empty Secret; all else is done alike."""
    left_out = set(titles(Shape())) - set(titles(Shape(certificate="native")))
    assert left_out == {"prepare the webhook's certificate"}


def test_without_a_registry_gatekeeper_is_loaded_into_the_nodes() -> None:
    """Nodes that cannot pull get the image when all are there, and before it is needed."""
    assert titles(Shape(registry=False, install="chart"))[2:] == [
        "wait for the nodes",
        "load Gatekeeper into the nodes",
        "wait for the API server",
        "prepare the webhook's certificate",
        "install Gatekeeper v3.23.1 by its chart",
        "wait until Gatekeeper serves",
    ]


def test_kind_that_fails_beside_other_actions_is_told_and_nothing_of_it_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What kind said is the reason of the action that needed the nodes."""
    engine = FakeEngine()
    with pytest.raises(ClusterUnavailable, match=r"(?s)could not wait for the nodes.*kind create.*status 1"):
        bring_up(engine, shape=Shape(gatekeeper=None, registry=False))
    assert engine.names() == []


def test_an_action_that_fails_ends_kind_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is removed while kind still makes it: it is killed, and its end awaited."""
    kind, done = tmp_path / "kind", tmp_path / "done"
    kind.write_text(f"#!/bin/sh\nsleep 30\ntouch {done}\n")
    kind.chmod(0o755)
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: kind)
    engine = FakeEngine(errors={"create": "no space left on device"})
    with pytest.raises(ClusterUnavailable, match="could not start the registry"):
        bring_up(engine)
    assert not [thread for thread in threading.enumerate() if thread.name == "kind"]
    assert not done.exists()


@pytest.fixture
def kind_at_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    """Have kind create nodes until the test is over, however it is told to stop; give an engine without a registry."""
    monkeypatch.setattr("chaos_harness.clusters.creation.builder._ABANDON_SECONDS", 0.2)
    over = threading.Event()
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.KindCli.create", lambda *_: over.wait(30))
    yield FakeEngine(errors={"create": "no space left on device"})
    over.set()


def test_kind_that_does_not_end_is_told(kind_at_work: FakeEngine) -> None:
    """What it makes after the removal is named, with the command that removes it."""
    with pytest.raises(ClusterUnavailable, match=r"(?s)start the registry.*kind to end.*still running.*`nox -s gc`"):
        bring_up(kind_at_work)
    assert kind_at_work.names() == []


def test_kind_that_does_not_end_after_an_interrupt_is_told(kind_at_work: FakeEngine) -> None:
    """An interrupt goes on as it came, so that the terminal is told."""
    stream = io.StringIO()
    kind_at_work.errors["create"] = KeyboardInterrupt()
    owner = Owner.mine("r")
    with pytest.raises(KeyboardInterrupt):
        create(kind_at_work, _IMAGES, Shape(), owner, owner.claim(), Progress(stream))
    assert re.search(r"! .*kind to end.*still running.*`nox -s gc` removes it", stream.getvalue())


def test_a_mistake_of_ours_beside_other_actions_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the thread of kind raised, and is no failure of kind's, stands beside the action that failed."""
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.KindCli.create", lambda *_: dict[str, int]()["port"])
    with pytest.raises(ClusterUnavailable, match=r"(?s)could not start the registry.*\nkind: KeyError\('port'\)"):
        bring_up(FakeEngine(errors={"create": "no space left on device"}))


def test_a_cluster_without_gatekeeper_is_ready_with_its_nodes() -> None:
    """A shape without Gatekeeper has nothing to push, install or wait for."""
    assert titles(Shape(gatekeeper=None))[-1] == "wait for the nodes"


def test_a_failed_action_names_itself_and_where_the_logs_are(tmp_path: Path) -> None:
    """The error says which action failed, why, and where the kept logs lie."""
    engine = FakeEngine(errors={"create": "no space left on device"})
    with pytest.raises(ClusterUnavailable) as caught:
        bring_up(engine, logs=LogKeeper(tmp_path / "kept"))
    assert "could not start the registry" in str(caught.value)
    assert "no space left on device" in str(caught.value)
    (logs,) = (tmp_path / "kept").iterdir()
    assert f"logs: {logs}" in str(caught.value)


def test_a_failed_creation_removes_what_it_made(tmp_path: Path) -> None:
    """Network and private files of the cluster are gone."""
    engine = FakeEngine(errors={"create": "no space left on device"})
    with pytest.raises(ClusterUnavailable):
        bring_up(engine)
    assert [command for command in engine.asked if command.startswith("network rm id-")]
    assert (engine.names(), list(tmp_path.rglob("registry.yml"))) == ([], [])


def test_a_failed_creation_that_is_to_be_kept_removes_nothing(tmp_path: Path) -> None:
    """With keep the network and the files stay, and the error says what removes them."""
    engine = FakeEngine(errors={"create": "no space left on device"})
    with pytest.raises(ClusterUnavailable, match=r"nox -s gc -- --all"):
        bring_up(engine, keep=True)
    assert (len(engine.names()), len(list(tmp_path.rglob("registry.yml")))) == (1, 1)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupt_removes_what_was_made_and_goes_on(interrupt: BaseException) -> None:
    """Ctrl-C and SIGTERM are passed on after the removal, not turned into an error of ours."""
    engine = FakeEngine(errors={"create": interrupt})
    with pytest.raises(type(interrupt)):
        bring_up(engine)
    assert engine.names() == []


def test_an_engine_that_went_away_is_told_as_such() -> None:
    """When the engine does not answer any more there is nothing to remove now, and gc is named."""
    engine = FakeEngine(errors={"create": "Cannot connect to the Docker daemon", "version": "Cannot connect"})
    with pytest.raises(EngineUnavailable, match=r"(?s)could not start the registry.*does not answer.*nox -s gc"):
        bring_up(engine)


def test_an_engine_that_hangs_is_told_as_such() -> None:
    """An engine that takes longer than it may is away, too."""
    engine = FakeEngine(errors={"create": DeadlineExceeded("hung"), "version": DeadlineExceeded("hung")})
    with pytest.raises(EngineUnavailable):
        bring_up(engine)


def test_a_removal_that_fails_does_not_hide_the_failure(tmp_path: Path) -> None:
    """The first error stays the first line, what is left follows."""
    engine = FakeEngine(errors={"create": "broken", "network rm id-": "stuck"})
    with pytest.raises(ClusterUnavailable, match=r"(?s)could not start the registry.*cannot be removed: stuck"):
        bring_up(engine)


def test_a_shape_that_does_not_fit_into_memory_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Needed and available memory are told, and the engine was not asked for anything."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 4000000 kB\nMemAvailable: 1048576 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    engine = FakeEngine()
    with pytest.raises(BadScenario, match=r"needs about \d+ MiB of memory, 1024 MiB are available.*nox -s gc"):
        bring_up(engine)
    assert engine.asked == []


def test_what_is_made_carries_the_owner_and_the_way_back() -> None:
    """Labels of the network name run, process, cluster, shape and private directory."""
    engine = FakeEngine(errors={"create": "broken"})
    with pytest.raises(ClusterUnavailable):
        bring_up(engine, keep=True)
    (network,) = engine.things.values()
    labels = {name.removeprefix("chaos-harness."): value for name, value in network["Labels"].items()}
    assert (labels["run"], labels["owner-pid"], labels["keep"]) == ("r", str(os.getpid()), "1")
    assert Shape.model_validate_json(labels["shape"]) == Shape()
    assert Path(labels["directory"]).name == labels["cluster"] == network["Name"]


def _cluster(engine: FakeEngine, directory: Path) -> Cluster:
    for name in ("one", "two"):
        engine.add("container", f"{name}-worker", {"chaos-harness.run": "r", "chaos-harness.cluster": name})
    directory.mkdir()
    (directory / "kubeconfig").touch()
    return Cluster("one", Shape(), engine, directory / "kubeconfig", "one", None, "r", directory)


@pytest.mark.parametrize("error", [DeadlineExceeded("hung"), OSError(28, "No space left on device")])
def test_what_kind_does_not_remove_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    """Kind that hangs, or cannot write on a full disk, keeps nothing of the cluster from going."""

    def delete_with_kind(*_: object) -> None:
        raise error

    monkeypatch.setattr("chaos_harness.clusters.kind.cli.KindCli.delete", delete_with_kind)
    engine = FakeEngine()
    delete(_cluster(engine, tmp_path / "one"))
    assert (engine.names(), (tmp_path / "one").exists()) == (["two-worker"], False)


def test_what_cannot_be_removed_keeps_its_journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """While a container stays, what is known of its harm stays, too."""
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: Path("/bin/true"))
    engine = FakeEngine(errors={"rm": "stuck"})
    with pytest.raises(HarnessError, match="stuck"):
        delete(_cluster(engine, tmp_path / "one"))
    assert (tmp_path / "one").exists()


def test_logs_that_no_disk_takes_keep_nothing_from_being_removed(tmp_path: Path) -> None:
    """The error names the failure and the logs that were lost, and everything created is removed."""
    engine = FakeEngine(errors={"create": "broken"})
    (tmp_path / "kept").touch()
    with pytest.raises(ClusterUnavailable, match=r"(?s)could not start the registry.*without: .*kept"):
        bring_up(engine, logs=LogKeeper(tmp_path / "kept"))
    assert engine.names() == []


def test_an_interrupt_while_a_failure_is_told_comes_after_the_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while logs are kept does not leave what was made."""

    def interrupted(*_: object) -> list[str]:
        os.kill(os.getpid(), signal.SIGINT)
        return []

    monkeypatch.setattr("chaos_harness.clusters.creation.builder.ClusterBuilder.collect_logs", interrupted)
    engine = FakeEngine(errors={"create": "broken"})
    with pytest.raises(KeyboardInterrupt):
        bring_up(engine)
    assert engine.names() == []


def test_deleting_leaves_nothing_of_the_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything with the cluster's label goes, another cluster of the same run stays."""
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: Path("/bin/true"))
    engine = FakeEngine()
    for name in ("one", "two"):
        engine.add("container", f"{name}-worker", {"chaos-harness.run": "r", "chaos-harness.cluster": name})
        engine.add("network", name, {"chaos-harness.run": "r", "chaos-harness.cluster": name})
    directory = tmp_path / "one"
    directory.mkdir()
    (directory / "kubeconfig").touch()
    delete(Cluster("one", Shape(), engine, directory / "kubeconfig", "one", None, "r", directory))
    assert (engine.names(), directory.exists()) == (["two", "two-worker"], False)


def test_of_another_kernel_all_memory_is_what_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Docker Desktop's virtual machine may have less than this machine has free, or this one may not say."""
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    desktop = EngineTraits(kernel="6.12-linuxkit", memory_mib=1024)
    with pytest.raises(BadScenario, match="1024 MiB are available"):
        bring_up(FakeEngine(traits=desktop))
    with pytest.raises(ClusterUnavailable, match="could not start the registry"):
        bring_up(FakeEngine(errors={"create": "broken"}))
