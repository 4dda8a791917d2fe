"""Tests of clusters.registry.upload: what is sent to a registry, what is not sent again, and what it refuses."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded
from chaos_harness.clusters.registry.saved import Blob, SavedImage
from chaos_harness.clusters.registry.upload import upload

_BLOBS, _PUT = "/v2/team/image/blobs", "/upload/7?_state=x"


@dataclass
class Served:
    """A registry's answers, and what it was asked; `has` are the digests of its blobs."""

    has: set[str] = field(default_factory=set)
    status: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)


class Answering(BaseHTTPRequestHandler):
    """Answers as `Served` says."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        served: Served = vars(self.server)["served"]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        served.asked.append((self.command, self.path, body))
        served.authorizations.add(self.headers.get("Authorization"))
        there = self.path.rpartition("/")[2] in served.has
        usual = {"HEAD": 200 if there else 404, "POST": 202, "PUT": 201}[self.command]
        self.send_response(served.status.get(self.command, usual))
        self.send_header("Location", f"http://{self.headers['Host']}{_PUT}")
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def registry() -> Iterator[tuple[str, Served]]:
    """Yield the address of a registry, and what it says."""
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        vars(server)["served"] = served = Served()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", served
        finally:
            server.shutdown()
            thread.join()


def image(folder: Path) -> SavedImage:
    blobs = []
    for name in ("one", "two"):
        (folder / name).write_text(name)
        blobs.append(Blob(folder / name, f"sha256:{name}", 3))
    return SavedImage(b"{}", tuple(blobs))


def test_blobs_come_before_the_manifest_that_names_them(registry: tuple[str, Served], tmp_path: Path) -> None:
    """Each goes to the place that the registry names; every request has the password."""
    address, served = registry
    upload(address, "team/image", "v1", image(tmp_path), "Basic x", Deadline.after(60, "an upload"))
    assert served.asked == [
        ("HEAD", f"{_BLOBS}/sha256:one", b""),
        ("POST", f"{_BLOBS}/uploads/", b""),
        ("PUT", f"{_PUT}&digest=sha256:one", b"one"),
        ("HEAD", f"{_BLOBS}/sha256:two", b""),
        ("POST", f"{_BLOBS}/uploads/", b""),
        ("PUT", f"{_PUT}&digest=sha256:two", b"two"),
        ("PUT", "/v2/team/image/manifests/v1", b"{}"),
    ]
    assert served.authorizations == {"Basic x"}


def test_what_the_registry_has_is_not_sent(registry: tuple[str, Served], tmp_path: Path) -> None:
    """Two images that share a layer send it once."""
    address, served = registry
    served.has.add("sha256:one")
    upload(address, "team/image", "v1", image(tmp_path), "Basic x", Deadline.after(60, "an upload"))
    assert [body for method, _, body in served.asked if method == "PUT"] == [b"two", b"{}"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 401), ("POST", 503), ("PUT", 400)])
def test_a_refusal_is_told_with_what_was_asked(
    registry: tuple[str, Served], tmp_path: Path, method: str, status: int
) -> None:
    """Such as a blob that is not what its digest says: nothing is sent after it."""
    address, served = registry
    served.status[method] = status
    with pytest.raises(CommandFailed, match=f"the registry answered {status} to {method} /"):
        upload(address, "team/image", "v1", image(tmp_path), "Basic x", Deadline.after(60, "an upload"))
    assert served.asked[-1][0] == method


def test_nobody_answers(tmp_path: Path) -> None:
    """A registry that is gone is an error with its address; a deadline that is over is one before anything is sent."""
    with pytest.raises(CommandFailed, match=r"team/image:v1 could not be pushed to 127\.0\.0\.1:1: Connection"):
        upload("127.0.0.1:1", "team/image", "v1", image(tmp_path), "Basic x", Deadline.after(60, "an upload"))
    with pytest.raises(DeadlineExceeded):
        upload("127.0.0.1:1", "team/image", "v1", image(tmp_path), "Basic x", Deadline.after(0, "an upload"))
