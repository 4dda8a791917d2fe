"""REST server: answers each path with what a test put there, and remembers what it was asked to change."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import yaml

from clusters.cluster import Cluster
from clusters.engine import Engine
from clusters.shape import Shape

__all__ = ["RestServer", "cluster_on", "rest_server"]


@dataclass
class RestServer:
    """`answers` are bodies by "VERB path" (GET may be left out), or a status; `changes` are (verb, path, body)."""

    answers: dict[str, Any] = field(default_factory=dict)
    changes: list[tuple[str, str, Any]] = field(default_factory=list)
    host: str = ""

    def answer(self, verb: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and body of one request, the query left out."""
        if verb != "GET":
            self.changes.append((verb, path, body))
        found = self.answers.get(f"{verb} {path}", self.answers.get(path) if verb == "GET" else {})
        found = found() if callable(found) else found
        if isinstance(found, int):
            return found, {"message": f"status {found}"}
        return (404, {"message": "not found"}) if found is None else (200, found)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    fake: RestServer


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        url = urlsplit(self.path)
        status, found = self.server.fake.answer(self.command, url.path, body)
        data = b"" if "watch=true" in url.query else json.dumps(found).encode()  # a stream that ends at once
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


for _verb in ("GET", "POST", "PATCH", "PUT", "DELETE"):
    setattr(_Handler, f"do_{_verb}", _Handler.handle_any)


@contextmanager
def rest_server(**answers: Any) -> Iterator[RestServer]:
    """Serve on loopback during the block."""
    fake = RestServer(dict(answers))
    with _Listener(("127.0.0.1", 0), _Handler) as listener:
        listener.fake = fake
        fake.host = f"http://127.0.0.1:{listener.server_address[1]}"
        thread = Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield fake
        finally:
            listener.shutdown()
            thread.join()


def cluster_on(server: RestServer, engine: Engine, directory: Path, shape: Shape | None = None) -> Cluster:
    """Return a cluster "c" whose API server is `server`, and whose nodes are what `engine` says."""
    kubeconfig = directory / "kubeconfig"
    user = {"name": "u", "user": {"token": "token-of-the-test"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    config = {"clusters": [{"name": "c", "cluster": {"server": server.host}}], "contexts": [context], "users": [user]}
    kubeconfig.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "x", **config}))
    return Cluster("c", shape or Shape(), engine, kubeconfig, "c", None, "r", directory)
