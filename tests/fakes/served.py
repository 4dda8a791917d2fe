"""Served: lets a fake answer HTTP on loopback, request by request."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Protocol
from urllib.parse import urlsplit

__all__ = ["Answering", "served"]


class Answering(Protocol):
    """A fake API server: says status and body of each answer."""

    def answer(self, verb: str, path: str, body: Any, query: str) -> tuple[int, Any]:
        """Return status and body of one request; bytes are sent as they are."""


@contextmanager
def served(fake: Answering) -> Iterator[str]:
    """Serve during the block; give the address. No version is kept, so that who watches lists again and again."""
    with _Listener(("127.0.0.1", 0), _Handler) as listener:
        listener.fake = fake
        thread = Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    fake: Answering

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        url = urlsplit(self.path)
        status, content = self.server.fake.answer(self.command, url.path, body, url.query)
        if "watch=true" in url.query:
            status, content = 410, {}
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in getattr(self.server.fake, "headers", {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


for _verb in ("GET", "POST", "PATCH", "PUT", "DELETE"):
    setattr(_Handler, f"do_{_verb}", _Handler.handle_any)
