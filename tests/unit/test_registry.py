"""Tests of clusters.registry: its log, its configuration, and what nodes are told of it."""

import tomllib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import yaml

from clusters.deadline import Deadline
from clusters.process import Completed
from clusters.registry import DOWN_FILE, Registry, RequestLine, hosts_toml, parse_log, registry_configuration
from tests.fakes.engine import FakeEngine

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


def test_the_log_is_asked_for_since_a_moment_in_utc() -> None:
    """A moment of any time zone is handed to the engine in UTC."""
    engine = FakeEngine()
    since = datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=2)))
    Registry.at(engine, "registry", port=21000, address="10.0.0.254").log(since)
    assert engine.asked == ["logs --timestamps --since 2026-11-23T07:00:00+00:00 registry"]


def test_nodes_are_given_no_registry_to_fall_back_to() -> None:
    """The mirror is the server itself, in plain HTTP, and there is no other host."""
    assert tomllib.loads(hosts_toml("10.0.0.254:5000")) == {"server": "http://10.0.0.254:5000"}


def test_a_file_makes_the_registry_answer_503() -> None:
    """The health check that answers 503 while the file exists looks every second."""
    health = yaml.safe_load(registry_configuration())["health"]
    assert health["file"] == [{"file": DOWN_FILE, "interval": "1s"}]


def test_a_pushed_image_leaves_no_name_in_the_engine() -> None:
    """The name that a push needs is removed, also when the push fails."""

    class Failing(FakeEngine):
        def _answer(self, words: list[str]) -> Completed:
            if words[0] == "push":
                raise KeyboardInterrupt
            return super()._answer(words)

    commands: list[Any] = []
    for engine in (FakeEngine(), Failing()):
        registry = Registry.at(engine, "registry", port=21000, address="10.0.0.254")
        try:
            registry.push("mine:1", "openpolicyagent/gatekeeper:v1", Deadline.after(60, "the push"))
        except KeyboardInterrupt:
            commands.append("interrupted")
        commands.append(engine.asked)
    name = "127.0.0.1:21000/openpolicyagent/gatekeeper:v1"
    expected = [f"tag mine:1 {name}", f"push --quiet {name}", f"rmi --no-prune {name}"]
    assert commands == [expected, "interrupted", expected]
