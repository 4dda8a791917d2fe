"""Resolve: replaces the references of an incident by names in the current cluster."""

import random
import re
from collections.abc import Mapping
from typing import Any

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.gatekeeper.install import REPOSITORY
from chaos_harness.clusters.gatekeeper.installed import pods_path
from chaos_harness.harness.errors import PreparationFailed
from chaos_harness.harness.incident.references import REFERENCE

__all__ = ["resolve"]


def resolve(value: Any, cluster: Cluster, chance: random.Random) -> Any:
    """Return `value` with each reference replaced by what it stands for now.

    Raises PreparationFailed if the cluster has no such thing.
    """
    if isinstance(value, Mapping):
        return {name: resolve(part, cluster, chance) for name, part in value.items()}
    if isinstance(value, list):
        return [resolve(part, cluster, chance) for part in value]
    reference = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return _look_up(reference, cluster, chance) if reference else value


def _look_up(reference: re.Match[str], cluster: Cluster, chance: random.Random) -> str:
    if reference["image"]:
        return f"docker.io/{REPOSITORY}:{cluster.shape.gatekeeper}"
    if reference["any"]:
        return chance.choice(cluster.workers)
    if reference["role"]:
        nodes = cluster.workers if reference["role"] == "worker" else cluster.control_planes
        return _nth(nodes, reference["number"] or "1", reference[0], chance)
    with cluster.client() as api:
        path, query = pods_path(cluster), {"labelSelector": reference["labels"]}
        pods = [pod for pod in request(api, "GET", path, query=query)["items"] if pod["spec"].get("nodeName")]
    names = sorted((pod["spec"]["nodeName"], pod["metadata"]["name"]) for pod in pods)
    column = ("node", "pod").index(reference["of"])
    return _nth([pair[column] for pair in names], reference["nth"] or "1", reference[0], chance)


def _nth(names: list[str], number: str, reference: str, chance: random.Random) -> str:
    if names and number == "any":
        return chance.choice(names)
    if not names or int(number) > len(names):
        raise PreparationFailed(f"{reference}: the cluster has {len(names)} of these: {', '.join(names) or 'none'}")
    return names[int(number) - 1]
