"""System engine: the Docker engine that the user's docker command talks to."""

import json
import os
import shutil
import socket
import struct
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import docker
from docker.errors import DockerException, InvalidVersion
from urllib3.exceptions import TimeoutError as HTTPTimeout

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.traits import EngineTraits
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded
from chaos_harness.clusters.machine.process import run

__all__ = ["SystemEngine", "find", "listener", "listens_in_other_namespace"]

_DEFAULT = "unix:///var/run/docker.sock"
_SECONDS = 10
_BUSY_SECONDS = 30
_NEWER_DOCKER = "install Docker 25 or newer: https://docs.docker.com/engine/install/"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class SystemEngine:
    """Where the user's engine is expected, and its version and ID, or what is wrong with it and what to type."""

    host: str
    version: str = ""
    problem: str = ""
    cure: str = "`sudo systemctl start docker`, until `docker info` works"
    id: str = ""
    silent: bool = False
    """Whether something listens there that does not answer: an engine that is too busy is not absent."""
    traits: EngineTraits = field(default_factory=EngineTraits)


def find() -> SystemEngine:
    """Return the engine that DOCKER_HOST, the current docker context or the default socket names."""
    host, secured = _endpoint()
    url = urlsplit(host)
    if url.scheme not in ("unix", "tcp", "http") or (url.scheme != "unix" and url.hostname not in _LOOPBACK):
        elsewhere = "it is on another machine, whose published ports are not on this one"
        return SystemEngine(host, problem=elsewhere, cure="`unset DOCKER_HOST; docker context use default`")
    if secured:
        secured_words = "its context asks for TLS; set DOCKER_HOST and DOCKER_CERT_PATH instead"
        return SystemEngine(host, problem=secured_words, cure="`export DOCKER_HOST=tcp://… DOCKER_CERT_PATH=…`")
    try:
        return _ask(host)
    except (DockerException, OSError) as error:  # requests' errors are OSErrors
        return _refused(host, error)


def _ask(host: str) -> SystemEngine:
    """Ask the engine at `host` what it is. Raises DockerException, OSError."""
    url = urlsplit(host)
    if url.scheme == "unix":
        _connect(url.path)
    with closing(docker.from_env(timeout=_BUSY_SECONDS, environment={**os.environ, "DOCKER_HOST": host})) as client:
        version, info = client.version(), client.info()
    traits = EngineTraits.of(version, info)
    if problem := traits.refusal:
        return SystemEngine(host, problem=problem, traits=traits, cure="`export CHAOS_ENGINE=private`, as root")
    return SystemEngine(host, str(version["Version"]), id=str(info.get("ID") or ""), traits=traits)


def _refused(host: str, error: Exception) -> SystemEngine:
    """Return why the engine at `host` cannot be used, and what helps."""
    if isinstance(error, PermissionError):
        cure = "`sudo usermod -aG docker $USER`, then log in again"
        return SystemEngine(host, problem="permission denied", cure=cure)
    if isinstance(error, InvalidVersion):
        return SystemEngine(host, problem=f"its API is too old: {error}", cure=_NEWER_DOCKER)
    return SystemEngine(host, problem=f"it does not answer: {error}", silent=_is_timeout(error))


def listener(host: str) -> int | None:
    """Return the PID of the process behind the socket `host`, None if it is in another namespace or machine."""
    url = urlsplit(host)
    if url.scheme != "unix":
        return None
    try:
        return _connect(url.path)
    except OSError:
        return None


def listens_in_other_namespace(host: str) -> bool:
    """Whether something listens on the socket `host` whose process is not visible in this PID namespace."""
    url = urlsplit(host)
    try:
        return url.scheme == "unix" and hasattr(socket, "SO_PEERCRED") and _connect(url.path) is None
    except OSError:
        return False


def _is_timeout(error: BaseException | None) -> bool:
    """Whether the error means that no answer came in time; docker's SDK wraps it in others."""
    while error is not None:
        if isinstance(error, (TimeoutError, HTTPTimeout)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _connect(path: str) -> int | None:
    """Connect to a socket and return the listener's PID; docker's SDK leaks a socket when it cannot connect."""
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(path)
        if not hasattr(socket, "SO_PEERCRED"):
            return None
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid or None


def _endpoint() -> tuple[str, bool]:
    """Return the engine's address, and whether a docker context has certificates for it."""
    if host := os.environ.get("DOCKER_HOST"):
        return host, False
    cli = shutil.which("docker")
    if cli is None:
        return _DEFAULT, False
    try:
        contexts = run([cli, "context", "inspect"], Deadline.after(_SECONDS, "docker to name its context")).stdout
        context = json.loads(contexts)[0]
        host = context["Endpoints"]["docker"]["Host"] or _DEFAULT
        return host, bool((context.get("TLSMaterial") or {}).get("docker"))
    except (CommandFailed, DeadlineExceeded, ValueError, LookupError):
        return _DEFAULT, False
