"""Inventory: lists everything in an engine that carries this harness's labels, and removes it."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, guard
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
    "remove_all",
    "remove_until_none",
    "volume_argument",
]

RemovableKind = Literal["container", "network", "volume"]

_ORDER: tuple[RemovableKind, ...] = ("container", "network", "volume")
"""Order of removal: an engine refuses to remove what a container still uses."""

_LIST: dict[RemovableKind, tuple[str, ...]] = {
    "container": ("ps", "--all", "--quiet", "--no-trunc"),
    "network": ("network", "ls", "--quiet", "--no-trunc"),
    "volume": ("volume", "ls", "--quiet"),
}
_REMOVE: dict[RemovableKind, tuple[str, ...]] = {
    "container": ("rm", "--force", "--volumes"),
    "network": ("network", "rm"),
    "volume": ("volume", "rm"),
}
_GONE = ("No such", "no such", "not found", "already in progress")
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class EngineObject:
    """A container, network or volume that carries our labels; `attributes` is the engine's JSON."""

    kind: RemovableKind
    id: str
    name: str
    labels: Mapping[str, str]
    attributes: Mapping[str, Any]

    @property
    def host_ports(self) -> list[int]:
        """Host ports that the container publishes, or would publish if it were running."""
        bindings = self.attributes.get("HostConfig", {}).get("PortBindings") or {}
        return [int(binding["HostPort"]) for all_ in bindings.values() for binding in all_ or () if binding["HostPort"]]


def label_arguments(labels: Mapping[str, str]) -> list[str]:
    """Return `--label NAME=VALUE` arguments for the docker command."""
    return [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]


def volume_argument(destination: str, labels: Mapping[str, str]) -> str:
    """Return the value of `--mount` for a new volume with `labels` that is removed with its container."""
    fields = ["type=volume", f"destination={destination}"]
    line = io.StringIO()
    csv.writer(line).writerow(fields + [f"volume-label={name}={value}" for name, value in labels.items()])
    return line.getvalue().rstrip()


def inventory(engine: Engine, deadline: Deadline, **labels: str) -> list[EngineObject]:
    """Return what carries the label of a run and `labels` (short names), in the order in which it can be removed.

    Labels do not make an image ours: it gets them from a container of ours that somebody committed, to look at it
    later, and passes them to every container created from it. Claims are left out. Objects that vanish during the
    listing are left out. Raises CommandFailed if the engine does not answer.
    """
    filters = ["--filter", f"label={RUN}"]
    for name, value in labels.items():
        filters += ["--filter", f"label={PREFIX}.{name}={value}"]
    # What was committed from a container of ours carries its labels, emptied, and is of no run.
    return [thing for kind in _ORDER for thing in _list(engine, kind, filters, deadline) if thing.labels.get(RUN)]


def remove(engine: Engine, thing: EngineObject, deadline: Deadline) -> bool:
    """Remove `thing` and return whether this call did it; an object that another process removed is no error.

    Raises CommandFailed if the engine refuses.
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
    """Remove what `find` returns, and repeat until it returns nothing; return what was removed, and the refusals.

    An engine may finish the request of an interrupted command later: a container appears, and the network that it is on
    is in use again.
    """
    removed: list[str] = []
    problems: list[str] = []
    for _ in deadline.within(_PATIENCE_SECONDS, "the engine to finish its requests").attempts(first=0.2):
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

    Raises CommandFailed if the engine refuses.
    """
    removed, problems = remove_until_none(engine, lambda: inventory(engine, deadline, **labels), deadline)
    if problems:
        raise CommandFailed("\n".join(problems))
    return removed


def _list(engine: Engine, kind: RemovableKind, filters: list[str], deadline: Deadline) -> Iterator[EngineObject]:
    ids = list(dict.fromkeys(engine.run([*_LIST[kind], *filters], deadline).stdout.split()))
    if not ids:
        return
    inspected = engine.run(["inspect", "--type", kind, *ids], deadline, check=False)
    things = [_thing(kind, attributes) for attributes in json.loads(inspected.stdout or "[]")]
    things = [thing for thing in things if CLAIM not in thing.labels and RUN in thing.labels]
    images = {_image(thing) for thing in things}
    committed = guard.runs_of_images(images, lambda words: engine.run(words, deadline, check=False))
    yield from (thing for thing in things if committed.get(_image(thing)) != thing.labels[RUN])


def _image(thing: EngineObject) -> str:
    """Return the ID of a container's image."""
    return str(thing.attributes.get("Image") or "")


def _thing(kind: RemovableKind, attributes: Mapping[str, Any]) -> EngineObject:
    labels = attributes.get("Config", attributes).get("Labels") or {}
    name = attributes.get("Name", "").lstrip("/")
    id_ = attributes.get("Id") or name
    return EngineObject(kind, id_, name or id_, labels, attributes)
