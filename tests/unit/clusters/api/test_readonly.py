"""Foreign: what answers otherwise than an API server, and kubeconfigs that lead nowhere; the rest is in tests/api."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.api.readonly import ReadOnlyCluster, open_readonly
from chaos_harness.clusters.errors import BadScenario, ClusterUnavailable
from tests.fakes.rest_server import RestServer, rest_server


@pytest.fixture
def server() -> Iterator[RestServer]:
    answers = {
        "/api/v1/nodes": {"items": [{"metadata": {"name": "a"}}]},
        "/broken": (500, {"message": "said"}),
        "/deep": b"[" * 100_000,
        "/digits": b"9" * 5000,
        "/evil": (500, {"message": "\x1b[2J" * 1000}),
        "/mixed": {"items": [1, "a", {"metadata": {}}]},
        "/other": {"items": {"a": 1}},
    }
    with rest_server(**answers) as server:
        yield server


@pytest.fixture
def kubeconfig(server: RestServer, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mine",
        "clusters": [{"name": "c", "cluster": {"server": server.host}}],
        "contexts": [{"name": "mine", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "token-of-the-test"}}],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_pipe(server: RestServer, kubeconfig: Path, tmp_path: Path) -> None:
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


def test_failures(server: RestServer, kubeconfig: Path) -> None:
    """An error of the server is one that says what was asked."""
    with open_readonly(kubeconfig) as cluster, pytest.raises(ClusterUnavailable, match="GET /broken: 500 said"):
        cluster.get("/broken")


def test_answers_that_are_none(server: RestServer, kubeconfig: Path) -> None:
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
