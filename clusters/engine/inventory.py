"""Inventory: everything in an engine that carries this harness's labels, and how to remove it."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.claims import CLAIM
from chaos_harness.clusters.engine.freezer import cgroups_of, thaw
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.owner import PREFIX, RUN

__all__ = [
    "PREFIX",
    "RUN",
    "EngineObject",
    "inventory",
    "label_arguments",
    "remove",
    "remove_all",
    "remove_until_none",
    "volume_argument",
]

RemovableKind = Literal["container", "network", "volume"]

_ORDER: tuple[RemovableKind, ...] = ("container", "network", "volume")
"""The order of removal: an engine refuses to remove what a container still uses."""

_LIST: dict[RemovableKind, tuple[str, ...]] = {
    "container": ("ps", "--all", "--quiet", "--no-trunc"),
    "network": ("network", "ls", "--quiet", "--no-trunc"),
    "volume": ("volume", "ls", "--quiet"),
}
_LABELLED_IMAGES = ("images", "--all", "--quiet", "--no-trunc", "--filter", f"label={RUN}")
_REMOVE: dict[RemovableKind, tuple[str, ...]] = {
    "container": ("rm", "--force", "--volumes"),
    "network": ("network", "rm"),
    "volume": ("volume", "rm"),
}
_GONE = ("No such", "no such", "not found", "already in progress")
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class EngineObject:
    """A container, network or volume that carries our labels; `attributes` is what the engine tells of it."""

    kind: RemovableKind
    id: str
    name: str
    labels: Mapping[str, str]
    attributes: Mapping[str, Any]

    @property
    def host_ports(self) -> list[int]:
        """Host ports that a container publishes, or would publish if it were running."""
        bindings = self.attributes.get("HostConfig", {}).get("PortBindings") or {}
        return [int(binding["HostPort"]) for all_ in bindings.values() for binding in all_ or () if binding["HostPort"]]


def label_arguments(labels: Mapping[str, str]) -> list[str]:
    """Return `--label NAME=VALUE` arguments for the Docker command line."""
    return [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]


def volume_argument(destination: str, labels: Mapping[str, str]) -> str:
    """Return the value of `--mount` for a new volume with `labels` that goes when its container goes."""
    fields = ["type=volume", f"destination={destination}"]
    line = io.StringIO()
    csv.writer(line).writerow(fields + [f"volume-label={name}={value}" for name, value in labels.items()])
    return line.getvalue().rstrip()


def inventory(engine: Engine, deadline: Deadline, **labels: str) -> list[EngineObject]:
    """Return what carries the label of a run and `labels` (short names), in the order in which it can be removed.

    No image is ours by its labels: it has them from a container of ours that somebody has committed, to look at it
    later, and gives them to every container that is made of it. Claims are no things. What vanishes while it is
    looked at is left out. Raises CommandFailed when the engine does not answer.
    """
    filters = ["--filter", f"label={RUN}"]
    for name, value in labels.items():
        filters += ["--filter", f"label={PREFIX}.{name}={value}"]
    # What was committed from a container of ours carries its labels, emptied, and is of no run.
    return [thing for kind in _ORDER for thing in _list(engine, kind, filters, deadline) if thing.labels.get(RUN)]


def remove(engine: Engine, thing: EngineObject, deadline: Deadline) -> bool:
    """Remove `thing` and say whether this call did it; what another process has removed meanwhile is no error.

    Raises CommandFailed when the engine refuses.
    """
    command = [*_REMOVE[thing.kind], thing.id]
    done = engine.run(command, deadline, check=False)
    frozen = cgroups_of(thing.id) if done.returncode and thing.kind == "container" else []
    if frozen:
        thaw(frozen)
        done = engine.run(command, deadline, check=False)
    if done.returncode and not any(word in done.stderr for word in _GONE):
        raise CommandFailed(
            f"{thing.kind} {thing.name} cannot be removed: {done.stderr.strip()}; "
            f"try `docker --host {engine.host} {' '.join(_REMOVE[thing.kind])} {thing.name}`"
        )
    return done.returncode == 0


def remove_until_none(
    engine: Engine, find: Callable[[], Sequence[EngineObject]], deadline: Deadline
) -> tuple[list[str], list[str]]:
    """Remove what `find` returns, and find again until there is nothing; return what was removed, and what refused.

    An engine may finish what an interrupted command asked of it after the first look: a container comes to
    be, and the network that it is on is in use again.
    """
    removed: list[str] = []
    problems: list[str] = []
    for _ in deadline.within(_PATIENCE_SECONDS, "an engine that finishes what it was asked").attempts(first=0.2):
        things, problems = find(), []
        for thing in things:
            try:
                removed += [f"{thing.kind} {thing.name}"] if remove(engine, thing, deadline) else []
            except CommandFailed as error:
                problems.append(str(error))
        if not things:
            break
    return removed, problems


def remove_all(engine: Engine, deadline: Deadline, **labels: str) -> list[str]:
    """Remove what carries `labels` and return the names of what was removed.

    Raises CommandFailed when the engine refuses.
    """
    removed, problems = remove_until_none(engine, lambda: inventory(engine, deadline, **labels), deadline)
    if problems:
        raise CommandFailed("\n".join(problems))
    return removed


def _list(engine: Engine, kind: RemovableKind, filters: list[str], deadline: Deadline) -> Iterator[EngineObject]:
    ids = list(dict.fromkeys(engine.run([*_LIST[kind], *filters], deadline).stdout.split()))
    if not ids:
        return
    committed = _run_labels_of_images(engine, deadline) if kind == "container" else {}
    inspected = engine.run(["inspect", "--type", kind, *ids], deadline, check=False)
    for attributes in json.loads(inspected.stdout or "[]"):
        thing = _thing(kind, attributes)
        inherited = committed.get(attributes.get("Image", "")) == thing.labels.get(RUN)
        if CLAIM not in thing.labels and RUN in thing.labels and not inherited:
            yield thing


def _run_labels_of_images(engine: Engine, deadline: Deadline) -> dict[str, str]:
    """Return which runs' labels images carry, by the images' ids."""
    ids = list(dict.fromkeys(engine.run(list(_LABELLED_IMAGES), deadline).stdout.split()))
    inspected = engine.run(["inspect", "--type", "image", *ids], deadline, check=False).stdout if ids else ""
    return {
        image["Id"]: ((image.get("Config") or {}).get("Labels") or {}).get(RUN, "")
        for image in json.loads(inspected or "[]")
    }


def _thing(kind: RemovableKind, attributes: Mapping[str, Any]) -> EngineObject:
    labels = attributes.get("Config", attributes).get("Labels") or {}
    name = attributes.get("Name", "").lstrip("/")
    id_ = attributes.get("Id") or name
    return EngineObject(kind, id_, name or id_, labels, attributes)
