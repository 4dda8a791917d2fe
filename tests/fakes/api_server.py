"""API server: list and watch of one kind over plain HTTP on loopback, and each way in which they fail on command.

A real one (tests/api) cannot be made to cut a stream behind a certain change, to lose, repeat or withhold what it
should send, to send half a line, or to answer a certain request with 429 and Retry-After: this one is for that.
"""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

from kubernetes.client import ApiClient, Configuration

from tests.fakes.api_handler import PATH, Handler, Listener, Order, Stream

__all__ = ["PATH", "Event", "FakeApiServer"]

Object = dict[str, Any]

_POLL_SECONDS = 0.01
_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Event:
    """A change on the server, with the resource version it made."""

    version: int
    type: str
    object: Object


class FakeApiServer:
    """Pods in memory. Orders reach the open streams after the changes that were made before them."""

    def __init__(self) -> None:
        self.log: list[Event] = []
        self.objects: dict[str, Object] = {}
        self.version = 1
        self.requests: list[tuple[float, dict[str, str]]] = []
        self.headers: dict[str, str] = {}
        self.gone_as: Literal["status", "event"] = "status"
        self.delay = 0.0
        self.changed = threading.Condition()
        self.streams: list[Stream] = []
        self.silent = False
        self.closing = threading.Event()
        self.compacted = 0
        self.status: deque[int] = deque()
        self.watch_status: deque[int] = deque()
        self.retry_after = ""
        self.withholds = False
        self.impatient = False
        self._sockets: set[socket.socket] = set()
        self._port = 0
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None
        self.accept()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.refuse()

    def client(self) -> ApiClient:
        """Return a client of this server; the caller closes it."""
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{self._port}"
        configuration.api_key = {"authorization": "Bearer token-of-the-test"}
        return ApiClient(configuration)

    def put(self, name: str, **status: Any) -> None:
        """Create the pod `name`, or change its status."""
        with self.changed:
            old = self.objects.get(name)
            self.version += 1
            uid = old["metadata"]["uid"] if old else f"uid-{self.version}"
            metadata = {"namespace": "default", "name": name, "uid": uid, "resourceVersion": str(self.version)}
            self.objects[name] = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
            self._record("MODIFIED" if old else "ADDED", self.objects[name])

    def delete(self, name: str) -> None:
        """Delete the pod `name` if it is there."""
        with self.changed:
            old = self.objects.pop(name, None)
            if old:
                self.version += 1
                metadata = {**old["metadata"], "resourceVersion": str(self.version)}
                self._record("DELETED", {**old, "metadata": metadata})

    def order(self, order: Order) -> None:
        """Tell every open stream what to do.

        end: finish well, before its time. cut: close the socket without an end. gone: send 410 as an event.
        error: send 500 as an event. repeat: send the last two changes again. truncate: send half of a line and
        close. lose: send nothing of what follows, but end in time. silence: keep the socket open and send nothing.
        drip: send a byte now and then and never a line.
        """
        with self.changed:
            for stream in self.streams:
                stream.orders.append((len(self.log), order))
            self.changed.notify_all()

    def restore(self, version: int) -> None:
        """Become what it was at a version, as a server does whose database is restored from a copy."""
        with self.changed:
            self.version = version
            self.log = [event for event in self.log if event.version <= version]
            self.objects = {}
            for event in self.log:
                self.objects[event.object["metadata"]["name"]] = event.object
                if event.type == "DELETED":
                    self.objects.pop(event.object["metadata"]["name"])

    def compact(self) -> None:
        """Forget the log: a watch from an earlier version gets 410, as `gone_as` says."""
        with self.changed:
            self.version += 1
            self.compacted = self.version

    def silence(self) -> None:
        """Become half-open: take connections and requests, and send nothing."""
        with self.changed:
            self.silent = True
        self.order("silence")

    def speak(self) -> None:
        """Answer again; connections that met silence are closed."""
        with self.changed:
            self.silent = False
            self.changed.notify_all()

    def refuse(self) -> None:
        """Close the listener and every connection, the silent ones too."""
        self.speak()
        if self._listener is None or self._thread is None:
            return
        self._listener.shutdown()
        self._thread.join()
        self.order("cut")
        with self.changed:
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._listener.server_close()
        self._listener = None

    def accept(self) -> None:
        """Listen, on the same port as ever."""
        if self._listener is None:
            self._listener = Listener(("127.0.0.1", self._port), Handler)
            self._listener.fake = self
            self._port = self._listener.server_address[1]
            self._thread = threading.Thread(target=self._listener.serve_forever, args=(_POLL_SECONDS,))
            self._thread.start()

    def wait_for_stream(self) -> None:
        """Return when a watch is open."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.streams, _WAIT_SECONDS), "no watch was opened"

    @contextlib.contextmanager
    def connection(self, connection: socket.socket) -> Iterator[None]:
        """Hold a connection that `refuse` shall close."""
        with self.changed:
            self._sockets.add(connection)
        try:
            yield
        finally:
            with self.changed:
                self._sockets.discard(connection)

    def _record(self, kind: str, object_: Object) -> None:
        self.log.append(Event(self.version, kind, object_))
        self.changed.notify_all()
