"""Customise: what of a Gatekeeper is different from its release, written into the objects of a manifest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters.gatekeeper.installed import OPERATION
from chaos_harness.clusters.own_gatekeeper import NAMESPACE, OwnGatekeeper, read_objects

__all__ = ["add_flags", "customised"]

_CONTAINER = "manager"

Objects = list[dict[str, Any]]


def customised(release: Path, own: OwnGatekeeper | None, image: str) -> Objects:
    """Return the objects to apply: those of the `release`'s manifest, or of the user's own, with what is different.

    `image` is what the nodes know Gatekeeper's image by: an own manifest's containers get it, too. Raises BadScenario.
    """
    if own is None:
        return _objects(release.read_text(encoding="utf-8"))
    if own.manifest:
        objects = read_objects(own.manifest)
    else:
        objects = _objects(release.read_text(encoding="utf-8").replace(NAMESPACE, own.namespace))
    for deployment, container in _containers(objects):
        container["image"] = image
        container["args"] = [*(container.get("args") or ()), *own.flags]
        if own.replicas and _operation(deployment) == "webhook":
            deployment["spec"]["replicas"] = own.replicas
    return objects


def add_flags(deployment: Mapping[str, Any], flags: Sequence[str]) -> dict[str, Any]:
    """Return the patch by which the containers of an installed Deployment get more flags."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    patched = [
        {"name": each["name"], "args": [*(each.get("args") or ()), *flags]}
        for each in containers
        if len(containers) == 1 or each["name"] == _CONTAINER
    ]
    return {"spec": {"template": {"spec": {"containers": patched}}}}


def _objects(text: str) -> Objects:
    return [part for part in yaml.load_all(text, yaml.CSafeLoader) if part]


def _containers(objects: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield Gatekeeper's Deployments, each with its container that runs Gatekeeper."""
    for part in objects:
        if part["kind"] == "Deployment" and _operation(part):
            containers = part["spec"]["template"]["spec"]["containers"]
            yield part, next((each for each in containers if each["name"] == _CONTAINER), containers[0])


def _operation(deployment: Mapping[str, Any]) -> str:
    labels = deployment["spec"]["template"].get("metadata", {}).get("labels") or {}
    return str(labels.get(OPERATION, ""))
