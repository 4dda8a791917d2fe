"""Engine: the Docker engine that node containers run on, the user's or a private one that the harness starts."""

import functools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import docker

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import claims, guard, packages, private_engine, user_engine
from chaos_harness.clusters.engine.dialogue import Dialogue, start_dialogue
from chaos_harness.clusters.engine.host_quirks import HostQuirks
from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.engine.own_containers import OwnContainers
from chaos_harness.clusters.engine.traits import EngineTraits
from chaos_harness.clusters.errors import BadScenario, CommandFailed, EngineUnavailable
from chaos_harness.clusters.machine import process, supported
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.terminal.progress import Progress

__all__ = [
    "CHOICES",
    "Engine",
    "EngineTraits",
    "HostQuirks",
    "Layout",
    "connect",
    "engine_choice",
    "find",
    "stop_private",
    "users_problem",
]

CHOICES = ("auto", "system", "private")
_CLI_SECONDS = 30

_NOT_THE_USERS = (("DOCKER_DEFAULT_PLATFORM", ""), ("DOCKER_CONTENT_TRUST", ""))
"""Settings of the user's docker that no command of ours may have: images are of the engine's own platform, and those
that are built here are signed by nobody, so that docker would look elsewhere for what the engine holds."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answered; nothing stays open between calls."""

    host: str
    """Its DOCKER_HOST value."""
    private: bool
    """Whether the harness started it."""
    version: str
    quirks: HostQuirks
    """What is unusual about its host."""
    cli: str
    """Path of the docker command."""
    settings: tuple[tuple[str, str], ...] = ()
    """What its commands need in their environment besides DOCKER_HOST."""
    id: str = ""
    """The engine's own ID, the same at every address; "" if it does not report one."""
    traits: EngineTraits = field(default_factory=EngineTraits)
    adopted: frozenset[str] = frozenset()
    """IDs of containers of the user's in which commands may run, and faults be done (see `clusters.adoption`)."""
    own: OwnContainers = field(default_factory=OwnContainers, compare=False, repr=False)
    """Its containers that were found to be ours."""

    def client(self, timeout: float = 60) -> Any:
        """Return a new docker.DockerClient whose requests time out after `timeout` seconds; the caller closes it.

        Streams (exec, attach, events) have no time-out: use `run` for those.
        """
        return docker.from_env(timeout=timeout, environment={**os.environ, **self.environment()})

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which docker and kind use this engine."""
        return {"DOCKER_HOST": self.host, **dict(self.settings)}

    def run(
        self,
        argv: Sequence[str | Path],
        deadline: Deadline,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: str | IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
        stderr: IO[bytes] | None = None,
        check: bool = True,
    ) -> CommandResult:
        """Run `docker ARGV` on this engine to its end; options and errors are those of `clusters.machine.process.run`.

        Raises NotOurs, before anything is done, if the command would change something that is neither ours nor adopted.
        A container that was ours before, and is there, gets another `exec` by its ID and without the question.
        """
        words = [str(word) for word in argv]
        once = any(stream is not None and not isinstance(stream, str) for stream in (stdin, stdout, stderr))

        def execute(words: Sequence[str]) -> CommandResult:
            return process.run(
                [self.cli, *words],
                deadline,
                env={**self.environment(), **(env or {})},
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                check=False,
            )

        done = None if once else self.own.exec(words, execute)
        if done is None:
            refused = guard.require_ours(words, self._ask(deadline), self.adopted, self.own.note)
            if refused and check:
                raise CommandFailed(f"`docker {' '.join(words)}` was not run: {refused.stderr.strip()}")
            if refused:
                return refused
            done = execute(words)
        if check:
            process.require_success([self.cli, *words], done)
        return done

    def talk(self, argv: Sequence[str], deadline: Deadline) -> AbstractContextManager[Dialogue]:
        """Start `docker ARGV` on this engine for the block and exchange lines with it.

        `deadline` limits the ownership check. Raises NotOurs, CommandFailed and DeadlineExceeded before anything is
        started, as `run` does, and the errors of `clusters.engine.dialogue`.
        """
        refused = guard.require_ours(argv, self._ask(deadline), self.adopted, self.own.note)
        if refused:
            raise CommandFailed(f"`docker {' '.join(argv)}` was not run: {refused.stderr.strip()}")
        return start_dialogue([self.cli, *argv], env=self.environment())

    def require_ours(self, kind: guard.ObjectKind, names: Sequence[str], deadline: Deadline) -> None:
        """Raise NotOurs unless all existing objects of a kind with these names or IDs carry our label.

        Call it before another program changes them. Raises CommandFailed if the engine does not answer.
        """
        refused = guard.require_ours_of(kind, names, self._ask(deadline))
        if refused:
            raise CommandFailed(f"the engine does not say who owns {', '.join(names)} is: {refused.stderr.strip()}")

    def _ask(self, deadline: Deadline) -> guard.Ask:
        env = self.environment()
        return lambda words: process.run([self.cli, *words], deadline, env=env, check=False)


def connect(
    choice: str | None = None,
    progress: Progress | None = None,
    layout: Layout | None = None,
    owner: Owner | None = None,
) -> Engine:
    """Return an engine that answers: for "system" the user's, for "private" ours, for "auto" the first available.

    `choice` None means $CHAOS_ENGINE, else "auto". The private engine is at `layout` and is started if it does not run.
    Before anything else, it gets a claim of `owner`, or of a run that stands for this process: while the claim is
    valid, nobody stops the engine or takes this run for dead (see `clusters.engine.claims`).

    Raises BadScenario (unknown choice), EngineUnavailable (with the commands to type), also if an engine runs but does
    not answer: another engine would not help a machine that is too busy.
    """
    word, layout = engine_choice(choice), layout or Layout.default()
    if problem := supported.refusal():
        raise EngineUnavailable(problem)
    owner = owner or _this_process()
    users = None if word == "private" else _find_user_engine(layout)
    if users and users.version:
        engine = _system(users)
        claims.hold(engine, owner)
        return engine
    if users and (word == "system" or users.silent):
        raise EngineUnavailable(
            f"your Docker engine at {users.host} cannot be used: {users.problem}; make `docker info` work "
            "(`systemctl start docker`), or let the harness start one of its own, as root: CHAOS_ENGINE=private"
        )
    answered: list[Engine] = []

    def adopt() -> None:
        answered.append(_private(layout))
        claims.hold(answered[0], owner)

    try:
        private_engine.start(layout, progress or Progress.quiet(), adopt)
    except EngineUnavailable as error:
        if users:
            raise EngineUnavailable(
                f"your Docker engine at {users.host} cannot be used: {users.problem}\n{error}"
            ) from error
        raise
    return answered[0]


def find(choice: str | None = None, layout: Layout | None = None) -> Engine | None:
    """Return the engine that `connect` would return, if it already answers, else None; start nothing.

    Raises BadScenario (unknown choice), EngineUnavailable if an engine runs but does not answer: it is not absent.
    """
    word, layout = engine_choice(choice), layout or Layout.default()
    if word != "private" and (users := _find_user_engine(layout)).version:
        return _system(users)
    if word != "private" and users.silent:
        raise EngineUnavailable(f"your Docker engine at {users.host} cannot be used: {users.problem}")
    return _private(layout) if word != "system" and private_engine.answers_in_time(layout) else None


def users_problem(layout: Layout | None = None) -> str:
    """Return where the user's engine is expected and why it cannot be used, in one line; "" if it can be."""
    users = _find_user_engine(layout or Layout.default())
    return f"yours at {users.host} cannot be used: {users.problem}" if users.problem else ""


def stop_private(
    progress: Progress | None = None,
    layout: Layout | None = None,
    *,
    used: Callable[[Engine], bool] | None = None,
) -> bool:
    """End the private engine and all its containers; images stay. Return whether one was ended.

    With `used`, the engine is ended only if `used(engine)` returns false, and nobody can connect to it in between.
    Without, it is ended in any case. Raises EngineUnavailable if a part of it cannot be ended or removed, and, with
    `used`, if it runs but does not answer.
    """
    layout = layout or Layout.default()
    busy = None if used is None else lambda: private_engine.answers_in_time(layout) and used(_private(layout))
    return private_engine.stop(layout, progress or Progress.quiet(), busy)


@functools.cache
def _this_process() -> Owner:
    """Return the owner for work of this process that belongs to no session."""
    return Owner.mine()


def engine_choice(choice: str | None = None) -> str:
    """Return which engine is wanted: `choice`, else $CHAOS_ENGINE, else "auto"; raise BadScenario for another word."""
    word = choice or os.environ.get("CHAOS_ENGINE") or "auto"
    if word not in CHOICES:
        raise BadScenario(f"engine {word!r} (--engine or CHAOS_ENGINE): expected one of {', '.join(CHOICES)}")
    return word


def _find_user_engine(layout: Layout) -> user_engine.SystemEngine:
    """Return the user's engine; a DOCKER_HOST that is our own engine, as our messages advise, does not count."""
    users = user_engine.find()
    if users.host != layout.host:
        return users
    return replace(users, version="", silent=False, problem="it is the harness's own")


def _system(users: user_engine.SystemEngine) -> Engine:
    cli = shutil.which("docker")
    if cli is None:
        raise EngineUnavailable(
            f"your Docker engine at {users.host} answers, but there is no `docker` command on PATH; "
            "`apt-get install docker-cli` or https://docs.docker.com/engine/install/ brings it"
        )
    deadline = Deadline.after(_CLI_SECONDS, "docker to say whether it has buildx")
    buildx = process.run([cli, "buildx", "version"], deadline, check=False).returncode == 0
    settings = _NOT_THE_USERS if buildx else (*_NOT_THE_USERS, ("DOCKER_BUILDKIT", "0"))
    quirks = _quirks(users.host, users.traits)
    return Engine(users.host, False, users.version, quirks, cli, settings, users.id, users.traits)


def _quirks(host: str, traits: EngineTraits) -> HostQuirks:
    """Return what is unusual about the host of the user's engine.

    What listens there may only pass requests on, as Docker Desktop's does: of another kernel nothing is known but what
    the engine reports. Its word on cgroups counts in any case.
    """
    if not traits.of_this_kernel:
        quirks = HostQuirks()
    elif pid := user_engine.listener(host):
        quirks = HostQuirks.detect(pid)
    else:
        quirks = HostQuirks.of_unseen() if user_engine.listens_in_other_namespace(host) else HostQuirks()
    return replace(quirks, cgroup_v1=traits.cgroup_version == 1) if traits.cgroup_version else quirks


def _private(layout: Layout) -> Engine:
    settings = (
        ("DOCKER_CONFIG", str(layout.cli_config)),
        ("DOCKER_BUILDKIT", "0"),
        *_NOT_THE_USERS,
        *((name, "") for name in ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION")),
    )
    pid = user_engine.listener(layout.host)
    engine = Engine(layout.host, True, "", HostQuirks.detect(pid or "self"), "docker", settings)
    with closing(engine.client()) as client:
        version, info = client.version(), client.info()
    engine = replace(
        engine,
        version=str(version["Version"]),
        id=str(info.get("ID") or ""),
        traits=EngineTraits.of(version, info),
    )
    return replace(engine, cli=_working_client(engine))


def _working_client(engine: Engine) -> str:
    """Return a docker command that this engine understands: the user's, else the distribution's.

    A client can be too new for an engine: since version 29 it requires Docker 25 or later.
    """
    last = ""
    for cli in dict.fromkeys((shutil.which("docker"), packages.program("docker"))):
        if cli is not None:
            deadline = Deadline.after(_CLI_SECONDS, f"{cli} to speak to the engine")
            answer = replace(engine, cli=cli).run(["version"], deadline, check=False)
            if answer.returncode == 0:
                return cli
            last = f"`{cli} version` says: {answer.stderr.strip()}"
    raise EngineUnavailable(
        f"expected a docker command that speaks to the engine at {engine.host} (Docker {engine.version}); "
        f"{last or 'there is none on PATH'}; `apt-get install docker-cli` brings one"
    )
