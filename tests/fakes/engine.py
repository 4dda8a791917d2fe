"""Fake engine: the part of the Docker command line that inventory, network and removal use, over a dict."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, HostQuirks, guard
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.process import Completed

__all__ = ["FakeEngine"]

_LISTS = {("ps",): "container", ("network", "ls"): "network", ("volume", "ls"): "volume", ("images",): "image"}
_REMOVALS = {("rm",): "container", ("network", "rm"): "network", ("volume", "rm"): "volume", ("rmi",): "image"}


@dataclass(frozen=True)
class FakeEngine(Engine):
    """Remembers what it was asked in `asked`; `errors` are the commands that fail, with what they say."""

    host: str = "unix:///nowhere/docker.sock"
    private: bool = True
    version: str = "20.10.24"
    quirks: HostQuirks = field(default_factory=HostQuirks)
    cli: str = "docker"
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

    def run(self, argv: Sequence[str | Path], deadline: Deadline, *, check: bool = True, **_: Any) -> Completed:
        """Answer as docker would."""
        words = [str(word) for word in argv]
        self.asked.append(" ".join(words))
        done = self._answer(words)
        if check and done.returncode:
            raise CommandFailed(f"`docker {self.asked[-1]}`: {done.stderr}")
        return done

    def _ask(self, _deadline: Deadline) -> guard.Ask:
        return lambda words: self._answer(list(words))

    def _answer(self, words: list[str]) -> Completed:
        said = next((said for beginning, said in self.errors.items() if " ".join(words).startswith(beginning)), None)
        if isinstance(said, BaseException):
            raise said
        if said is not None:
            return Completed("", said, 1)
        for prefix, kind in _LISTS.items():
            if tuple(words[: len(prefix)]) == prefix:
                return Completed("\n".join(self._list(kind, words)), "", 0)
        for prefix, kind in _REMOVALS.items():
            if tuple(words[: len(prefix)]) == prefix:
                gone = self.things.pop(f"{kind}/{words[-1]}", None)
                gone = gone or self.things.pop(f"{kind}/id-{words[-1]}", None)
                return Completed(words[-1], "", 0) if gone else Completed("", f"Error: No such {kind}", 1)
        return self._tell(words)

    def _tell(self, words: list[str]) -> Completed:
        if words[:3] == ["info", "--format", "{{.SystemTime}}"]:
            return Completed(self.now(), "", 0)
        if words[:2] == ["volume", "create"]:
            self.add("volume", words[-1], _labels(words))
        if words[0] == "inspect":
            things = [self.things[name] for word in words[3:] if (name := f"{words[2]}/{word}") in self.things]
            return Completed(json.dumps(things), "", 0 if len(things) == len(words) - 3 else 1)
        if words[:2] == ["network", "create"]:
            self.add("network", words[-1], _labels(words), IPAM={"Config": [{"Subnet": "10.9.8.0/24"}]})
        if words[:2] == ["network", "inspect"]:
            return Completed(json.dumps([self.things.get(f"network/id-{words[2]}", {})]), "", 0)
        return Completed("", "", 0)

    def _list(self, kind: str, words: list[str]) -> list[str]:
        wanted = [word.removeprefix("label=").split("=", 1) for word in words if word.startswith("label=")]
        if kind == "image" and not wanted:
            return []
        return [
            name.split("/", 1)[1]
            for name, thing in self.things.items()
            if name.startswith(f"{kind}/")
            and all(
                label[0] in thing["Labels"] and (len(label) == 1 or thing["Labels"][label[0]] == label[1])
                for label in wanted
            )
        ]


def _labels(words: Sequence[str]) -> dict[str, str]:
    return dict(words[n + 1].split("=", 1) for n, word in enumerate(words) if word == "--label")
