"""References: words in a file that stand for something of the cluster it will run on, such as $worker2."""

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clusters.cluster import Cluster
from clusters.gatekeeper import REPOSITORY
from clusters.rest import request
from clusters.serving import NAMESPACE
from harness.errors import BadScenario
from harness.incident.source import Location

__all__ = ["SYNTAX", "refused", "resolve"]

SYNTAX = "$worker, $worker2, $any-worker, $control-plane, $pod(LABELS), $node(LABELS)[2], $gatekeeper-image"
"""What there is; LABELS select pods of Gatekeeper's namespace, [2] means the second by name of node and pod."""

_REFERENCE = re.compile(
    r"\$(?:(?P<role>worker|control-plane)(?P<number>[1-9]\d?)?"
    r"|(?P<any>any-worker)"
    r"|(?P<image>gatekeeper-image)"
    r"|(?P<of>pod|node)\((?P<labels>[\w./=,!() -]{1,200})\)(?:\[(?P<nth>[1-9]\d?|any)\])?)"
)


def refused(value: Any, place: Location = ()) -> Iterator[tuple[Location, str]]:
    """Yield the words in `value` that begin as a reference and are none, each behind its place."""
    for where, word in _words(value, place):
        if not _REFERENCE.fullmatch(word):
            yield where, f"no such reference {word!r}; there are {SYNTAX}"


def resolve(value: Any, cluster: Cluster, chance: random.Random) -> Any:
    """Return `value` with each reference replaced by what it stands for now.

    Raises BadScenario if the cluster has no such thing.
    """
    if isinstance(value, Mapping):
        return {name: resolve(each, cluster, chance) for name, each in value.items()}
    if isinstance(value, list):
        return [resolve(each, cluster, chance) for each in value]
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return _meant(found, cluster, chance) if found else value


def _words(value: Any, place: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _words(each, (*place, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _words(each, (*place, index))
    elif isinstance(value, str) and value.startswith("$"):
        yield place, value


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
        raise BadScenario(f"{reference}: the cluster has {len(names)} of these: {', '.join(names) or 'none'}")
    return names[int(number) - 1]
