"""Own containers: commands run in what was found to be ours by its ID, and in nothing that has only its name.

A real docker command line is asked: of a fake, whose containers are files, and which runs commands here.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, HostQuirks
from chaos_harness.clusters.engine.inventory import RUN
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded, NotOurs
from chaos_harness.clusters.shape import Shape

_DOCKER = """#!/bin/bash
folder=${0%/*}
echo "$*" >>"$folder/asked"
gone() { echo "$1No such container: $2" >&2; exit 1; }
case $1 in
inspect)
    [ -e "$folder/silent" ] && echo "Cannot connect to the Docker daemon at unix:///x" >&2 && exit 1
    [ -e "$folder/containers/$4" ] || { echo "[]"; gone "Error: " "$4"; }
    read -r line <"$folder/containers/$4"
    echo "[$line]" ;;
exec)
    shift
    while [[ $1 == -* ]]; do shift; done
    container=$1
    shift
    [ -e "$folder/containers/$container" ] || gone "Error response from daemon: " "$container"
    read -r line <"$folder/containers/$container"
    id=${line#*'"Id": "'}
    case $line in
    *'"paused"'*)
        echo "Error response from daemon: Container $container is paused, unpause the container before exec" >&2
        exit 1 ;;
    *'"exited"'*)
        echo "Error response from daemon: Container ${id%%'"'*} is not running" >&2
        exit 1 ;;
    esac
    exec "$@" ;;
esac
"""
_NAME = "c-worker"
_FIRST, _SECOND = "1" * 64, "2" * 64


class Docker:
    """A docker command whose containers are kept under their names and their IDs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "containers").mkdir()
        cli = folder / "docker"
        cli.write_text(_DOCKER, encoding="utf-8")
        cli.chmod(0o755)
        self.engine = Engine("unix:///x", False, "28.1", HostQuirks(), str(cli))

    def put(self, name: str, container: str, *, ours: bool = True, status: str = "running") -> None:
        labels = {RUN: "r"} if ours else {}
        inspected = {"Id": container, "Name": f"/{name}", "Config": {"Labels": labels}, "State": {"Status": status}}
        for file in (name, container):
            (self._folder / "containers" / file).write_text(json.dumps(inspected) + "\n", encoding="utf-8")

    def remove(self, name: str, container: str) -> None:
        for file in (name, container):
            (self._folder / "containers" / file).unlink()

    def silence(self) -> None:
        (self._folder / "silent").touch()

    def asked(self) -> list[str]:
        """Return what was asked since the last time, each by its verb and the container."""
        file = self._folder / "asked"
        lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
        file.unlink(missing_ok=True)
        return [" ".join([words[0], next(word for word in words if word in _WORDS)]) for words in lines]


_WORDS = (_NAME, _FIRST, _SECOND, "theirs")


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    docker = Docker(tmp_path)
    docker.put(_NAME, _FIRST)
    return docker


def soon(seconds: float = 30) -> Deadline:
    return Deadline.after(seconds, "docker")


def test_a_container_is_asked_for_once(docker: Docker) -> None:
    """Whose it is does not change with what it does: later commands go to its ID, and nobody is asked."""
    for word in ("one", "two", "three"):
        assert docker.engine.run(["exec", _NAME, "echo", word], soon()).stdout == f"{word}\n"
    first = [f"inspect {_NAME}", f"exec {_NAME}"]
    assert docker.asked() == [*first, f"exec {_FIRST}", f"exec {_FIRST}"]


def test_what_is_said_to_a_command(docker: Docker) -> None:
    """Text, options and exit status are those of the command, whichever way it is run."""
    for _ in range(2):
        words = ["exec", "--interactive", _NAME, "bash", "-c", "cat; echo x >&2; exit 3"]
        done = docker.engine.run(words, soon(), stdin="text", check=False)
        assert (done.stdout, done.stderr, done.returncode) == ("text", "x\n", 3)


def test_a_copy_for_an_adopted_cluster_knows_them_too(docker: Docker) -> None:
    """They are known of an engine, and of no other one at another address."""
    docker.engine.run(["exec", _NAME, "true"], soon())
    replace(docker.engine, adopted=frozenset([_SECOND])).run(["exec", _NAME, "true"], soon())
    other = Engine("unix:///y", False, "28.1", HostQuirks(), docker.engine.cli)
    other.run(["exec", _NAME, "true"], soon())
    assert Engine("unix:///x", False, "28.1", HostQuirks(), docker.engine.cli) == docker.engine != other
    assert docker.asked()[2:] == [f"exec {_FIRST}", f"inspect {_NAME}", f"exec {_NAME}"]


def test_a_container_that_was_made_anew(docker: Docker) -> None:
    """Nothing was run in the one that is gone, so the command goes to the one that has its name, once that is ours."""
    docker.engine.run(["exec", _NAME, "true"], soon())
    docker.remove(_NAME, _FIRST)
    docker.put(_NAME, _SECOND)
    docker.asked()
    for _ in range(2):
        assert docker.engine.run(["exec", "--interactive", _NAME, "cat"], soon(), stdin="text").stdout == "text"
    assert docker.asked() == [f"exec {_FIRST}", f"inspect {_NAME}", f"exec {_NAME}", f"exec {_SECOND}"]


@pytest.mark.parametrize("check", [True, False])
def test_somebody_elses_container_that_took_the_name(docker: Docker, *, check: bool) -> None:
    """It is refused, now and later, and nothing is run in it."""
    docker.engine.run(["exec", _NAME, "true"], soon())
    docker.remove(_NAME, _FIRST)
    docker.put(_NAME, _SECOND, ours=False)
    docker.asked()
    for _ in range(2):
        with pytest.raises(NotOurs, match=rf"container {_NAME}: expected the label"):
            docker.engine.run(["exec", _NAME, "true"], soon(), check=check)
    assert docker.asked() == [f"exec {_FIRST}", f"inspect {_NAME}", f"inspect {_NAME}"]


def test_a_name_that_moved_while_the_container_is_there(docker: Docker) -> None:
    """A command goes on to what was found to be ours, not to what has its name."""
    docker.engine.run(["exec", _NAME, "true"], soon())
    docker.put(_NAME, _SECOND, ours=False)
    docker.put("renamed", _FIRST)
    assert docker.engine.run(["exec", _NAME, "echo", "one"], soon()).stdout == "one\n"
    assert docker.asked()[-1] == f"exec {_FIRST}"


@pytest.mark.parametrize(
    ("status", "said"),
    [("paused", f"Container {_NAME} is paused, unpause"), ("exited", f"Container {_NAME} is not running")],
)
def test_one_that_does_not_run_keeps_its_id(docker: Docker, status: str, said: str) -> None:
    """The error has its name, as it was asked for; when it runs again, so does the next command, without a question."""
    docker.engine.run(["exec", _NAME, "true"], soon())
    docker.put(_NAME, _FIRST, status=status)
    with pytest.raises(CommandFailed, match=rf"`\S+docker exec {_NAME} true` ended with status 1:\n.*{said}") as caught:
        docker.engine.run(["exec", _NAME, "true"], soon())
    assert _FIRST not in str(caught.value) + caught.value.said
    done = docker.engine.run(["exec", _NAME, "true"], soon(), check=False)
    assert (done.returncode, said in done.stderr, _FIRST in done.stderr) == (1, True, False)
    docker.put(_NAME, _FIRST)
    docker.engine.run(["exec", _NAME, "true"], soon())
    assert docker.asked()[2:] == [f"exec {_FIRST}"] * 3


def test_one_that_is_gone(docker: Docker) -> None:
    """Docker's own error names it by its name."""
    docker.engine.run(["exec", _NAME, "true"], soon())
    docker.remove(_NAME, _FIRST)
    docker.asked()
    for _ in range(2):
        with pytest.raises(CommandFailed, match=rf"`\S+docker exec {_NAME} true` .*\n.*No such container: {_NAME}$"):
            docker.engine.run(["exec", _NAME, "true"], soon())
    assert docker.asked() == [f"exec {_FIRST}", *[f"inspect {_NAME}", f"exec {_NAME}"] * 2]


def test_a_command_that_says_that_something_is_gone(docker: Docker, tmp_path: Path) -> None:
    """It was run, and is not run again: only docker's own word about this container counts."""
    script = f"echo >>{tmp_path}/ran; echo Error: No such container: other >&2; echo {_FIRST} >&2; exit 1"
    for _ in range(2):
        done = docker.engine.run(["exec", _NAME, "bash", "-c", script], soon(), check=False)
        assert done.stderr == f"Error: No such container: other\n{_FIRST}\n"
    assert (tmp_path / "ran").read_text(encoding="utf-8") == "\n\n"


def test_a_time_limit_names_the_container(docker: Docker) -> None:
    """What did not end in time is told by the name of the container."""
    docker.engine.run(["exec", _NAME, "true"], soon())
    with pytest.raises(DeadlineExceeded, match=rf"docker exec {_NAME} sleep 600` still running"):
        docker.engine.run(["exec", _NAME, "sleep", "600"], soon(0.5))


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_files_are_used_once(docker: Docker, stream: str) -> None:
    """A file that is read or written is for one command alone: whose the container is, is asked before."""
    docker.engine.run(["exec", _NAME, "true"], soon())
    docker.remove(_NAME, _FIRST)
    docker.put(_NAME, _SECOND)
    docker.asked()
    with tempfile.TemporaryFile() as file:
        file.write(b"text")
        file.seek(0)
        docker.engine.run(["exec", "--interactive", _NAME, "cat"], soon(), **{stream: file})  # type: ignore[arg-type]
    assert docker.asked() == [f"inspect {_NAME}", f"exec {_NAME}"]


def test_what_is_adopted_is_asked_for_each_time(docker: Docker) -> None:
    """It is lent for a time: without the loan, nothing is run in it any more."""
    docker.put("theirs", _SECOND, ours=False)
    lent = replace(docker.engine, adopted=frozenset([_SECOND]))
    for _ in range(2):
        lent.run(["exec", "theirs", "true"], soon())
    with pytest.raises(NotOurs, match="container theirs"):
        docker.engine.run(["exec", "theirs", "true"], soon())
    assert docker.asked() == [*["inspect theirs", "exec theirs"] * 2, "inspect theirs"]


def test_other_commands_ask_each_time(docker: Docker) -> None:
    """What stops or removes a container goes by its name, and only after the question; it tells of its ID, too."""
    for verb in ("stop", "stop", "exec", "rm"):
        docker.engine.run([verb, _NAME, *(["true"] if verb == "exec" else [])], soon())
    asked = docker.asked()
    assert asked[:4] == [f"inspect {_NAME}", f"stop {_NAME}"] * 2
    assert asked[4:] == [f"exec {_FIRST}", f"inspect {_NAME}", f"rm {_NAME}"]


def test_an_option_that_nobody_knows_is_refused_later_too(docker: Docker) -> None:
    """What is asked of a known container is read as carefully."""
    docker.engine.run(["exec", _NAME, "true"], soon())
    docker.asked()
    with pytest.raises(CommandFailed, match="expected a name, found '--privileged', which is an option"):
        docker.engine.run(["exec", "--privileged", _NAME, "true"], soon())
    assert docker.asked() == []


def test_an_engine_that_does_not_tell(docker: Docker) -> None:
    """Who is not known is not known after it either."""
    docker.silence()
    for _ in range(2):
        with pytest.raises(CommandFailed, match="was not run: Cannot connect"):
            docker.engine.run(["exec", _NAME, "true"], soon())
    assert docker.asked() == [f"inspect {_NAME}"] * 2


def test_who_talks_to_a_node_knows_it(docker: Docker, tmp_path: Path) -> None:
    """A command that runs on is begun after a question, whose answer the next one has."""
    cluster = Cluster("c", Shape(workers=1), docker.engine, tmp_path / "kubeconfig", "c", None, "r", tmp_path)
    with cluster.talk(_NAME, ["cat"], soon()):
        pass
    docker.asked()
    cluster.exec(_NAME, ["true"], soon())
    assert docker.asked() == [f"exec {_FIRST}"]
