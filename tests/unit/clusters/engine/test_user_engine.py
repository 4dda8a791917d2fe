"""Tests of clusters.engine.user_engine and of how connect and find choose; real sockets, no engine needed."""

import json
import os
import socket
from pathlib import Path

import pytest

from chaos_harness.clusters import engine
from chaos_harness.clusters.engine import HostQuirks, Layout, user_engine
from chaos_harness.clusters.errors import BadScenario, EngineUnavailable


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout("chaos-unit", tmp_path / "data", tmp_path / "run")


def _silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    host = f"unix://{tmp_path}/nobody.sock"
    monkeypatch.setenv("DOCKER_HOST", host)
    return host


@pytest.mark.parametrize("word", ["podman", "AUTO", "none"])
def test_an_unknown_word_is_refused_with_the_known_ones(
    word: str, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHAOS_ENGINE with a word that means nothing stops everything before it begins."""
    monkeypatch.setenv("CHAOS_ENGINE", word)
    with pytest.raises(BadScenario, match="expected one of auto, system, private"):
        engine.connect(layout=layout)
    assert not layout.run.exists()


def test_a_demanded_system_engine_that_does_not_answer_is_an_error(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`system` starts nothing: the error names the address, what happened there, and both ways out."""
    _silent(monkeypatch, tmp_path)
    with pytest.raises(EngineUnavailable, match=r"nobody\.sock.*does not answer.*CHAOS_ENGINE=private"):
        engine.connect("system", layout=layout)
    assert not layout.run.exists()


def test_find_starts_nothing(layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where nothing answers there is nothing to be found, and nothing was made."""
    _silent(monkeypatch, tmp_path)
    assert engine.find("auto", layout) is None
    assert not layout.run.exists()


def test_who_is_not_root_is_told_both_ways(layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No engine and no root: start yours or become root, and why yours could not be used."""
    _silent(monkeypatch, tmp_path)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(EngineUnavailable, match=r"(?s)nobody\.sock.*only root.*systemctl start docker"):
            engine.connect("auto", layout=layout)
    finally:
        os.seteuid(was)


@pytest.mark.parametrize("host", ["ssh://me@far", "tcp://192.0.2.9:2375"])
def test_an_engine_on_another_machine_cannot_be_used(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports that containers publish on that machine's loopback are not on this one's; nobody is asked."""
    monkeypatch.setenv("DOCKER_HOST", host)
    assert "another machine" in user_engine.find().problem


def test_the_current_docker_context_names_the_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without DOCKER_HOST the endpoint is the one that `docker context inspect` tells."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    contexts = [{"Name": "mine", "Endpoints": {"docker": {"Host": f"unix://{tmp_path}/mine.sock"}}, "TLSMaterial": {}}]
    cli = tmp_path / "docker"
    cli.write_text(f"#!/bin/sh\n[ \"$*\" = 'context inspect' ] && echo '{json.dumps(contexts)}'\n")
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert user_engine.find().host == f"unix://{tmp_path}/mine.sock"


def test_without_a_docker_command_the_default_socket_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An engine may be there although its command is not."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert user_engine.find().host == "unix:///var/run/docker.sock"


def test_the_listener_of_a_socket_is_who_called_listen(tmp_path: Path) -> None:
    """The kernel tells which process an engine is, so that its capabilities can be read."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert user_engine.listener(f"unix://{tmp_path}/s") is None
        server.listen()
        assert user_engine.listener(f"unix://{tmp_path}/s") == os.getpid()


@pytest.mark.parametrize(
    ("pid", "unseen", "of"), [(7, False, 7), (None, True, "self"), (None, False, None)], ids=["seen", "hidden", "far"]
)
def test_the_users_engine_has_a_host_wherever_its_process_is(
    pid: int | None, unseen: bool, of: object, layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run in a PID namespace of its own brings nodes up on that host as any other does."""
    asked: list[object] = []

    def detect(pid: object, *_: object) -> HostQuirks:
        asked.append(pid)
        return HostQuirks(cgroup_v1=True)

    monkeypatch.setattr(HostQuirks, "detect", detect)
    monkeypatch.setattr(user_engine, "find", lambda: user_engine.SystemEngine("unix:///s", "28.0"))
    monkeypatch.setattr(user_engine, "listener", lambda _: pid)
    monkeypatch.setattr(user_engine, "listens_in_other_namespace", lambda _: unseen)
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    users_engine = engine.find("system", layout)
    assert users_engine
    assert (asked, users_engine.quirks.cgroup_v1) == ([] if of is None else [of], of is not None)
