"""Docker's API: a socket that says of itself what it was told, and refuses versions of the API that it has dropped."""

import json
import re
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

__all__ = ["DOCKER_29", "serving_docker"]

DOCKER_29: dict[str, Any] = {"Version": "29.1.3", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}
"""What `/version` says in Ubuntu 22.04 to 26.04 (docker.io 29.1.3)."""

_VERSIONED = re.compile(r"/v(\d+)\.(\d+)(/.*)")


class _Handler(BaseHTTPRequestHandler):
    def address_string(self) -> str:
        return "a socket"

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        documents: Mapping[str, Any] = self.server.documents  # type: ignore[attr-defined]
        path, version = self.path, documents["/version"]
        if versioned := _VERSIONED.match(path):
            least = [int(number) for number in version["MinAPIVersion"].split(".")]
            if [int(versioned[1]), int(versioned[2])] < least:
                said = f"client version {versioned[1]}.{versioned[2]} is too old. Minimum supported API version is"
                self._answer(400, {"message": f"{said} {version['MinAPIVersion']}"})
                return
            path = versioned[3]
        self._answer(200, documents[path]) if path in documents else self._answer(404, {"message": "page not found"})

    def _answer(self, status: int, document: object) -> None:
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving_docker(
    socket: Path, version: Mapping[str, Any] = DOCKER_29, info: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Serve Docker's API at `socket` for the block, and yield its DOCKER_HOST."""
    documents = {"/version": version, "/info": {"ID": "engine-b", **(info or {})}, "/_ping": "OK"}
    with socketserver.ThreadingUnixStreamServer(str(socket), _Handler) as server:
        server.daemon_threads = True
        server.documents = documents  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"unix://{socket}"
        finally:
            server.shutdown()
            thread.join()
