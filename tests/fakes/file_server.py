"""File server: serves files on loopback as a release host would, or as a broken one does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Answer", "FileServer"]


@dataclass(frozen=True)
class Answer:
    """What the server does with one request: its status, body and headers.

    `length` is the announced length if it is not the body's. With `silent_after`, it sends so many bytes and then
    nothing until the server ends; with `pause`, it waits so many seconds between two bytes.
    """

    body: bytes = b""
    status: int = 200
    location: str = ""
    length: int | None = None
    silent_after: int | None = None
    pause: float = 0.0


@dataclass
class FileServer:
    """Answers by path; everything else is 404. `asked` are the paths, in order."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def serve(self) -> Iterator["FileServer"]:
        """Serve during the block, at `address`."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                files.asked.append(self.path)
                answer = files.answers.get(self.path, Answer(b"no such file", 404))
                self.send_response(answer.status)
                if answer.location:
                    self.send_header("Location", answer.location)
                length = len(answer.body) if answer.length is None else answer.length
                self.send_header("Content-Length", str(length))
                self.end_headers()
                for byte in _pieces(answer):
                    self.wfile.write(byte)
                    files._ended.wait(answer.pause)
                if answer.silent_after is not None:
                    files._ended.wait()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _pieces(answer: Answer) -> list[bytes]:
    body = answer.body[: answer.silent_after]
    return [body[at : at + 1] for at in range(len(body))] if answer.pause else [body]
