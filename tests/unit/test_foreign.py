"""Foreign: a user's own cluster is asked by GET only, never for Secrets, and each failure is one error."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clusters.errors import BadScenario, ClusterUnavailable
from clusters.foreign import Foreign, opened


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        status = {"/forbidden": 403, "/broken": 500}.get(self.path, 200)
        body = {"message": "said"} if status != 200 else {"items": [{"metadata": {"name": "a"}}]}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kubeconfig(server: _Server, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mine",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        "contexts": [{"name": "mine", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "token-of-the-test"}}],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_read(server: _Server, kubeconfig: Path) -> None:
    """Objects come by GET, those that the user may not see are none, and the kubeconfig stays as it was."""
    before = kubeconfig.read_bytes()
    with opened(kubeconfig, "mine") as cluster:
        assert cluster.items("/api/v1/nodes") == [{"metadata": {"name": "a"}}]
        assert cluster.items("/forbidden") == []
        assert cluster.get("/forbidden") is None

    assert server.asked == ["GET /api/v1/nodes", "GET /forbidden", "GET /forbidden"]
    assert kubeconfig.read_bytes() == before


def test_no_method_writes() -> None:
    """There is nothing to call that writes."""
    assert [name for name in vars(Foreign) if not name.startswith("_")] == ["get", "items"]


def test_no_secrets(server: _Server, kubeconfig: Path) -> None:
    """Secrets are refused before the cluster is asked."""
    with opened(kubeconfig) as cluster, pytest.raises(BadScenario, match="Secrets of a user's cluster are not read"):
        cluster.get("/api/v1/namespaces/gatekeeper-system/secrets/gatekeeper-webhook-server-cert")
    assert server.asked == []


def test_failures(server: _Server, kubeconfig: Path) -> None:
    """An error of the server, and no answer, are errors that say what was asked."""
    with opened(kubeconfig) as cluster:
        with pytest.raises(ClusterUnavailable, match="GET /broken: 500 said"):
            cluster.get("/broken")
        server.shutdown()
        server.server_close()
        with pytest.raises(ClusterUnavailable, match="GET /version: no answer"):
            cluster.get("/version")


@pytest.mark.parametrize(("text", "context"), [("{}", None), ("[", None), (None, None), ("ok", "other")])
def test_bad_kubeconfigs(kubeconfig: Path, text: str | None, context: str | None) -> None:
    """A file that is none, empty or missing, and a context that is not in it, are refused."""
    if text is None:
        kubeconfig.unlink()
    elif text != "ok":
        kubeconfig.write_text(text, encoding="utf-8")

    with pytest.raises(BadScenario, match="expected a kubeconfig"), opened(kubeconfig, context):
        pytest.fail("it was opened")
