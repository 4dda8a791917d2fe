"""Tests of clusters.registry.container: its log, its configuration, who is let in, and what nodes are told of it."""

import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.registry import container
from chaos_harness.clusters.registry.container import (
    DOWN_FILE,
    Registry,
    RequestLine,
    hosts_toml,
    parse_log,
    registry_configuration,
    start_registry,
)
from chaos_harness.clusters.registry.login import Login
from tests.fakes.engine import FakeEngine
from tests.fakes.grammar import Call

# As `docker logs --timestamps` showed it of distribution 2.8.2 (Debian's) and 3.1.1 on 2026-11-23.
_LOG = """\
2026-11-23T07:32:28.887758301Z 172.18.0.4 - - [23/Nov/2026:07:32:28 +0000] \
"HEAD /v2/openpolicyagent/gatekeeper/manifests/v3.23.1?ns=docker.io HTTP/1.1" 200 529 "" "containerd/v2.3.7"
2026-11-23T07:32:28.892585Z 172.18.0.4 - - [23/Nov/2026:07:32:28 +0000] "GET /v2/ HTTP/1.1" 503 125 "" \
"containerd/v2.3.7 \\"x\\""
"""
_OTHER = """\
2026-11-23T07:14:57.296315688Z time="2026-11-23T07:14:57.296315688Z" level=info msg="configuring file health check"

2026-11-23T07:14:57.296315688Z
"""


def test_a_log_line_tells_who_asked_for_what_when_and_what_was_answered() -> None:
    """The engine's time stamp, the method, the path with its query, the status and the node's address are read."""
    assert parse_log(_LOG) == [
        RequestLine(
            datetime(2026, 11, 23, 7, 32, 28, 887758, tzinfo=UTC),
            "HEAD",
            "/v2/openpolicyagent/gatekeeper/manifests/v3.23.1?ns=docker.io",
            200,
            "172.18.0.4",
        ),
        RequestLine(datetime(2026, 11, 23, 7, 32, 28, 892585, tzinfo=UTC), "GET", "/v2/", 503, "172.18.0.4"),
    ]


def test_lines_that_are_no_requests_are_passed_over() -> None:
    """What else the registry says, and empty lines, are not requests."""
    assert len(parse_log(_OTHER + _LOG + _OTHER)) == 2


def registry_on(engine: FakeEngine, directory: Path, port: int = 21000) -> Registry:
    login = Login.make(directory)
    return Registry.at(engine, "registry", port=port, address="10.0.0.254", gateway="10.0.0.1", login=login)


def test_the_log_is_asked_for_since_a_moment_in_utc(tmp_path: Path) -> None:
    """A moment of any time zone is handed to the engine in UTC."""
    engine = FakeEngine()
    engine.add("container", "registry", {})
    since = datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=2)))
    registry_on(engine, tmp_path).log(since)
    assert engine.asked == ["logs --timestamps --since 2026-11-23T07:00:00+00:00 registry"]


@dataclass(frozen=True)
class Logging(FakeEngine):
    """An engine whose registry has logged lines."""

    said: str = ""

    def _tell(self, call: Call) -> CommandResult:
        return CommandResult(self.said, "", 0)


def test_only_what_nodes_were_answered_is_in_the_log(tmp_path: Path) -> None:
    """Not who has no password, wherever he asks from, and nobody on this machine, whatever he was answered."""
    answers = [("10.0.0.4", 200), ("10.0.0.4", 401), ("10.0.0.1", 401), ("10.0.0.1", 404), ("10.0.0.1", 200)]
    answers += [("10.0.0.1", 503), ("10.0.0.5", 503), ("10.0.0.5", 404)]
    path = "/v2/openpolicyagent/gatekeeper/manifests/v3.23.1"
    lines = [
        f'2026-11-23T07:32:28Z {remote} - - [now] "HEAD {path} HTTP/1.1" {status} 0 "" "a"\n'
        for remote, status in answers
    ]
    log = registry_on(Logging(said="".join(lines)), tmp_path).log()
    assert [(line.remote, line.status) for line in log] == [("10.0.0.4", 200), ("10.0.0.5", 503), ("10.0.0.5", 404)]


def test_nodes_are_given_no_registry_to_fall_back_to() -> None:
    """The mirror is the server itself, in plain HTTP, and there is no other host."""
    assert tomllib.loads(hosts_toml("10.0.0.254:5000")) == {"server": "http://10.0.0.254:5000"}


def test_images_of_another_registry_are_looked_for_in_a_folder() -> None:
    """So that two registries' images of one name are two; what is no table of its own stands before the first table."""
    hosts = tomllib.loads(hosts_toml("10.0.0.254:5000", "Basic x", folder="ghcr.io"))
    assert hosts == {
        "server": "http://10.0.0.254:5000/v2/ghcr.io",
        "override_path": True,
        "header": {"Authorization": ["Basic x"]},
    }


def test_nodes_send_the_password_unasked(tmp_path: Path) -> None:
    """The header stands at the server itself, so that no request is refused first, and none is seen twice."""
    authorization = Login.make(tmp_path).authorization
    hosts = tomllib.loads(hosts_toml("10.0.0.254:5000", authorization))
    assert hosts == {"server": "http://10.0.0.254:5000", "header": {"Authorization": [authorization]}}


def test_the_registry_asks_for_a_password() -> None:
    """Both versions of distribution have this access controller, and want a realm and a path."""
    asked = yaml.safe_load(registry_configuration())["auth"]
    assert asked == {"htpasswd": {"realm": "chaos-harness", "path": "/chaos-registry.htpasswd"}}


def test_a_file_makes_the_registry_answer_503() -> None:
    """The health check that answers 503 while the file exists looks every second."""
    health = yaml.safe_load(registry_configuration())["health"]
    assert health["file"] == [{"file": DOWN_FILE, "interval": "1s"}]


class Answering(BaseHTTPRequestHandler):
    """A registry that accepts the password, and answers clients without it as the test says."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def do_GET(self) -> None:
        server: Any = self.server
        self.send_response(200 if self.headers.get("Authorization") == server.wanted else server.stranger)
        self.end_headers()


@contextmanager
def answering(wanted: str, stranger: int) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        vars(server).update(wanted=wanted, stranger=stranger)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def started(engine: FakeEngine, directory: Path, login: Login) -> Registry:
    return start_registry(
        engine,
        "registry",
        "registry:3",
        network="n",
        subnet="10.9.8.0/24",
        login=login,
        labels={"chaos-harness.run": "r"},
        directory=directory,
        deadline=Deadline.after(60, "the registry"),
    )


def test_a_registry_is_started_with_a_hash_of_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the hash in a file of its own, of which nothing is mounted; the password is in no argument or label.

    Its log is kept by the engine, whatever log driver that has for others.
    """
    engine, login = FakeEngine(), Login.make(tmp_path)
    password = login.path.read_text()
    with answering(login.authorization, 401) as port:
        monkeypatch.setattr(container, "reserved_port", lambda *_: nullcontext(port))
        registry = started(engine, tmp_path, login)
    user, _, hashed = (tmp_path / "registry.htpasswd").read_text().strip().partition(":")
    assert (user, bcrypt.checkpw(password.encode(), hashed.encode())) == ("chaos", True)
    assert hashed.startswith("$2b$04$")
    assert (registry.address_node, registry.gateway) == ("10.9.8.254:5000", "10.9.8.1")
    create, *copies, start = engine.asked
    assert ("--volume" in create, "--log-driver json-file" in create) == (False, True)
    assert copies == [
        f"cp {tmp_path}/registry.yml registry:/chaos-registry.yml",
        f"cp {tmp_path}/registry.htpasswd registry:/chaos-registry.htpasswd",
    ]
    assert start == "start registry"
    assert password not in create
    assert password not in repr(registry)


@pytest.mark.parametrize("stranger", [200, 404])
def test_a_registry_that_lets_everybody_in_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stranger: int
) -> None:
    """Whatever the image makes of its configuration, no cluster uses a registry that others can write to."""
    login = Login.make(tmp_path)
    with answering(login.authorization, stranger) as port:
        monkeypatch.setattr(container, "reserved_port", lambda *_: nullcontext(port))
        with pytest.raises(ClusterUnavailable, match=f"with status 401; found status {stranger}: any user"):
            started(FakeEngine(), tmp_path, login)


def test_a_registry_that_never_answers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen last and the next command are in the error."""
    login = Login.make(tmp_path)
    monkeypatch.setattr(container, "_START_SECONDS", 0.2)
    with answering("another password", 401) as port:
        monkeypatch.setattr(container, "reserved_port", lambda *_: nullcontext(port))
        with pytest.raises(ClusterUnavailable, match=r"last seen: status 401; `docker --host .* logs registry` tells"):
            started(FakeEngine(), tmp_path, login)
