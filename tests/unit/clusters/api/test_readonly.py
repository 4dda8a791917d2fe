"""Foreign: a user's own cluster is asked by GET only, never for Secrets, and each failure is one error."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.api.readonly import ReadOnlyCluster, open_readonly
from chaos_harness.clusters.errors import BadScenario, ClusterUnavailable

_SAID = {
    "/deep": b"[" * 100_000,
    "/digits": b"9" * 5000,
    "/evil": json.dumps({"message": "\x1b[2J" * 1000}).encode(),
    "/mixed": json.dumps({"items": [1, "a", {"metadata": {}}]}).encode(),
    "/other": json.dumps({"items": {"a": 1}}).encode(),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        status = {"/forbidden": 403, "/broken": 500, "/evil": 500}.get(self.path, 200)
        body = {"message": "said"} if status != 200 else {"items": [{"metadata": {"name": "a"}}]}
        data = _SAID.get(self.path) or json.dumps(body).encode()
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
    with open_readonly(kubeconfig, "mine") as cluster:
        assert cluster.items("/api/v1/nodes") == [{"metadata": {"name": "a"}}]
        assert cluster.items("/forbidden") == []
        assert cluster.get("/forbidden") is None

    assert server.asked == ["GET /api/v1/nodes", "GET /forbidden", "GET /forbidden"]
    assert kubeconfig.read_bytes() == before


def test_a_pipe(server: _Server, kubeconfig: Path, tmp_path: Path) -> None:
    """A kubeconfig may come by a pipe, as of `--kubeconfig <(kubectl config view --raw)`, which is read once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(kubeconfig.read_bytes(),))
    writer.start()
    with open_readonly(pipe) as cluster:
        assert cluster.items("/api/v1/nodes") == [{"metadata": {"name": "a"}}]
    writer.join()


def test_no_method_writes() -> None:
    """There is nothing to call that writes."""
    assert [name for name in vars(ReadOnlyCluster) if not name.startswith("_")] == ["get", "items"]


def test_no_secrets(server: _Server, kubeconfig: Path) -> None:
    """Secrets are refused before the cluster is asked."""
    with (
        open_readonly(kubeconfig) as cluster,
        pytest.raises(BadScenario, match="Secrets of a user's cluster are not read"),
    ):
        cluster.get("/api/v1/namespaces/gatekeeper-system/secrets/gatekeeper-webhook-server-cert")
    assert server.asked == []


def test_failures(server: _Server, kubeconfig: Path) -> None:
    """An error of the server, and no answer, are errors that say what was asked."""
    with open_readonly(kubeconfig) as cluster:
        with pytest.raises(ClusterUnavailable, match="GET /broken: 500 said"):
            cluster.get("/broken")
        server.shutdown()
        server.server_close()
        with pytest.raises(ClusterUnavailable, match="GET /version: no answer"):
            cluster.get("/version")


def test_answers_that_are_none(server: _Server, kubeconfig: Path) -> None:
    """An answer that nests too deep, or counts too far, is none; of a list only objects count; a message is shown."""
    with open_readonly(kubeconfig) as cluster:
        for path in ("/deep", "/digits"):
            with pytest.raises(ClusterUnavailable, match=f"GET {path}: no answer: "):
                cluster.get(path)
        with pytest.raises(ClusterUnavailable, match=r"GET /evil: 500 \\x1b\[2J") as error:
            cluster.get("/evil")
        assert cluster.items("/mixed") == [{"metadata": {}}]
        assert cluster.items("/other") == []
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("{}", None),
        ("[", None),
        (None, None),
        ("ok", "other"),
        ("", None),
        ("- a", None),
        ("a: &a [*a]", None),
        ("clusters: 7\ncontexts: 7\nusers: 7\ncurrent-context: a", None),
        ("current-context: a\ncontexts: [{name: a, context: 1}]", None),
        ("[" * 9999, None),
        ("a: 1" + ":59" * 50_000, None),
        ("a: !!python/object/apply:os.system [id]", None),
        ("a" * 2_000_000, None),
        ("a: \x01", None),
        (
            "{contexts: [{name: a, context: {cluster: a}}], clusters: [{name: a, cluster: {server: 7}}]}",
            "a",
        ),
    ],
)
def test_bad_kubeconfigs(kubeconfig: Path, text: str | None, context: str | None) -> None:
    """A file that is none, empty or missing, and a context that is not in it, are refused."""
    if text is None:
        kubeconfig.unlink()
    elif text != "ok":
        kubeconfig.write_text(text, encoding="utf-8")

    with pytest.raises(BadScenario, match="expected a kubeconfig") as error, open_readonly(kubeconfig, context):
        pytest.fail("it was opened")
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 600
