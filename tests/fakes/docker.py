"""Docker: containers in memory, nodes and a registry among them, behind the command line of docker."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, HostQuirks, guard
from chaos_harness.clusters.engine.inventory import RUN
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.process import CommandResult
from tests.fakes.grammar import Call, RefusedError, docker_call, refuse

__all__ = ["DONE", "Container", "FakeDocker", "FakeDockerEngine", "GuardedEngine"]

DONE = CommandResult("", "", 0)
_FAILED = "Error response from daemon:"


@dataclass
class Container:
    """A container of docker's; `rules` are those of iptables, each with the packets that it has met.

    `halted` is what stands still in it while it runs: a process, by its number, or a unit of systemd's.
    """

    name: str
    status: str = "running"
    address: str = "10.0.0.3"
    fixed: str = ""
    """The address that it was told to have."""
    starts: int = 0
    files: dict[str, str] = field(default_factory=dict)
    rules: list[tuple[str, int]] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    halted: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        return f"{self.name.encode().hex():0<64}"[:64]

    def lasting(self) -> "Container":
        """Return a copy of what a fault must leave as it was: not how often it started, nor who chose its address."""
        files, rules = dict(self.files), list(self.rules)
        images, halted = set(self.images), set(self.halted)
        return Container(self.name, self.status, self.address, files=files, rules=rules, images=images, halted=halted)


class FakeDocker:
    """Takes and refuses commands as docker does; what runs in a container is `program`'s.

    All that a command changes it does in the block of `changing`.
    """

    network = "w"

    def __init__(self) -> None:
        self.containers: dict[str, Container] = {}
        self.log: list[str] = []
        """What the registry's container has logged, each line behind its time."""

    def docker(self, words: list[str], stdin: str | None = None) -> CommandResult:
        """Do what a docker command asks, or refuse it."""
        try:
            return self._docker(docker_call(words), stdin)
        except RefusedError as refused:
            return refused.done

    def program(self, container: Container, argv: Sequence[str], stdin: str | None) -> CommandResult:
        """Run a program in a container. Raises RefusedError."""
        raise NotImplementedError

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let something change."""
        yield

    def stop(self, container: Container) -> None:
        """Stop a container: what is in the kernel is gone with it, what is in its files is not."""
        container.status, container.rules, container.halted = "exited", [], set()
        for path in [path for path in container.files if path.startswith("/run/")]:
            del container.files[path]

    def start(self, container: Container) -> None:
        container.status = "running"
        container.starts += 1

    def freeze(self, container: Container) -> None:
        """Pause a container. Raises RefusedError."""
        container.status = "paused"

    def kill(self, container: Container) -> None:
        """Kill a container. Raises RefusedError."""
        if container.status == "exited":
            refuse(1, f"{_FAILED} Cannot kill container: {container.name}: Container {container.id} is not running")
        self.stop(container)

    def _docker(self, call: Call, stdin: str | None) -> CommandResult:
        if call.verb == "exec":
            return self.program(self._running(call.words[0]), call.words[1:], stdin)
        if call.verb == "inspect":
            return self._inspect(call)
        if call.verb == "logs":
            self._known(call.words[0])
            return CommandResult("".join(f"{line}\n" for line in self._logged(call.value("--since"))), "", 0)
        if call.verb == "version":
            return CommandResult("28.2.2\n", "", 0)
        if call.verb in ("network connect", "network disconnect"):
            return self._network(call)
        works: Mapping[str, Callable[[Container], None]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "kill": self._kill,
            "pause": self._pause,
            "unpause": self._unpause,
        }
        if call.verb not in works:
            raise AssertionError(f"there is no fake of `docker {call.verb}` here")
        printed: list[str] = []
        complaints: list[str] = []
        for name in call.words:
            try:
                works[call.verb](self._known(name, "Cannot kill container: {}: " * (call.verb == "kill")))
                printed.append(f"{name}\n")
            except RefusedError as refused:
                complaints.append(refused.done.stderr)
        return CommandResult("".join(printed), "\n".join(complaints), int(bool(complaints)))

    def _known(self, name: str, what: str = "") -> Container:
        container = self._found(name)
        if container is None:
            refuse(1, f"{_FAILED} {what.format(name)}No such container: {name}")
        return container

    def _found(self, name: str) -> Container | None:
        """Return the container of this name, or of this whole ID."""
        by_id = (container for container in self.containers.values() if container.id == name)
        return self.containers.get(name) or next(by_id, None)

    def _running(self, name: str) -> Container:
        container = self._known(name)
        if container.status == "paused":
            refuse(1, f"{_FAILED} Container {name} is paused, unpause the container before exec")
        if container.status != "running":
            refuse(1, f"{_FAILED} Container {container.id} is not running")
        return container

    def _inspect(self, call: Call) -> CommandResult:
        there = list(filter(None, map(self._found, call.words)))
        missing = [name for name in call.words if not self._found(name)]
        template = call.value("--format")
        what = f"{_FAILED} No such container:" if "--type" in call.options else "Error: No such object:"
        complaints = "\n".join(f"{what} {name}" for name in missing)
        inspected = [self.inspected(container) for container in there]
        if not template:
            return CommandResult(f"{json.dumps(inspected)}\n", complaints, int(bool(missing)))
        shown = "".join(f"{_rendered(template, attributes)}\n" for attributes in inspected)
        return CommandResult(shown, complaints, int(bool(missing)))

    def inspected(self, container: Container) -> dict[str, Any]:
        """Return what `docker inspect` tells of a container."""
        config = {"IPv4Address": container.fixed} if container.fixed else None
        network = {"IPAddress": container.address if container.status != "exited" else "", "IPAMConfig": config}
        return {
            "Id": container.id,
            "Name": f"/{container.name}",
            "Image": "",
            "Config": {"Labels": {RUN: "run"}},
            "State": {"Status": container.status, "ExitCode": 137, "StartedAt": str(container.starts)},
            "NetworkSettings": {"Networks": {self.network: network}},
        }

    def _logged(self, since: str) -> list[str]:
        if not since:
            return self.log
        first = datetime.fromisoformat(since)
        return [line for line in self.log if datetime.fromisoformat(line.partition(" ")[0]) >= first]

    def _network(self, call: Call) -> CommandResult:
        network, name = call.words
        if network != self.network:
            refuse(1, f"{_FAILED} network {network} not found")
        if call.verb == "network disconnect" and name not in self.containers:
            refuse(1, f"{_FAILED} endpoint {name} not found")
        container = self._known(name)
        with self.changing():
            container.address = container.fixed = call.value("--ip")
        return DONE

    def _start(self, container: Container) -> None:
        if container.status == "paused":
            refuse(1, f"{_FAILED} cannot start a paused container, try unpause instead")
        if container.status == "exited":
            with self.changing():
                self.start(container)

    def _stop(self, container: Container) -> None:
        if container.status != "exited":
            with self.changing():
                self.stop(container)

    def _restart(self, container: Container) -> None:
        self._stop(container)
        self._start(container)

    def _kill(self, container: Container) -> None:
        with self.changing():
            self.kill(container)

    def _pause(self, container: Container) -> None:
        if container.status != "running":
            state = "already paused" if container.status == "paused" else "not running"
            refuse(1, f"{_FAILED} Container {container.id} is {state}")
        with self.changing():
            self.freeze(container)

    def _unpause(self, container: Container) -> None:
        if container.status != "paused":
            refuse(1, f"{_FAILED} Container {container.id} is not paused")
        with self.changing():
            container.status = "running"


def _rendered(template: str, attributes: Mapping[str, Any]) -> str:
    """Return what a template such as {{.State.Status}} makes of them."""
    shown: Any = attributes
    path = template.strip("{}")
    for part in path.removeprefix(".").split("."):
        if part not in shown:
            where = f'template: :1:{path.rindex(part) + 1}: executing "" at <{path}>'
            refuse(1, f'template parsing error: {where}: map has no entry for key "{part}"')
        shown = shown[part]
    return str(shown)


@dataclass(frozen=True)
class GuardedEngine(Engine):
    """An engine without a docker: what the guard lets through is answered by `answer`."""

    host: str = "unix:///nowhere/docker.sock"
    private: bool = True
    version: str = "20.10.24"
    quirks: HostQuirks = field(default_factory=HostQuirks)
    cli: str = "docker"

    def run(self, argv: Sequence[Any], deadline: Deadline, *, check: bool = True, **options: Any) -> CommandResult:
        """Answer as docker would, if the guard lets it be asked."""
        words = [str(word) for word in argv]
        stdin = options.get("stdin")
        done = self.own.exec(words, lambda by_id: self.answer(list(by_id), stdin))
        if done is None:
            refused = guard.require_ours(words, self._ask(deadline), self.adopted, self.own.note)
            done = refused or self.answer(words, stdin)
        if check and done.returncode:
            said = done.stderr or done.stdout
            raise CommandFailed(f"`docker {' '.join(words)}`: {said}", said=said)
        return done

    def answer(self, words: list[str], stdin: str | None) -> CommandResult:
        """Do what a docker command asks, or refuse it."""
        raise NotImplementedError

    def _ask(self, _deadline: Deadline) -> guard.Ask:
        return lambda words: self.answer(list(words), None)


@dataclass(frozen=True)
class FakeDockerEngine(GuardedEngine):
    """An engine whose docker is that of a `world`."""

    world: Any = None

    def answer(self, words: list[str], stdin: str | None) -> CommandResult:
        """Let the world's docker answer."""
        done: CommandResult = self.world.docker(words, stdin)
        return done

    def _ask(self, _deadline: Deadline) -> guard.Ask:
        """Ask the fake past what tests look at or replace."""
        return lambda words: FakeDocker.docker(self.world, list(words))

    def talk(self, argv: Sequence[str], deadline: Deadline) -> NoReturn:
        """Refuse: nothing runs on in a world."""
        raise CommandFailed(f"`docker {' '.join(argv)}`: there is no such program")
