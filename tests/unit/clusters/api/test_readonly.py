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


def _changed(kubeconfig: Path, server: str | None = None, user: dict[str, object] | None = None) -> Path:
    content = json.loads(kubeconfig.read_text(encoding="utf-8"))
    content["clusters"][0]["cluster"] |= {"server": server} if server else {}
    content["users"][0] |= {"user": user} if user else {}
    kubeconfig.write_text(json.dumps(content), encoding="utf-8")
    return kubeconfig


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://127.0.0.1:99999", "found 'https://127.0.0.1:99999': expected a port of 1 to 65535"),
        ("https://127.0.0.1:abc", "found 'https://127.0.0.1:abc': expected a port of 1 to 65535"),
        ("https://127.0.0.1:0", "with a server, such as https://10.0.0.1:6443, found 'https://127.0.0.1:0'"),
        ("https://", "with a server, such as https://10.0.0.1:6443, found 'https:"),
        ("https:///a", "with a server, such as https://10.0.0.1:6443, found 'https:///a'"),
        ("https://a b:1", "with a server, such as https://10.0.0.1:6443, found 'https://a b:1'"),
        ("https://a..b:1", "found 'https://a..b:1': no machine can have this name"),
        ("ftp://a:1", "with a server, such as https://10.0.0.1:6443, found 'ftp://a:1'"),
        ("a:1", "with a server, such as https://10.0.0.1:6443, found 'a:1'"),
    ],
)
def test_addresses_that_lead_nowhere(kubeconfig: Path, address: str, words: str) -> None:
    """They are refused before anything is asked."""
    with (
        pytest.raises(BadScenario, match="expected a kubeconfig with") as error,
        open_readonly(_changed(kubeconfig, address)),
    ):
        pytest.fail("it was opened")
    assert words in str(error.value)


@pytest.mark.parametrize(
    "address", ["https://a.example", "https://[::1]:6443", "http://ä.example:80/a", "https://a_b:1/"]
)
def test_addresses_that_may_lead_somewhere(kubeconfig: Path, address: str) -> None:
    """Whether something answers there is another question."""
    with open_readonly(_changed(kubeconfig, address)):
        pass


_CREDENTIAL = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "a"}}'


def _program(command: str, **fields: object) -> dict[str, object]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, **fields}}


@pytest.mark.parametrize("command", ["no-such-login", "./login", "/nowhere/login"])
def test_a_program_that_is_missing(
    kubeconfig: Path, command: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It is told by its name, once."""
    with pytest.raises(BadScenario) as error, open_readonly(_changed(kubeconfig, user=_program(command))):
        pytest.fail("it was opened")
    assert str(error.value).startswith(f"{kubeconfig}: user 'u' logs in by the program ")
    assert f"{command.removeprefix('.')}', which is not on this machine; install it" in str(error.value)
    assert (capsys.readouterr().err, caplog.messages) == ("", [])


def test_a_program_that_gives_no_credentials(kubeconfig: Path) -> None:
    """What the client says of it is told, and nothing is asked without them."""
    with (
        pytest.raises(BadScenario, match=r"no credentials: .*returned 1"),
        open_readonly(_changed(kubeconfig, user=_program("false"))),
    ):
        pytest.fail("it was opened")


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("./login", {}),
        ("login", {"env": [{"name": "PATH", "value": "$HERE:/usr/bin:/bin"}]}),
        ("sh", {"args": ["-c", f"echo '{_CREDENTIAL}'"]}),
    ],
)
def test_a_program_that_is_there(kubeconfig: Path, command: str, fields: dict[str, object]) -> None:
    """Beside the kubeconfig, where the kubeconfig says, or in PATH."""
    login = kubeconfig.with_name("login")
    login.write_text(f"#!/bin/sh\necho '{_CREDENTIAL}'\n", encoding="utf-8")
    login.chmod(0o755)
    user = json.loads(json.dumps(_program(command, **fields)).replace("$HERE", str(kubeconfig.parent)))
    with open_readonly(_changed(kubeconfig, user=user)) as cluster:
        assert cluster.items("/api/v1/nodes")


def test_a_program_that_is_not_asked(kubeconfig: Path) -> None:
    """A user who has a token needs no program."""
    with open_readonly(_changed(kubeconfig, user={"token": "a", **_program("no-such-login")})):
        pass
