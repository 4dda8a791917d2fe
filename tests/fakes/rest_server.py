"""REST server: answers each path with what a test put there, and remembers what it was asked to change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.shape import Shape
from tests.fakes.served import served

__all__ = ["RestServer", "cluster_on", "rest_server"]


@dataclass
class RestServer:
    """`answers` are bodies by "VERB path" (GET may be left out), or a status, or both; `changes` are what changes.

    A body may be bytes, which are sent as they are; a change is (verb, path, body). `headers` are sent with every
    answer.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    changes: list[tuple[str, str, Any]] = field(default_factory=list)
    host: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self, verb: str, path: str, body: Any, query: str = "") -> tuple[int, Any]:
        """Return status and body of one request, the query left out."""
        if verb != "GET":
            self.changes.append((verb, path, body))
        answer = self.answers.get(f"{verb} {path}", self.answers.get(path) if verb == "GET" else None)
        answer = answer() if callable(answer) else answer
        if isinstance(answer, tuple):
            return answer
        if isinstance(answer, int):
            return answer, {"message": f"status {answer}"}
        return (404, {"message": "not found"}) if answer is None else (200, answer)


@contextmanager
def rest_server(**answers: Any) -> Iterator[RestServer]:
    """Serve on loopback during the block."""
    fake = RestServer(dict(answers))
    with served(fake) as fake.host:
        yield fake


def cluster_on(server: RestServer, engine: Engine, directory: Path, shape: Shape | None = None) -> Cluster:
    """Return a cluster "c" whose API server is `server`, and whose nodes are what `engine` says."""
    kubeconfig = directory / "kubeconfig"
    user = {"name": "u", "user": {"token": "token-of-the-test"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    config = {"clusters": [{"name": "c", "cluster": {"server": server.host}}], "contexts": [context], "users": [user]}
    kubeconfig.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "x", **config}))
    return Cluster("c", shape or Shape(), engine, kubeconfig, "c", None, "r", directory)
