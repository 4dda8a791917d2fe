"""Cluster builder: the actions that bring up one cluster, in order."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from chaos_harness.clusters.api.objects import is_ready
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.cluster import Cluster, cluster_labels, registry_name
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import RUN, inventory, remove_all
from chaos_harness.clusters.engine.network import create_network, fixed_address
from chaos_harness.clusters.engine.ports import reserved_port
from chaos_harness.clusters.errors import (
    ApiRefused,
    ApiUnreachable,
    BadScenario,
    ClusterUnavailable,
    CommandFailed,
    DeadlineExceeded,
    HarnessError,
)
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.gatekeeper import install
from chaos_harness.clusters.gatekeeper.certificate import prepare_certificate
from chaos_harness.clusters.gatekeeper.unready import reasons
from chaos_harness.clusters.image_name import DOCKER, ImageName, folder_of
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.kind.archive import import_image
from chaos_harness.clusters.kind.cli import CERTS_DIRECTORY, KindCli, configuration
from chaos_harness.clusters.kind.logs import collect_logs
from chaos_harness.clusters.kind.node_files import POD_SUBNET, SERVICE_SUBNET, node_files
from chaos_harness.clusters.machine.background import BackgroundTask
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.clusters.registry.container import Registry, hosts_toml, node_address, start_registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.watching.watch import wait_until

__all__ = ["ClusterBuilder"]

_CREATE_SECONDS = 900.0
_API_SECONDS = 300.0
_NODES_SECONDS = 180.0
_SERVING_SECONDS = 420.0
_DELETE_SECONDS = 120.0
_ANSWER_SECONDS = 15.0
_ABANDON_SECONDS = 60.0
_NOT_READY = "node.kubernetes.io/not-ready"
_HOSTS = "hosts.toml"
"""Files in the nodes that hold the registry's password; only root can read them there."""
_NOWHERE = "127.0.0.1:1"
"""Registry of nodes that have none: nothing listens at this address, so every pull fails at once, on the node."""


class ClusterBuilder:
    """Creates one cluster, action by action."""

    def __init__(
        self, engine: Engine, images: Images, shape: Shape, owner: Owner, directory: Path, *, keep: bool
    ) -> None:
        self.name = f"chaos-{owner.run}-{token_hex(2)}"
        self._engine = engine
        self._images = images
        self._shape = shape
        self._directory = directory / self.name
        self._labels = {**owner.labels(keep=keep), **cluster_labels(self.name, shape, self._directory)}
        self._deadline = Deadline.after(_CREATE_SECONDS, f"cluster {self.name} to come up")
        self._subnet = ""
        self._registry: Registry | None = None
        self.kind = KindCli(engine, self.name, self._directory)
        self._owner = owner
        self._nodes: BackgroundTask | None = None

    @property
    def cluster(self) -> Cluster:
        """The cluster, as far as it exists."""
        return Cluster(
            name=self.name,
            shape=self._shape,
            engine=self._engine,
            kubeconfig=self.kind.kubeconfig,
            network=self.name,
            registry=self._registry,
            run=self._owner.run,
            directory=self._directory,
        )

    def actions(self) -> list[tuple[str, Callable[[], object]]]:
        """Return the named actions that bring the cluster up, in order.

        kind runs in the background from the start of the nodes to `wait for the nodes`. Meanwhile the registry is
        filled, and objects that need no node are applied while workers join. Pods are created only when all nodes are
        Ready: earlier, all of them would be scheduled to the first node.
        """
        shape = self._shape
        nodes = f"{shape.control_planes} control plane, {shape.workers} workers, Kubernetes {shape.kubernetes}"
        actions: list[tuple[str, Callable[[], object]]] = [
            ("create the network", self._create_network),
            (f"start to create the nodes with kind ({nodes})", self._begin_nodes),
        ]
        if shape.registry:
            actions.append(("start the registry", self._start_registry))
        pushed = ["Gatekeeper"] * bool(shape.gatekeeper) + [f"{len(shape.images)} images of yours"] * bool(shape.images)
        if shape.registry and pushed:
            actions.append((f"push {' and '.join(pushed)} to the registry", self._push))
        joined: list[tuple[str, Callable[[], object]]] = [("wait for the nodes", self._wait_nodes)]
        if not shape.gatekeeper:
            return actions + joined
        if not shape.registry:
            actions += [*joined, ("load Gatekeeper into the nodes", self._load)]
            joined = []
        actions.append(("wait for the API server", self._wait_api_server))
        if shape.certificate == "prepared":
            actions.append(("prepare the webhook's certificate", self._prepare_certificate))
        if shape.install == "manifest":
            actions.append(("apply Gatekeeper's resource definitions", self._define))
        actions += joined
        actions.append((f"install Gatekeeper {shape.gatekeeper} by its {shape.install}", self._install))
        return [*actions, ("wait until Gatekeeper serves", self._wait_serving)]

    def abandon(self) -> list[str]:
        """Stop the background work, so that it creates nothing more; return what could not be stopped."""
        if self._nodes is None:
            return []
        self.kind.stop_creating()
        try:
            self._nodes.finish(Deadline.after(_ABANDON_SECONDS, "kind to end after KILL"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest is removed all the same
            if not self._nodes.done:
                return [f"{error}: what it still creates carries the label {RUN}; `{command_line('gc')}` removes it"]
            return [] if isinstance(error, HarnessError) else [f"kind: {error!r}"]
        return []

    def remove(self) -> None:
        """Remove everything that was created of the cluster."""
        deadline = Deadline.after(_DELETE_SECONDS, f"the removal of cluster {self.name}")
        remove_all(self._engine, deadline, cluster=self.name)
        remove_folder(self._directory)

    def answers(self) -> bool:
        """Whether the engine still answers."""
        deadline = Deadline.after(_ANSWER_SECONDS, "the engine to answer")
        try:
            return self._engine.run(["version"], deadline, check=False).returncode == 0
        except DeadlineExceeded:
            return False

    def parts(self) -> list[str]:
        """Return the names of the cluster's containers that exist."""
        deadline = Deadline.after(_ANSWER_SECONDS, f"the containers of {self.name}")
        return [
            thing.name for thing in inventory(self._engine, deadline, cluster=self.name) if thing.kind == "container"
        ]

    def collect_logs(self, target: Path) -> list[str]:
        """Write the logs below `target`; return what could not be collected."""
        return collect_logs(self._engine, self.kind, self.name, target)

    def _create_network(self) -> None:
        self._directory.mkdir(parents=True, mode=0o700)
        if self._shape.registry:
            Login.make(self._directory)
        self._subnet = create_network(
            self._engine, self.name, self._labels, self._deadline, avoid=(POD_SUBNET, SERVICE_SUBNET)
        )

    def _start_registry(self) -> None:
        if self._images.registry is None:
            raise BadScenario(f"shape {self._shape.slug} wants a registry, but no image was made ready for it")
        self._registry = start_registry(
            self._engine,
            registry_name(self.name),
            self._images.registry,
            network=self.name,
            subnet=self._subnet,
            login=Login.of(self._directory),
            labels=self._labels,
            directory=self._directory,
            deadline=self._deadline,
        )

    def _gatekeeper_images(self) -> dict[str, str]:
        """Return Gatekeeper's images: the name in the nodes → the name in the engine."""
        tagged = {
            install.REPOSITORY: self._images.gatekeeper,
            install.CRDS_REPOSITORY: self._images.gatekeeper_crds,
        }
        own = {f"{repository}:{self._shape.gatekeeper}": image for repository, image in tagged.items() if image}
        return own | self._images.releases

    def _push(self) -> None:
        own = {ImageName.read(image).mirrored: image for image in self._images.own}
        if self._registry:
            for name, image in (self._gatekeeper_images() | own).items():
                self._registry.push(image, name, self._deadline)

    def _begin_nodes(self) -> None:
        self.kind.write_wrapper(self._labels, self._images.balancer)
        self._nodes = BackgroundTask(self._create_nodes, "kind")

    def _create_nodes(self) -> None:
        quirks = self._engine.quirks
        files = {**self._hosts(), **node_files(self._shape.namespace), **quirks.node_files()}
        with reserved_port(self._engine, self._deadline) as port:
            config = configuration(
                self.name,
                self._shape,
                image=self._images.node,
                port=port,
                mounts=self._write(files),
                containerd_patches=quirks.containerd_patches(),
                kubeadm_patches=quirks.kubeadm_patches(self._shape.kubernetes),
            )
            self.kind.create(config, self.name, self._deadline)

    def _hosts(self) -> dict[str, str]:
        """Return the files by which nodes use our registry for docker.io, and for all that images of the user name."""
        if not self._shape.registry:
            return {_hosts_file(DOCKER): hosts_toml(_NOWHERE)}
        address, authorization = node_address(fixed_address(self._subnet)), Login.of(self._directory).authorization
        registries = {DOCKER, *(ImageName.read(image).registry for image in self._images.own)}
        return {
            _hosts_file(name): hosts_toml(address, authorization, folder="" if name == DOCKER else folder_of(name))
            for name in sorted(registries)
        }

    def _write(self, files: Mapping[str, str]) -> dict[str, Path]:
        """Write `files` of the nodes on the host; return path in the node → path on the host."""
        folder = self._directory / "files"
        mounts = {path: folder / path.lstrip("/") for path in files}
        for path, source in mounts.items():
            source.parent.mkdir(parents=True, exist_ok=True)
            source.touch(mode=0o600 if path.endswith(f"/{_HOSTS}") else 0o644)
            source.write_text(files[path], encoding="utf-8")
        return mounts

    def _load(self) -> None:
        nodes = self.cluster.nodes()
        for name, image in self._gatekeeper_images().items():
            import_image(self._engine, image, nodes, self._deadline)
            tag = ["ctr", "--namespace", "k8s.io", "images", "tag", f"docker.io/{image}", f"docker.io/{name}"]
            for node in nodes:
                self.cluster.exec(node, tag, self._deadline)

    def _wait_api_server(self) -> None:
        """Wait until kind has set up the control plane; its last step is the storage class."""
        deadline = self._deadline.within(_API_SECONDS, "the API server to serve, with kind's storage class")
        last = "no credentials yet"
        credentials = False
        for _ in deadline.attempts(first=0.5):
            if self._nodes:
                self._nodes.check()
            credentials = credentials or self.kind.read_kubeconfig(deadline)
            if not credentials:
                continue
            try:
                with self.cluster.client() as api:
                    if request(api, "GET", "/apis/storage.k8s.io/v1/storageclasses")["items"]:
                        return
                last = "no storage class yet"
            except (ApiRefused, ApiUnreachable) as error:
                last = str(error)
        raise deadline.error(last)

    def _prepare_certificate(self) -> None:
        prepare_certificate(self.cluster, self._deadline)

    def _wait_nodes(self) -> None:
        wanted = set(self.cluster.nodes())
        if self._nodes:
            self._nodes.finish(self._deadline)
        deadline = self._deadline.within(_NODES_SECONDS, f"the nodes {', '.join(sorted(wanted))} to be Ready")
        with self.cluster.client() as api:
            wait_until(api, "/api/v1/nodes", lambda state: _ready_nodes(state) >= wanted, deadline)

    def _define(self) -> None:
        install.apply_definitions(self.cluster, self._deadline)

    def _install(self) -> None:
        with self._telling_why():
            install.install(self.cluster, self._shape.install, self._deadline)

    def _wait_serving(self) -> None:
        with self._telling_why():
            install.wait_until_serving(self.cluster, self._deadline.within(_SERVING_SECONDS, "Gatekeeper to serve"))

    @contextmanager
    def _telling_why(self) -> Iterator[None]:
        """Add what Gatekeeper's own pods say to the error of a block in which it did not get ready."""
        try:
            yield
        except (CommandFailed, DeadlineExceeded) as error:
            why = "".join(f"\n  {words}" for words in reasons(self.cluster))
            raise ClusterUnavailable(f"{error}{why}") from error


def _hosts_file(registry: str) -> str:
    """Return the file in the nodes that says which registry is used for another one's images."""
    return f"{CERTS_DIRECTORY}/{registry}/{_HOSTS}"


def _ready_nodes(nodes: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the nodes that are Ready and schedulable: the taint not-ready goes a moment after the condition."""
    return {
        name
        for name, node in nodes.items()
        if is_ready(node) and all(taint["key"] != _NOT_READY for taint in node["spec"].get("taints") or ())
    }
