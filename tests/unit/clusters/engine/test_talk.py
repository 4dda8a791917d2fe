"""Talking: who is begun to be spoken to in a container is ours, and nothing that docker says or leaves out hangs us.

A real docker command line is asked: of a fake, which runs what it is to run in a container here.
"""

import select
import time
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, HostQuirks
from chaos_harness.clusters.engine.dialogue import Dialogue
from chaos_harness.clusters.engine.inventory import RUN
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded, HarnessError, NotOurs
from chaos_harness.clusters.machine.orphans import members
from chaos_harness.clusters.shape import Shape

_DOCKER = f"""#!/bin/bash
folder=${{0%/*}}
echo "$*" >>"$folder/asked"
case $1 in
inspect)
    [ -e "$folder/silent" ] && echo "Cannot connect to the Docker daemon at unix:///x" >&2 && exit 1
    [ -e "$folder/hung" ] && exec sleep 600
    case $4 in
    theirs) echo '[{{"Name": "/theirs", "Config": {{"Labels": {{}}}}}}]' ;;
    c-*) echo '[{{"Name": "/'$4'", "Config": {{"Labels": {{"{RUN}": "r"}}}}}}]' ;;
    *) echo "Error: No such container: $4" >&2; exit 1 ;;
    esac ;;
exec)
    [ "$3" = c-gone ] && echo "Error response from daemon: No such container: c-gone" >&2 && exit 1
    shift 3
    exec "$@" ;;
esac
"""
_ECHO = ["bash", "-c", 'while read -r line; do echo "$DOCKER_HOST $line"; done']


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    cli = tmp_path / "docker"
    cli.write_text(_DOCKER, encoding="utf-8")
    cli.chmod(0o755)
    return Engine("unix:///x", False, "28.1", HostQuirks(), str(cli))


@pytest.fixture
def cluster(engine: Engine, tmp_path: Path) -> Cluster:
    return Cluster("c", Shape(workers=1), engine, tmp_path / "kubeconfig", "c", None, "r", tmp_path)


def soon(seconds: float = 30) -> Deadline:
    return Deadline.after(seconds, "docker")


def asked(engine: Engine) -> list[str]:
    """Return what docker was asked, by its first words."""
    file = Path(engine.cli).parent / "asked"
    return [line.split()[0] for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def said(spoken: Dialogue) -> list[str]:
    """Return all that it says up to its end."""
    deadline, lines = soon(), list[str]()
    while not spoken.ended:
        assert select.select([spoken], [], [], deadline.remaining)[0], "it neither says anything nor ends"
        lines += spoken.hear()
    return lines


def test_what_is_ours_is_spoken_to(cluster: Cluster) -> None:
    """The command of a node answers, and it is this engine's docker that was asked for it."""
    with cluster.talk("c-worker", _ECHO, soon()) as spoken:
        spoken.say("hello")
        assert select.select([spoken], [], [], 30)[0]
        assert spoken.hear() == ["unix:///x hello"]
    assert asked(cluster.engine) == ["inspect", "exec"]


@pytest.mark.parametrize("name", ["theirs", "c-control-plane2", "--privileged", ""])
def test_a_container_of_another_cluster_is_not_spoken_to(cluster: Cluster, name: str) -> None:
    """It is refused by what the cluster has, before docker is asked anything."""
    with pytest.raises(NotOurs, match=r"cluster c has no container .*; it has c-control-plane, c-worker"):
        cluster.talk(name, _ECHO, soon())
    assert asked(cluster.engine) == []


def test_a_container_without_our_label_is_not_spoken_to(engine: Engine) -> None:
    """It is refused by its name, and nothing is begun in it."""
    with pytest.raises(NotOurs, match=r"container theirs: expected the label chaos-harness\.run"):
        engine.talk(["exec", "--interactive", "theirs", *_ECHO], soon())
    assert asked(engine) == ["inspect"]


def test_an_engine_that_does_not_tell_whose_it_is(cluster: Cluster) -> None:
    """Nothing is begun where nobody knows whose it is; the error has the engine's own words."""
    Path(cluster.engine.cli).with_name("silent").touch()
    with pytest.raises(CommandFailed, match="was not run: Cannot connect to the Docker daemon"):
        cluster.talk("c-worker", _ECHO, soon())
    assert asked(cluster.engine) == ["inspect"]


def test_an_engine_that_does_not_answer_in_time(cluster: Cluster) -> None:
    """Whoever asks is not held up for longer than he said, and nothing is begun."""
    Path(cluster.engine.cli).with_name("hung").touch()
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="inspect"):
        cluster.talk("c-worker", _ECHO, soon(3))
    assert time.monotonic() - begun < 20
    assert asked(cluster.engine) == ["inspect"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["attach", "c-worker"], "what another command changes must be said in"),
        (["exec", "--privileged", "c-worker", "id"], "expected a name, found '--privileged', which is an option"),
    ],
    ids=["command", "option"],
)
def test_what_the_guard_does_not_know_is_not_begun(engine: Engine, words: list[str], message: str) -> None:
    """Neither a command nor an option of which nobody has said what it changes."""
    with pytest.raises(HarnessError, match=message):
        engine.talk(words, soon())
    assert asked(engine) == []


def test_a_container_that_is_gone_says_so_and_ends(engine: Engine) -> None:
    """It is no error to begin: docker's own words are heard as a line, and then the end."""
    with engine.talk(["exec", "--interactive", "c-gone", *_ECHO], soon()) as spoken:
        spoken.say("hello?")
        assert said(spoken) == ["Error response from daemon: No such container: c-gone"]
        spoken.say("hello?")
        assert spoken.hear() == []


def test_a_command_that_ends_early(cluster: Cluster) -> None:
    """All that it said before is heard, half a line too, and the block ends in peace."""
    with cluster.talk("c-worker", ["bash", "-c", "read -r; echo one; printf half; exit 7"], soon()) as spoken:
        spoken.say("")
        assert said(spoken) == ["one", "half"]


def test_garbage_is_heard_as_lines(cluster: Cluster) -> None:
    """Bytes that are no UTF-8, and zeros, raise nothing: whoever reads the lines says what they must be like."""
    script = r"read -r; printf 'one\n\xff\xfe\x00two\n\nthree\xc3'"
    with cluster.talk("c-worker", ["bash", "-c", script], soon()) as spoken:
        spoken.say("")
        assert said(spoken) == ["one", "\ufffd\ufffd\x00two", "", "three\ufffd"]


def test_a_container_that_does_not_answer_holds_nobody_up(cluster: Cluster) -> None:
    """As one on a paused node: to listen takes no time, to leave takes a second, and the command is ended."""
    begun = time.monotonic()
    with cluster.talk("c-worker", ["bash", "-c", "echo $$; exec sleep 600"], soon()) as spoken:
        assert select.select([spoken], [], [], 30)[0]
        pid = int(spoken.hear()[0])
        for _ in range(3):
            spoken.say("")
            assert spoken.hear() == []
        assert not spoken.ended
    assert time.monotonic() - begun < 20
    assert members(pid) == []
