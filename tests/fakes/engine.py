"""Fake engine: the part of the Docker command line that inventory, network and removal use, over a dict."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import guard
from chaos_harness.clusters.machine.process import CommandResult
from tests.fakes.docker import GuardedEngine
from tests.fakes.grammar import Call, RefusedError, docker_call, refuse

__all__ = ["FakeEngine"]

_FAILED = "Error response from daemon:"
_KINDS: Mapping[str, guard.ObjectKind] = {
    "ps": "container",
    "rm": "container",
    "network ls": "network",
    "network rm": "network",
    "volume ls": "volume",
    "volume rm": "volume",
    "images": "image",
    "rmi": "image",
}
"""What is listed or removed."""


@dataclass(frozen=True)
class FakeEngine(GuardedEngine):
    """Remembers what it was asked in `asked`; `errors` are the commands that fail, with what they say."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    errors: dict[str, str | BaseException] = field(default_factory=dict)
    id: str = "engine-a"
    ahead: list[float] = field(default_factory=lambda: [0.0])
    """By how many seconds the engine's clock is ahead of this machine's."""

    def add(self, kind: str, name: str, labels: Mapping[str, str], **attributes: Any) -> str:
        """Put something into the engine; return its id."""
        thing = {"Name": name, "Labels": dict(labels), "Config": {"Labels": dict(labels)}, **attributes}
        if kind == "volume":
            thing = {"Name": name, "Labels": dict(labels), "CreatedAt": self.now(), **attributes}
        else:
            thing["Id"] = f"id-{name}"
        if kind in ("network", "volume"):
            thing.pop("Config", None)
        self.things[f"{kind}/{thing.get('Id', name)}"] = thing
        return str(thing.get("Id", name))

    def now(self) -> str:
        """Return what the engine's clock says."""
        return datetime.fromtimestamp(time.time() + self.ahead[0], UTC).isoformat()

    def names(self) -> list[str]:
        """Return the names of all that is there."""
        return sorted(thing["Name"] for thing in self.things.values())

    def run(
        self, argv: Sequence[str | Path], deadline: Deadline, *, check: bool = True, **options: Any
    ) -> CommandResult:
        """Remember the command, and answer as docker would."""
        self.asked.append(" ".join(str(word) for word in argv))
        return super().run(argv, deadline, check=check, **options)

    def answer(self, words: list[str], stdin: str | None) -> CommandResult:
        """Fail if the command is one of `errors`, else do what it asks or refuse it."""
        said = next((said for beginning, said in self.errors.items() if " ".join(words).startswith(beginning)), None)
        if isinstance(said, BaseException):
            raise said
        if said is not None:
            return CommandResult("", said, 1)
        return self.docker(words)

    def docker(self, words: Sequence[str]) -> CommandResult:
        """Do what a docker command asks, or refuse it."""
        try:
            call = docker_call(words)
            return self._works().get(call.verb, self._tell)(call)
        except RefusedError as refused:
            return refused.done

    def _works(self) -> Mapping[str, Callable[[Call], CommandResult]]:
        return {
            **dict.fromkeys(("ps", "network ls", "volume ls", "images"), self._list),
            **dict.fromkeys(("rm", "network rm", "volume rm", "rmi"), self._remove),
            "inspect": lambda call: self._inspect(call, call.value("--type")),
            "network inspect": lambda call: self._inspect(call, "network"),
            "image inspect": lambda call: self._inspect(call, "image"),
            "network create": self._create_network,
            "volume create": self._create_volume,
            "run": self._run_container,
            "create": self._run_container,
        }

    def _tell(self, call: Call) -> CommandResult:
        """Answer what only must name something that is there."""
        match call.verb:
            case "info":
                return CommandResult(f"{self.now()}\n", "", 0)
            case "load":
                if not Path(call.value("--input")).exists():
                    refuse(1, f"open {call.value('--input')}: no such file or directory")
            case "exec" | "logs" | "commit":
                self._named("container", call.words[0])
            case "cp":
                self._named("container", call.words[1].partition(":")[0])
            case "start" | "stop" | "restart" | "pause" | "unpause":
                for name in call.words:
                    self._named("container", name)
            case "tag":
                self._named("image", call.words[0])
        return CommandResult("", "", 0)

    def _named(self, kind: str, name: str) -> str:
        """Return under which key something of a kind is kept. Raises RefusedError."""
        keys = [key for key in (f"{kind}/{name}", f"{kind}/id-{name}") if key in self.things]
        if not keys:
            refuse(1, f"{_FAILED} {_missing(kind, name)}")
        return keys[0]

    def _inspect(self, call: Call, kind: str) -> CommandResult:
        keys: list[str] = []
        complaints = []
        for name in call.words:
            try:
                keys.append(self._named(kind or "object", name))
            except RefusedError as refused:
                prefix = f"{_FAILED} no such image: {name}:" if kind == "image" else _FAILED
                complaints.append(refused.done.stderr.replace(_FAILED, prefix))
        if not kind and complaints:
            complaints = [f"Error: No such object: {name}" for name in call.words]
        shown = "" if "--format" in call.options else f"{json.dumps([self.things[key] for key in keys])}\n"
        return CommandResult(shown, "\n".join(complaints), int(bool(complaints)))

    def _remove(self, call: Call) -> CommandResult:
        printed, complaints = [], []
        for name in call.words:
            try:
                self.things.pop(self._named(_KINDS[call.verb], name))
                printed.append(f"{name}\n")
            except RefusedError as refused:
                complaints.append(refused.done.stderr)
        forced = call.verb == "rm" and "--force" in call.options
        return CommandResult("".join(printed), "\n".join(complaints), int(bool(complaints) and not forced))

    def _create_volume(self, call: Call) -> CommandResult:
        (name,) = call.words
        if f"volume/{name}" not in self.things:
            self.add("volume", name, _labels(call))
        return CommandResult(f"{name}\n", "", 0)

    def _create_network(self, call: Call) -> CommandResult:
        (name,) = call.words
        if f"network/id-{name}" in self.things:
            refuse(1, f"{_FAILED} network with name {name} already exists")
        network = self.add("network", name, _labels(call), IPAM={"Config": [{"Subnet": "10.9.8.0/24"}]})
        return CommandResult(f"{network}\n", "", 0)

    def _run_container(self, call: Call) -> CommandResult:
        return CommandResult(f"{self.add('container', call.value('--name'), _labels(call))}\n", "", 0)

    def _list(self, call: Call) -> CommandResult:
        kind = _KINDS[call.verb]
        filters = [filter_.removeprefix("label=") for filter_ in call.options.get("--filter", ())]
        if kind == "image" and not filters:
            return CommandResult("", "", 0)
        return CommandResult("".join(f"{name}\n" for name in self._labelled(kind, filters)), "", 0)

    def _labelled(self, kind: str, filters: Sequence[str]) -> Iterator[str]:
        """Yield what the things of a kind are kept by that have all these labels, "NAME" or "NAME=VALUE"."""
        for key, thing in self.things.items():
            labels = {*thing["Labels"], *(f"{name}={value}" for name, value in thing["Labels"].items())}
            if key.startswith(f"{kind}/") and labels.issuperset(filters):
                yield key.split("/", 1)[1]


def _missing(kind: str, name: str) -> str:
    """Return how docker says that something of a kind is not there."""
    match kind:
        case "network":
            return f"network {name} not found"
        case "volume":
            return f"get {name}: no such volume"
        case "image":
            return f"No such image: {name if ':' in name else f'{name}:latest'}"
        case _:
            return f"No such container: {name}"


def _labels(call: Call) -> dict[str, str]:
    pairs = (label.partition("=") for label in call.options.get("--label", ()))
    return {name: value for name, _, value in pairs}
