"""Guard: nothing that lacks our label is changed, whatever names it; a real docker command line is asked, of a fake."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, HostQuirks, guard
from chaos_harness.clusters.engine.inventory import PREFIX, RUN
from chaos_harness.clusters.errors import CommandFailed, HarnessError, NotOurs
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import UndoFailed
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal, Undo

_LABELS = {RUN: "r"}
_DOCKER = """#!/bin/sh
folder=${0%/*}
echo "$*" >>"$folder/asked"
if [ -e "$folder/silent" ]; then
    echo "Cannot connect to the Docker daemon at unix:///x: dial: no such file or directory" >&2
    exit 1
fi
case $1 in
inspect)
    kind=$3 comma= status=0
    shift 3
    printf "["
    for name; do
        if [ -f "$folder/$kind/$name" ]; then
            printf "%s" "$comma"
            read -r line <"$folder/$kind/$name"
            printf "%s" "$line"
            comma=,
        else
            echo "Error: No such $kind: $name" >&2
            status=1
        fi
    done
    echo "]"
    exit $status ;;
ps) echo ours ;;
esac
"""


class Docker:
    """A docker command that knows some things, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: Path = folder / "asked"
        cli = folder / "docker"
        cli.write_text(_DOCKER, encoding="utf-8")
        cli.chmod(0o755)
        self.engine = Engine("unix:///x", False, "28.1", HostQuirks(), str(cli))

    def add(self, kind: str, name: str, labels: Mapping[str, str] | None, **attributes: Any) -> None:
        file = self.folder / kind / name
        file.parent.mkdir(parents=True, exist_ok=True)
        inspected = {"Name": f"/{name}", **attributes}
        inspected |= {"Labels": labels} if kind in ("network", "volume") else {"Config": {"Labels": labels}}
        file.write_text(json.dumps(inspected) + "\n", encoding="utf-8")

    def ran(self) -> list[str]:
        """Return what was done, but for questions."""
        lines = self.asked.read_text(encoding="utf-8").splitlines() if self.asked.exists() else []
        return [line for line in lines if line.split()[0] not in ("inspect", "ps")]


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    docker = Docker(tmp_path)
    for kind in ("container", "network", "volume", "image"):
        docker.add(kind, "ours", _LABELS)
        docker.add(kind, "theirs", {"io.x-k8s.kind.cluster": "kind"})
        docker.add(kind, "bare", None)
        docker.add(kind, "cleared", {RUN: ""})
    docker.add("container", "theirs", {guard.IMAGE: "chaos-harness/node:1", "io.x-k8s.kind.cluster": "kind"})
    return docker


def soon() -> Deadline:
    return Deadline.after(30, "docker")


_CHANGING = {
    "exec": ("exec", "--interactive", "{}", "kill", "-KILL", "7"),
    "cp to": ("cp", "/file", "{}:/file"),
    "cp from": ("cp", "{}:/file", "-"),
    "start": ("start", "{}"),
    "stop": ("stop", "-t", "2", "{}"),
    "kill": ("kill", "--signal=KILL", "{}"),
    "pause": ("pause", "ours", "{}"),
    "unpause": ("unpause", "{}", "ours"),
    "restart": ("restart", "-t", "20", "{}"),
    "rm": ("rm", "--force", "--volumes", "{}"),
    "commit": ("commit", "--change", "ENTRYPOINT []", "{}", "name"),
    "network connect": ("network", "connect", "--ip", "10.0.0.2", "{}", "ours"),
    "network connect of": ("network", "connect", "--ip", "10.0.0.2", "ours", "{}"),
    "network disconnect": ("network", "disconnect", "--force", "ours", "{}"),
    "network rm": ("network", "rm", "{}"),
    "volume rm": ("volume", "rm", "ours", "{}"),
    "rmi": ("rmi", "--force", "{}"),
    "untag": ("rmi", "--no-prune", "{}"),
}


@pytest.mark.parametrize("command", _CHANGING)
@pytest.mark.parametrize("name", ["theirs", "bare", "cleared"])
def test_what_is_not_ours_is_not_changed(docker: Docker, command: str, name: str) -> None:
    """A target without our label is refused by its name, and the command is not run."""
    words = [word.format(name) for word in _CHANGING[command]]
    with pytest.raises(NotOurs, match=rf"{name}: expected the label chaos-harness\.run.*, found none"):
        docker.engine.run(words, soon(), check=False)
    assert docker.ran() == []


@pytest.mark.parametrize("command", _CHANGING)
def test_what_is_ours_is_changed(docker: Docker, command: str) -> None:
    """A target with our label is changed, and so is one that is not there: docker itself says so."""
    for name in ("ours", "missing"):
        words = [word.format(name) for word in _CHANGING[command]]
        docker.engine.run(words, soon())
        assert docker.ran()[-1] == " ".join(words)


def test_each_changing_command_is_tried() -> None:
    """The table above has every command that changes something."""
    tried = {guard.verb_of(words) for words in _CHANGING.values()}
    assert tried == {name for name, verb in guard._VERBS.items() if verb.kinds}


@pytest.mark.parametrize("words", [("run", "--name", "x", "image"), ("network", "create", "--label", f"{RUN}=", "x")])
def test_what_is_made_is_labelled(docker: Docker, words: tuple[str, ...]) -> None:
    """What would be made without our label could never be removed again: it is not made."""
    with pytest.raises(NotOurs, match=r"expected --label chaos-harness\.run=…"):
        docker.engine.run(words, soon())
    docker.engine.run([*words[:-1], "--label", f"{RUN}=r", words[-1]], soon())
    assert len(docker.ran()) == 1


@pytest.mark.parametrize(
    "words", [("network", "prune"), ("system", "prune", "--force"), ("swarm", "init"), ("update",)]
)
def test_an_unknown_command_is_refused(docker: Docker, words: tuple[str, ...]) -> None:
    """What nobody has said the targets of is not run."""
    with pytest.raises(
        HarnessError, match=r"what another command changes must be said in chaos_harness\.clusters\.engine\.guard"
    ):
        docker.engine.run(words, soon())
    assert docker.ran() == []


@pytest.mark.parametrize("words", [("rm", "--all"), ("exec", "--privileged", "ours"), ("stop", "ours", "-s")])
def test_a_name_that_is_an_option_is_refused(docker: Docker, words: tuple[str, ...]) -> None:
    """A name that docker would take for an option is told, and nothing is done."""
    with pytest.raises(CommandFailed, match=r"expected a name, found '-.*, which is an option"):
        docker.engine.run(words, soon())
    assert docker.ran() == []


def test_an_engine_that_does_not_tell(docker: Docker) -> None:
    """If nobody knows whose it is, it is not changed; who asked without a check gets the engine's own words."""
    (docker.folder / "silent").touch()
    with pytest.raises(CommandFailed, match="was not run: Cannot connect to the Docker daemon"):
        docker.engine.run(["kill", "ours"], soon())
    done = docker.engine.run(["kill", "ours"], soon(), check=False)
    assert (done.returncode, docker.ran()) == (1, [])
    assert done.stderr.startswith("Cannot connect")
    with pytest.raises(CommandFailed, match="does not say who owns ours"):
        docker.engine.require_ours("container", ["ours"], soon())


def test_questions_are_free(docker: Docker) -> None:
    """To look at what is not ours harms nobody, and costs one command."""
    docker.engine.run(["logs", "theirs"], soon())
    assert docker.asked.read_text(encoding="utf-8") == "logs theirs\n"


@pytest.mark.parametrize("question", ["ps", "images", "inspect a", "logs a", "port a", "info", "version", "save a"])
def test_what_only_looks_is_no_change(question: str) -> None:
    """Nobody is asked whose it is."""

    def ask(words: Sequence[str]) -> CommandResult:
        raise AssertionError(words)

    assert guard.require_ours(question.split(), ask) is None


def test_names_pushed_to_a_registry_of_ours(docker: Docker) -> None:
    """The name under which an image was pushed goes, whoever made the image, if a registry of ours has that port."""
    bindings = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "21000"}]}
    docker.add("container", "ours", _LABELS, HostConfig={"PortBindings": bindings})
    for port in (21000, 21001):
        docker.add("image", f"127.0.0.1:{port}/a/b:1", None, RepoTags=[f"127.0.0.1:{port}/a/b:1"])
    docker.engine.run(["rmi", "--no-prune", "127.0.0.1:21000/a/b:1"], soon())
    for words in (["rmi", "--no-prune", "127.0.0.1:21001/a/b:1"], ["rmi", "--force", "127.0.0.1:21000/a/b:1"]):
        with pytest.raises(NotOurs, match=r"image 127\.0\.0\.1:2100[01]/a/b:1"):
            docker.engine.run(words, soon())
    assert len(docker.ran()) == 1


def test_a_label_that_came_with_the_image(docker: Docker) -> None:
    """Of an image that somebody committed of a node he has containers with its labels; nodes have their own."""
    docker.add("image", "sha256:evidence", {RUN: "r"}, Id="sha256:evidence")
    docker.add("container", "evidence", {RUN: "r"}, Image="sha256:evidence")
    docker.add("container", "node", {RUN: "another"}, Image="sha256:evidence")
    docker.add("container", "orphan", {RUN: "r"}, Image="sha256:gone")
    with pytest.raises(NotOurs, match=r"container evidence: expected the label chaos-harness\.run of its own"):
        docker.engine.run(["rm", "evidence"], soon())
    for name in ("node", "node", "orphan"):
        docker.engine.run(["rm", name], soon())
    asked = docker.asked.read_text(encoding="utf-8")
    assert docker.ran() == ["rm node", "rm node", "rm orphan"]
    assert asked.count("--type image sha256:evidence") == 1


def test_images_of_ours(docker: Docker) -> None:
    """An image that the harness built carries its own label, and no run's, for it outlives them."""
    docker.add("image", "built", {guard.IMAGE: "chaos-harness/node:1"})
    docker.engine.run(["rmi", "built"], soon())
    assert (guard._RUN, guard.IMAGE.rpartition(".")[0]) == (RUN, PREFIX)
    assert guard.IMAGE != RUN


@pytest.mark.parametrize(
    "entry",
    [
        Undo("nodes.start", {"node": "theirs", "network": "ours", "address": "10.0.0.2"}),
        Undo("nodes.resume", {"node": "theirs"}),
        Undo("registry.restore", {"container": "theirs", "running": True, "down": False}),
        Undo("registry.start", {"container": "theirs"}),
        Undo("registry.no_longer_down", {"container": "theirs"}),
        Undo("registry.drop_no_more", {"node": "theirs", "rule": ["OUTPUT", "-j", "DROP"]}),
        Undo("throttle.unthrottle", {"node": "theirs", "file": "/sys/x", "limit": "-1"}),
        Undo("images.pull", {"node": "theirs", "image": "x"}),
        Undo("pods.uncordon", {"control_plane": "theirs", "node": "n"}),
        Undo("leaving.register", {"control_plane": "theirs", "node": "n", "manifest": {}}),
        Undo("objects.delete", {"control_plane": "theirs", "resource": "Namespace", "name": "n"}),
    ],
    ids=lambda entry: entry.action,
)
def test_a_replay_changes_nothing_that_is_not_ours(docker: Docker, tmp_path: Path, entry: Undo) -> None:
    """A journal that names somebody else's container, by whatever mistake, is refused and stays pending."""
    docker.add("container", "theirs", None, State={"Status": "exited"}, NetworkSettings={"Networks": {}})
    opened = Journal(tmp_path / "journal.jsonl")
    opened.record(entry)
    opened.close()
    with pytest.raises(UndoFailed, match="NotOurs: container theirs"):
        journal.replay(opened.path, docker.engine)
    assert docker.ran() == []
    assert journal.pending(opened.path) == [entry]
