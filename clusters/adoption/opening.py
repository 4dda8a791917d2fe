"""Opening: reads what an adopted cluster is, and opens it for faults while its containers are the recorded ones."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient

from chaos_harness.clusters.adoption.nodes import PLANE, WORKER, KindCluster, find
from chaos_harness.clusters.adoption.record import Adoption, folder_of
from chaos_harness.clusters.api.objects import is_ready
from chaos_harness.clusters.api.rest import list_objects, read
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import BadScenario, CommandFailed
from chaos_harness.clusters.gatekeeper.installed import deployments_path, webhook_deployment_of
from chaos_harness.clusters.known_versions import GIVEN
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.shape import RECORDED, Shape

__all__ = ["examine", "open_adopted", "reach", "what_changed", "while_unused"]

_SECONDS = 60.0
_ADMIN = "/etc/kubernetes/admin.conf"
_CREDENTIALS = "kubeconfig"
_TAG = re.compile(r":v?(\d+\.\d+\.\d+)(?:@.*)?$")
_CHART = re.compile(r"gatekeeper-(\d+\.\d+\.\d+)$")
_HELM = "helm.sh/chart"


@dataclass(frozen=True)
class Changed:
    """What became of a record's containers: the names of those that are `gone`, and of those that are others now."""

    gone: tuple[str, ...]
    other: tuple[str, ...]
    alive: frozenset[str]

    def __str__(self) -> str:
        """Return it as text; "" if all containers are the recorded ones."""
        parts = {"deleted": self.gone, "made again, with another id": self.other}
        return "; ".join(f"{', '.join(names)} {how}" for how, names in parts.items() if names)


@contextmanager
def while_unused(name: str) -> Iterator[bool]:
    """Yield whether no process uses an adopted cluster; none begins to use it during the block."""
    with try_lock(f"adopted-{name}") as free:
        yield free


def reach(engine: Engine, found: KindCluster) -> Cluster:
    """Return a cluster of the user's, of which only its nodes are known; write a kubeconfig for it.

    Only its own containers, by ID, may be harmed by it. Raises BadScenario (it has problems), CommandFailed,
    DeadlineExceeded.
    """
    if found.problems:
        raise BadScenario(found.problems)
    folder = folder_of(found.name)
    lent = replace(engine, adopted=frozenset(node.id for node in found.nodes))
    plane = next(node.id for node in found.nodes if node.role == PLANE)
    deadline = Deadline.after(_SECONDS, f"the credentials of kind cluster {found.name}")
    _write(folder / _CREDENTIALS, lent.run(["exec", plane, "cat", _ADMIN], deadline).stdout, found.server)
    shape = Shape.parse(_shape_of_nodes(found), f"kind cluster {found.name}", context=RECORDED)
    return _cluster(lent, found.name, found.network, shape, "adopted")


def examine(cluster: Cluster, deadline: Deadline) -> Shape:
    """Return the shape of a cluster of the user's, as its API server tells it.

    Raises BadScenario (a node is not Ready, an unknown kind of Gatekeeper), ApiRefused, ApiUnreachable,
    DeadlineExceeded.
    """
    with cluster.client() as api:
        nodes = {node["metadata"]["name"]: node for node in list_objects(api, "/api/v1/nodes", "items", deadline)}
        unready = [name for name in cluster.nodes() if name not in nodes or not is_ready(nodes[name])]
        if unready:
            raise BadScenario(
                f"kind cluster {cluster.name}: {', '.join(unready)} not Ready; `kubectl get nodes` must show all of "
                f"{', '.join(cluster.nodes())}"
            )
        version = str(read(api, "/version", deadline)["gitVersion"])
        gatekeeper = _read_gatekeeper(api, cluster, deadline)
    fields = {**cluster.shape.model_dump(), "kubernetes": version, **gatekeeper}
    return Shape.parse(fields, f"kind cluster {cluster.name}", context=RECORDED)


def what_changed(engine: Engine, adoption: Adoption, deadline: Deadline) -> Changed:
    """Return which containers of a record are gone, or others by the same names. Raises CommandFailed."""
    listing = ["ps", "--all", "--quiet", "--no-trunc"]
    alive = adoption.ids & set(engine.run(listing, deadline).stdout.split())
    missing = [node for node in adoption.nodes if node.id not in alive]
    try:
        now = {node.name for node in find(engine, adoption.name, deadline).nodes}
    except BadScenario:  # no cluster of that name, or one of the harness's own
        now = set()
    gone = tuple(node.name for node in missing if node.name not in now)
    return Changed(gone, tuple(node.name for node in missing if node.name in now), alive)


def open_adopted(engine: Engine, adoption: Adoption, run: str) -> Cluster:
    """Return an adopted cluster for the experiments of a run, after its containers were compared with the record.

    Raises BadScenario if it is on another engine, deleted, made again, not running, or of another shape now.
    """
    again = f"`{command_line('release --')} {adoption.name}`, then adopt it again"
    if engine.id != adoption.engine:
        raise BadScenario(f"{adoption}: it is on another engine than the one at {engine.host}; see CHAOS_ENGINE")
    deadline = Deadline.after(_SECONDS, f"what kind cluster {adoption.name} is")
    if changed := str(what_changed(engine, adoption, deadline)):
        raise BadScenario(f"{adoption}: its containers are not the ones that were adopted: {changed}; {again}")
    found = find(engine, adoption.name, deadline)
    if found.problems:
        raise BadScenario(found.problems)
    lent = replace(engine, adopted=adoption.ids)
    cluster = _cluster(lent, adoption.name, adoption.network, adoption.shape, run)
    shape = examine(cluster, deadline)
    if shape != adoption.shape:
        raise BadScenario(f"{adoption}: it was {adoption.shape.slug}, and is {shape.slug} now; {again}")
    return cluster


def _cluster(engine: Engine, name: str, network: str, shape: Shape, run: str) -> Cluster:
    folder = folder_of(name)
    return Cluster(name, shape, engine, folder / _CREDENTIALS, network, None, run, folder, adopted=True)


def _shape_of_nodes(found: KindCluster) -> dict[str, Any]:
    return {
        "control_planes": found.count(PLANE),
        "workers": found.count(WORKER),
        "gatekeeper": None,
        "registry": False,
        "certificate": "native",
    }


def _read_gatekeeper(api: ApiClient, cluster: Cluster, deadline: Deadline) -> dict[str, Any]:
    """Return the fields of a shape that tell of Gatekeeper; none of its own if it is not installed."""
    deployment = webhook_deployment_of(list_objects(api, deployments_path(cluster), "items", deadline))
    if deployment is None:
        return {"gatekeeper": None}
    labels: Mapping[str, str] = deployment["metadata"].get("labels") or {}
    images = [container["image"] for container in deployment["spec"]["template"]["spec"]["containers"]]
    tags = [*filter(None, map(_TAG.search, images)), *filter(None, [_CHART.match(labels.get(_HELM, ""))])]
    if not tags or not GIVEN.fullmatch(f"v{tags[0][1]}"):
        raise BadScenario(
            f"kind cluster {cluster.name}: the version of Gatekeeper in {cluster.shape.namespace} is not known: "
            f"expected an image with a tag such as :v3.20.1, found {', '.join(images)}"
        )
    return {"gatekeeper": f"v{tags[0][1]}", "install": "chart" if _HELM in labels else "manifest"}


def _write(path: Path, admin: str, server: str) -> None:
    """Write the administrator's kubeconfig with the published address of the API server; mode 0600."""
    try:
        config = yaml.safe_load(admin)
        config["clusters"][0]["cluster"]["server"] = server
    except (yaml.YAMLError, LookupError, TypeError) as error:
        raise CommandFailed(f"expected a kubeconfig in {_ADMIN} of the control plane: {error}") from error
    handle, unfinished = tempfile.mkstemp(prefix=".kubeconfig-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file)
    Path(unfinished).rename(path)
