"""Resolving: what the references of an incident stand for, on the cluster that there is now."""

import random
import re
from collections.abc import Mapping
from typing import Any

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.gatekeeper.install import REPOSITORY
from chaos_harness.clusters.gatekeeper.readiness import NAMESPACE
from chaos_harness.harness.errors import PreparationFailed
from chaos_harness.harness.incident.references import REFERENCE

__all__ = ["resolve"]


def resolve(value: Any, cluster: Cluster, chance: random.Random) -> Any:
    """Return `value` with each reference replaced by what it stands for now.

    Raises PreparationFailed if the cluster has no such thing.
    """
    if isinstance(value, Mapping):
        return {name: resolve(each, cluster, chance) for name, each in value.items()}
    if isinstance(value, list):
        return [resolve(each, cluster, chance) for each in value]
    found = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return _meant(found, cluster, chance) if found else value


def _meant(found: re.Match[str], cluster: Cluster, chance: random.Random) -> str:
    if found["image"]:
        return f"docker.io/{REPOSITORY}:{cluster.shape.gatekeeper}"
    if found["any"]:
        return chance.choice(cluster.workers)
    if found["role"]:
        nodes = cluster.workers if found["role"] == "worker" else cluster.control_planes
        return _nth(nodes, found["number"] or "1", found[0], chance)
    with cluster.client() as api:
        path, query = f"/api/v1/namespaces/{NAMESPACE}/pods", {"labelSelector": found["labels"]}
        pods = [each for each in request(api, "GET", path, query=query)["items"] if each["spec"].get("nodeName")]
    names = sorted((each["spec"]["nodeName"], each["metadata"]["name"]) for each in pods)
    column = ("node", "pod").index(found["of"])
    return _nth([each[column] for each in names], found["nth"] or "1", found[0], chance)


def _nth(names: list[str], number: str, reference: str, chance: random.Random) -> str:
    if names and number == "any":
        return chance.choice(names)
    if not names or int(number) > len(names):
        raise PreparationFailed(f"{reference}: the cluster has {len(names)} of these: {', '.join(names) or 'none'}")
    return names[int(number) - 1]
