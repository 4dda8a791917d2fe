"""Cluster: one kind cluster of a shape, owned by a run. The labels of its containers are the only state."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, load_kube_config

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.dialogue import Dialogue
from chaos_harness.clusters.engine.inventory import PREFIX, RUN, EngineObject, inventory
from chaos_harness.clusters.engine.network import gateway, subnet_of
from chaos_harness.clusters.engine.ports import LOOPBACK
from chaos_harness.clusters.errors import ClusterUnavailable, CommandFailed, NotOurs
from chaos_harness.clusters.kind.cli import node_names
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.machine.scratch import credentials_folder
from chaos_harness.clusters.registry.container import Registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import RECORDED, Shape

__all__ = ["Cluster", "cluster_labels", "registry_name"]

_KIND_LABEL = "io.x-k8s.kind.cluster"
_SECONDS = 60.0
_TIMED_OUT = (124, 137)  # of timeout(1): after TERM, after KILL
_GRACE_SECONDS = 5.0
_TAIL = 2000
_API_PORT = "6443/tcp"

Role = Literal["control-plane", "worker"]


def cluster_labels(name: str, shape: Shape, directory: Path) -> dict[str, str]:
    """Return the labels, besides the owner's, by which `Cluster.open` finds the cluster again."""
    return {
        f"{PREFIX}.cluster": name,
        f"{PREFIX}.directory": str(directory),
        f"{PREFIX}.shape": shape.model_dump_json(),
    }


def registry_name(name: str) -> str:
    """Return the name of the registry container of the cluster `name`."""
    return f"{name}-registry"


@dataclass(frozen=True)
class Cluster:
    """A cluster: its nodes, its credentials and its owner.

    `directory` (mode 0700) holds the kubeconfig, the registry's password and kind's configuration; `network` is the
    name of its Docker network. An `adopted` one is the user's (see `clusters.adoption`): it has no registry, no audit
    log, and none of the harness's settings.
    """

    name: str
    shape: Shape
    engine: Engine
    kubeconfig: Path
    network: str
    registry: Registry | None
    run: str
    directory: Path
    adopted: bool = field(default=False, kw_only=True)

    @classmethod
    def open(cls, engine: Engine, name: str) -> Self:
        """Return the existing cluster `name`, whichever process created it.

        Raises NotOurs if a node container or the kubeconfig does not belong to this harness, ClusterUnavailable if
        there is no such cluster.
        """
        deadline = Deadline.after(_SECONDS, f"the containers of cluster {name}")
        nodes = _containers_of_kind(engine, name, deadline)
        foreign = sorted(node["Name"].lstrip("/") for node in nodes if RUN not in node["Config"]["Labels"])
        if foreign:
            raise NotOurs(
                f"{', '.join(foreign)}: expected the label {RUN}; cluster {name} was not made by this harness"
            )
        things = inventory(engine, deadline, cluster=name)
        if not nodes or not things:
            others = sorted({thing.labels.get(f"{PREFIX}.cluster", "") for thing in inventory(engine, deadline)} - {""})
            raise ClusterUnavailable(f"no cluster {name}; there are: {', '.join(others) or 'none'}")
        labels = nodes[0]["Config"]["Labels"]
        directory = Path(labels[f"{PREFIX}.directory"])
        ports = [port for node in nodes for port in _published(node, _API_PORT)]
        return cls(
            name=name,
            shape=Shape.model_validate_json(labels[f"{PREFIX}.shape"], context=RECORDED),
            engine=engine,
            kubeconfig=_own_kubeconfig(directory / "kubeconfig", ports),
            network=name,
            registry=_registry(engine, name, things, Login.of(directory)),
            run=labels[RUN],
            directory=directory,
        )

    def client(self, *, connections: int = 4) -> ApiClient:
        """Return a new client of the API server; the caller closes it (`with cluster.client() as api`).

        It never retries, since the history would not show a retry. It keeps up to `connections` connections open, one
        for each thread; more requests at once work, with a new TLS handshake each. Raises ClusterUnavailable if there
        is no kubeconfig, for example while the cluster is removed.
        """
        configuration = Configuration()
        try:
            load_kube_config(  # type: ignore[no-untyped-call]  # kubernetes leaves this one out
                str(self.kubeconfig),
                client_configuration=configuration,
                persist_config=False,
                temp_file_path=str(credentials_folder()),
            )
        except ConfigException as error:
            raise ClusterUnavailable(f"{self.kubeconfig}: no credentials of cluster {self.name}: {error}") from error
        configuration.retries = urllib3.Retry(total=False)
        configuration.proxy = None
        configuration.connection_pool_maxsize = connections
        return ApiClient(configuration)

    def nodes(self, role: Role | None = None) -> list[str]:
        """Return the names of the node containers, control planes first; only those with `role` if it is given."""
        names = node_names(self.name, self.shape)
        planes = self.shape.control_planes
        return {None: names, "control-plane": names[:planes], "worker": names[planes:]}[role]

    @property
    def control_planes(self) -> list[str]:
        """Names of the control-plane containers."""
        return self.nodes("control-plane")

    @property
    def workers(self) -> list[str]:
        """Names of the worker containers."""
        return self.nodes("worker")

    def exec(
        self, node: str, argv: Sequence[str], deadline: Deadline, *, check: bool = True, stdin: str | None = None
    ) -> CommandResult:
        """Run `argv` in the container `node`; it is ended there, too, when the deadline passes.

        Raises CommandFailed (status other than 0, unless `check` is false; no such container; paused container),
        DeadlineExceeded, NotOurs (not a container of this cluster).
        """
        self._require(node)
        limit = f"{max(deadline.remaining, 0.1):.1f}"
        patience = Deadline.after(deadline.remaining + _GRACE_SECONDS, deadline.what)
        interactive = ["--interactive"] if stdin is not None else []
        inside = ["timeout", "--kill-after=2", limit, *argv]
        done = self.engine.run(["exec", *interactive, node, *inside], patience, check=False, stdin=stdin)
        if done.returncode in _TIMED_OUT and deadline.expired:
            raise deadline.error(f"`{' '.join(argv)}` still running on {node}")
        if check and done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip())[-_TAIL:]
            raise CommandFailed(f"`{' '.join(argv)}` on {node} ended with status {done.returncode}:\n{said}")
        return done

    def talk(self, node: str, argv: Sequence[str], deadline: Deadline) -> AbstractContextManager[Dialogue]:
        """Start `argv` in the container `node` for the block and exchange lines with it.

        `deadline` limits the ownership check. The command must exit by itself when its input ends: nothing else ends it
        inside the node. If it cannot be started, the reason comes as its output. Raises NotOurs, CommandFailed (the
        engine does not say who owns the container), DeadlineExceeded (the engine does not answer), HarnessError (no
        docker command).
        """
        self._require(node)
        return self.engine.talk(["exec", "--interactive", node, *argv], deadline)

    def _require(self, container: str) -> None:
        own = [*self.nodes(), *([self.registry.container] if self.registry else [])]
        if container not in own:
            raise NotOurs(f"cluster {self.name} has no container {container!r}; it has {', '.join(own)}")


def _containers_of_kind(engine: Engine, name: str, deadline: Deadline) -> list[Any]:
    listing = ["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={_KIND_LABEL}={name}"]
    ids = engine.run(listing, deadline).stdout.split()
    return json.loads(engine.run(["inspect", "--type", "container", *ids], deadline).stdout) if ids else []


def _published(container: Mapping[str, Any], port: str) -> list[int]:
    bindings = (container["HostConfig"].get("PortBindings") or {}).get(port) or []
    return [int(binding["HostPort"]) for binding in bindings]


def _own_kubeconfig(path: Path, ports: Sequence[int]) -> Path:
    """Return `path` if it is the private file that leads to the API server published on one of `ports`."""
    try:
        mode = path.stat().st_mode & 0o777
        servers = [entry["cluster"]["server"] for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["clusters"]]
    except (OSError, TypeError, KeyError, yaml.YAMLError) as error:
        raise NotOurs(f"{path}: expected the kubeconfig that this harness wrote for the cluster: {error}") from error
    expected = [f"https://{LOOPBACK}:{port}" for port in ports]
    if mode & 0o077 or len(servers) != 1 or servers[0] not in expected:
        raise NotOurs(
            f"{path}: expected mode 0600 and the one server {' or '.join(expected)}, "
            f"found mode {mode:04o} and {', '.join(servers)}; it is not the file that this harness wrote"
        )
    return path


def _registry(engine: Engine, name: str, things: Sequence[EngineObject], login: Login) -> Registry | None:
    """Return the registry of the cluster `name`, found among its containers `things`; None if it has none."""
    by_kind = {thing.kind: thing for thing in things if thing.name in (name, registry_name(name))}
    if "container" not in by_kind:
        return None
    if "network" not in by_kind:
        raise ClusterUnavailable(f"cluster {name}: its network is gone; `{command_line('gc')}` removes the rest")
    container, network = by_kind["container"], by_kind["network"]
    return Registry.at(
        engine,
        container.name,
        port=container.host_ports[0],
        address=container.attributes["NetworkSettings"]["Networks"][name]["IPAMConfig"]["IPv4Address"],
        gateway=gateway(subnet_of(network.attributes)),
        login=login,
    )
