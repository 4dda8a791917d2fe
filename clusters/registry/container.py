"""Registry: the container that nodes use as docker.io, its request log, and pushing images to it."""

import contextlib
import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import yaml

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import label_arguments, volume_argument
from chaos_harness.clusters.engine.network import fixed_address, gateway
from chaos_harness.clusters.engine.ports import LOOPBACK, reserved_port
from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.registry.saved import saved_image
from chaos_harness.clusters.registry.upload import upload

__all__ = [
    "DOWN_FILE",
    "Registry",
    "RequestLine",
    "hosts_toml",
    "node_address",
    "parse_log",
    "registry_configuration",
    "start_registry",
]

DOWN_FILE = "/down"
"""While this file exists in its container, the registry answers 503 to everything (after a second or two)."""

_PORT = 5000
_STORAGE = "/var/lib/registry"
_CONFIGURATION = "/chaos-registry.yml"
_HTPASSWD = "/chaos-registry.htpasswd"
_REFUSED = 401
_PUSH_SECONDS = 300.0
_START_SECONDS = 30.0
_CONNECT_SECONDS = 2.0

_LINE = re.compile(
    r'(?P<time>\S+) (?P<remote>\S+) \S+ \S+ \[[^\]]*\] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d{3}) '
)


@dataclass(frozen=True)
class RequestLine:
    """One request that the registry answered: when (UTC), and the client's address on its network."""

    time: datetime
    method: str
    path: str
    status: int
    remote: str


@dataclass(frozen=True)
class Registry:
    """A registry: its container, its address on the host (loopback) and its address for the nodes.

    Clients need the password of `login`. Requests from `gateway` come from this machine, not from a node.
    """

    engine: Engine
    container: str
    address_host: str
    address_node: str
    gateway: str
    login: Login

    @classmethod
    def at(cls, engine: Engine, container: str, *, port: int, address: str, gateway: str, login: Login) -> Self:
        """Return the registry in `container`, published on `port` of loopback, that nodes reach at `address`."""
        return cls(engine, container, f"{LOOPBACK}:{port}", node_address(address), gateway, login)

    def push(self, image: str, repository_tag: str, deadline: Deadline) -> None:
        """Push the engine's `image`, so that nodes pull it as docker.io/`repository_tag`.

        Raises CommandFailed, DeadlineExceeded.
        """
        repository, _, tag = repository_tag.rpartition(":")
        within = deadline.within(_PUSH_SECONDS, f"the push of {repository_tag}")
        saved = saved_image(self.engine, image, within)
        upload(self.address_host, repository, tag, saved, self.login.authorization, within)

    def log(self, since: datetime | None = None) -> list[RequestLine]:
        """Return the nodes' requests that were answered after `since`, oldest first; also of a stopped registry.

        Requests from this machine (pushes, other users) and those refused for a missing password are left out; every
        node has the password. Raises CommandFailed if there is no such container.
        """
        earliest = ["--since", since.astimezone(UTC).isoformat()] if since else []
        deadline = Deadline.after(60, "the registry's log")
        lines = parse_log(self.engine.run(["logs", "--timestamps", *earliest, self.container], deadline).stdout)
        return [line for line in lines if line.remote != self.gateway and line.status != _REFUSED]


def node_address(address: str) -> str:
    """Return the address for nodes of a registry at `address` of their network."""
    return f"{address}:{_PORT}"


def parse_log(text: str) -> list[RequestLine]:
    """Return the requests in `docker logs --timestamps` of a registry; other lines are skipped.

    The registry writes the combined log format after it has answered; the engine's time stamps are finer.
    """
    return [
        RequestLine(
            datetime.fromisoformat(line["time"]), line["method"], line["path"], int(line["status"]), line["remote"]
        )
        for line in map(_LINE.match, text.splitlines())
        if line
    ]


def registry_configuration() -> str:
    """Return the configuration (YAML) of CNCF distribution, for both version 2.8 and 3."""
    return yaml.safe_dump(
        {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": _STORAGE}},
            "auth": {"htpasswd": {"realm": "chaos-harness", "path": _HTPASSWD}},
            "http": {"addr": f":{_PORT}"},
            "health": {
                "storagedriver": {"enabled": False},
                "file": [{"file": DOWN_FILE, "interval": "1s"}],
            },
        },
        sort_keys=False,
    )


def hosts_toml(address: str, authorization: str = "", *, folder: str = "") -> str:
    """Return containerd's hosts.toml that uses `address` as the registry and sends `authorization` with each request.

    Because it is the server, not one host among others, containerd has nothing to fall back to. Sending the header at
    once saves a request that would be refused first. With a `folder`, images are looked for in it, so that those of
    several registries can have the same name.
    """
    header = f'\n[header]\nAuthorization = ["{authorization}"]\n' if authorization else ""
    path = f"/v2/{folder}" if folder else ""
    override = "override_path = true\n" if folder else ""
    return f'server = "http://{address}{path}"\n{override}{header}'


def start_registry(
    engine: Engine,
    name: str,
    image: str,
    *,
    network: str,
    subnet: str,
    login: Login,
    labels: Mapping[str, str],
    directory: Path,
    deadline: Deadline,
) -> Registry:
    """Start the registry container `name` at its fixed address in `network`, and wait until it answers.

    It is published on one port of loopback, which it keeps when it is stopped and started. It serves only clients with
    the password of `login`. Its files are copied into it: a mount of them could not be read where SELinux or
    userns-remap is on. Its log is a file of the engine, whatever log driver that has for other containers: it is
    evidence. Raises ClusterUnavailable, CommandFailed.
    """
    configuration, htpasswd = directory / "registry.yml", directory / "registry.htpasswd"
    configuration.write_text(registry_configuration(), encoding="utf-8")
    htpasswd.write_text(login.htpasswd, encoding="utf-8")
    address = fixed_address(subnet)
    with reserved_port(engine, deadline) as port:
        placed = ["--network", network, "--ip", address, "--publish", f"{LOOPBACK}:{port}:{_PORT}"]
        # Distribution 3 sends traces to a collector on localhost unless it is configured not to.
        quiet = ["--env", "OTEL_TRACES_EXPORTER=none"]
        kept = ["--mount", volume_argument(_STORAGE, labels), "--log-driver", "json-file"]
        arguments = ["--name", name, *label_arguments(labels), *placed, *quiet, *kept]
        engine.run(["create", *arguments, image, "serve", _CONFIGURATION], deadline)
        for source, path in ((configuration, _CONFIGURATION), (htpasswd, _HTPASSWD)):
            engine.run(["cp", source, f"{name}:{path}"], deadline)
        engine.run(["start", name], deadline)
    registry = Registry.at(engine, name, port=port, address=address, gateway=gateway(subnet), login=login)
    return _wait_until_answering(registry, deadline)


def _wait_until_answering(registry: Registry, deadline: Deadline) -> Registry:
    last = ""
    for _ in deadline.within(_START_SECONDS, "the registry to answer").attempts():
        last = _fetch_problem(registry, {"Authorization": registry.login.authorization})
        if last == "status 200":
            break
    else:
        raise ClusterUnavailable(
            f"expected the registry at {registry.address_host} to answer within {_START_SECONDS:.0f} s, "
            f"last seen: {last}; `docker --host {registry.engine.host} logs {registry.container}` tells more"
        )
    stranger = _fetch_problem(registry, {})
    if stranger != f"status {_REFUSED}":
        raise ClusterUnavailable(
            f"expected the registry at {registry.address_host} to refuse clients without the password, "
            f"with status {_REFUSED}; found {stranger}: any user of this machine could replace images in it"
        )
    return registry


def _fetch_problem(registry: Registry, headers: Mapping[str, str]) -> str:
    connection = http.client.HTTPConnection(registry.address_host, timeout=_CONNECT_SECONDS)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/v2/", headers=dict(headers))
            with connection.getresponse() as response:
                return f"status {response.status}"
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
