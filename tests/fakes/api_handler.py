"""API handler: answers of the fake API server to one connection, good and bad."""

import json
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from tests.fakes.api_server import FakeApiServer

__all__ = ["PATH", "Handler", "Listener", "Order", "Stream"]

Object = dict[str, Any]
Order = Literal["end", "cut", "gone", "error", "truncate", "lose", "silence", "drip", "bookmark", "repeat"]

PATH = "/api/v1/namespaces/default/pods"

_DRIP_SECONDS = 0.01
_KNOWN = {"allowWatchBookmarks", "labelSelector", "resourceVersion", "timeoutSeconds", "watch"}


@dataclass
class Stream:
    """An open watch: how far it is in the log, and what it is told to do when it gets to a place in it."""

    position: int
    orders: deque[tuple[int, Order]] = field(default_factory=deque)


class Listener(ThreadingHTTPServer):
    daemon_threads = False
    fake: "FakeApiServer"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are what is tested."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def handle(self) -> None:
        with self.server.fake.connection(self.connection):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def do_GET(self) -> None:
        fake = self.server.fake
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path != PATH or query.keys() - _KNOWN:
            self._answer(400, json.dumps(_failure(400) | {"message": f"unknown to the fake: {self.path}"}).encode())
            return
        with fake.changed:
            fake.requests.append((time.monotonic(), query))
            fake.headers = dict(self.headers.items())
            status = fake.status.popleft() if fake.status else 200
            if status == 200 and "watch" in query and fake.watch_status:
                status = fake.watch_status.popleft()
        fake.closing.wait(fake.delay)
        if self._silenced():
            return
        if status != 200:
            self._answer(status, json.dumps(_failure(status)).encode())
        elif "watch" in query:
            self._watch(query)
        else:
            self._list()

    def _silenced(self) -> bool:
        fake = self.server.fake
        with fake.changed:
            met = fake.silent
            fake.changed.wait_for(lambda: not fake.silent)
        self.close_connection = self.close_connection or met
        return met

    def _list(self) -> None:
        fake = self.server.fake
        with fake.changed:
            items = [{name: pod[name] for name in ("metadata", "status")} for pod in fake.objects.values()]
            metadata = {"resourceVersion": str(fake.version)}
        body = {"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": items or None}
        self._answer(200, json.dumps(body).encode() + b"\n")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 200 and self.server.fake.retry_after:
            self.send_header("Retry-After", self.server.fake.retry_after)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _watch(self, query: dict[str, str]) -> None:
        fake = self.server.fake
        start = int(query["resourceVersion"])
        ends = time.monotonic() + (0.0 if fake.impatient else float(query["timeoutSeconds"]))
        with fake.changed:
            gone = start < fake.compacted
            stream = Stream(sum(event.version <= start for event in fake.log))
            if not gone:
                fake.streams.append(stream)
                fake.changed.notify_all()
        if gone and fake.gone_as == "status":
            self._answer(410, json.dumps(_failure(410)).encode())
            return
        try:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if gone:
                self._send("ERROR", _failure(410))
                self._chunk(b"")
            else:
                self._follow(stream, ends)
        finally:
            with fake.changed:
                if stream in fake.streams:
                    fake.streams.remove(stream)

    def _follow(self, stream: Stream, ends: float) -> None:
        """Send what happens until the stream's time is over or an order ends it."""
        fake = self.server.fake
        lost = fake.withholds
        while True:
            with fake.changed:
                fake.changed.wait_for(
                    lambda: stream.orders or stream.position < len(fake.log), max(0.0, ends - time.monotonic())
                )
                due = stream.orders and stream.orders[0][0] <= stream.position
                order = stream.orders.popleft()[1] if due else None
                event = fake.log[stream.position] if not order and stream.position < len(fake.log) else None
                stream.position += event is not None
                if not order and not event:
                    break
            if event and not lost:
                self._send(event.type, event.object)
            elif order == "lose":
                lost = True
            elif lost and order in {"bookmark", "repeat"}:
                continue  # it would promise that all before it was sent
            elif order and not self._obey(order, stream):
                return
        self._chunk(b"")

    def _obey(self, order: Order, stream: Stream) -> bool:
        """Do what is ordered, and return whether the stream goes on."""
        fake = self.server.fake
        if order == "bookmark":
            version = str(fake.log[stream.position - 1].version) if stream.position else "1"
            self._send("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version}})
            return True
        if order == "repeat":
            for event in fake.log[: stream.position][-2:]:
                self._send(event.type, event.object)
            return True
        self.close_connection = True
        with fake.changed:
            fake.streams.remove(stream)
        if order in {"gone", "error"}:
            self._send("ERROR", _failure(410 if order == "gone" else 500))
        if order in {"gone", "error", "end"}:
            self._chunk(b"")
            self.close_connection = False
        if order == "truncate":
            self._chunk(b'{"type": "ADDED", "object": {"metad')
            self._chunk(b"")
        while order == "drip" and not fake.closing.wait(_DRIP_SECONDS):
            self._chunk(b" ")
        if order == "silence":
            self._silenced()
        return False

    def _send(self, kind: str, object_: Object) -> None:
        self.server.fake.closing.wait(self.server.fake.delay)
        self._chunk(json.dumps({"type": kind, "object": object_}).encode() + b"\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def _failure(code: int) -> Object:
    return {"apiVersion": "v1", "kind": "Status", "code": code, "reason": "Expired", "message": "too old"}
