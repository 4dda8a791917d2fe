"""Record: what the real programs answer, in the file by which fakes are judged (python -m tests.fakes.record)."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.creation.create import create, delete
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, claims, connect
from chaos_harness.clusters.engine.inventory import RUN
from chaos_harness.clusters.images import ensure
from chaos_harness.clusters.machine import process
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import NAMESPACE, Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.faults.nodes.drain import _manifest
from chaos_harness.harness.faults.registry.remove_image import images_of
from chaos_harness.harness.faults.targets import find_pods
from tests.fakes.commands import INVENTORY, NODES, Command

__all__ = ["Answer", "Names", "Record", "answer", "answers", "asked", "filled", "names_in", "names_of_run", "recorded"]

Names = Mapping[str, str]
"""What stands for the words in braces of a command."""

Answer = dict[str, Any]
"""Of a command: `command` itself, its `status`, `stdout` and the first line of `stderr`."""

Record = dict[str, dict[str, list[Answer]]]
"""Answers by table ("nodes", "inventory") and by what is tried."""

PATH = Path(__file__).with_name("recorded") / "commands.json"
_SECONDS = 60.0
_LINES = 3
_VARYING = (
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uid>"),
    (r"\b([0-9a-f]{64}|[0-9a-f]{12})\b", "<id>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "<time>"),
    (r"\b\d+(\.\d+)? ?(µs|ms|milliseconds)\b", "<duration>"),
    (r"^\d{10}\.\d{9}$", "<seconds>"),
    (r"^E\d{4} [\d:.]+ +\d+ (\w+)\.go:\d+", r"E<time> \1"),
    (r"^ *[1-9]\d* +[1-9]\d* ", "<some> <some> "),
    (r"\b\d{1,3}(\.\d{1,3}){3}\b", "<address>"),
    (r"\bv\d+\.\d+\.\d+\b|^\d+\.\d+\.\d+$", "<version>"),
    (r"sha256:<id>", "<digest>"),
    (r"[ \t]+", " "),
)


def filled(word: str, names: Names) -> str:
    """Return a word of a command with the names of a cluster in it."""
    for name, value in names.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def asked(command: Command, names: Names) -> list[str]:
    """Return the words of a command as this cluster is asked."""
    return [filled(word, names) for word in command.words]


def answer(command: Command, done: CommandResult, names: Names) -> Answer:
    """Return the status, and of what was said that which is the same in each cluster.

    Of JSON this is the type of what the harness reads, of all else the first lines, of errors the first one.
    """
    said = [_normal(line, names) for line in done.stderr.splitlines() if line.strip()]
    if command.reads and not done.returncode:
        shown: Any = _shape(json.loads(done.stdout), [filled(path, names) for path in command.reads], names)
    else:
        shown = [_normal(line, names) for line in done.stdout.splitlines() if line.strip()]
        if "iptables" in command.words:
            shown = [line for line in shown if "chaos-harness" in line]
        shown = shown[:_LINES]
    return {"command": " ".join(command.words), "status": done.returncode, "stdout": shown, "stderr": said[:1]}


def names_in(cluster: Cluster) -> Names:
    """Return the names that commands need of a cluster with Gatekeeper."""
    deadline = Deadline.after(_SECONDS, "the names that commands need")
    assert cluster.registry
    with cluster.client() as api:
        pod = next(
            target
            for target in find_pods(api, NAMESPACE, (), "gatekeeper.sh/operation=webhook")
            if target.node != cluster.control_planes[0]
        )
        node = request(api, "GET", f"/api/v1/nodes/{pod.node}")
        address = request(api, "GET", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.pod}")["status"]["podIP"]
    images = images_of(cluster, pod.node, deadline)
    image = next(image for image in sorted(images) if "/gatekeeper:" in image)
    return {
        "plane": cluster.control_planes[0],
        "worker": pod.node,
        "registry": cluster.registry.container,
        "network": cluster.network,
        "address": cluster.registry.address_node,
        "host": cluster.registry.address_node.partition(":")[0],
        "header": f'header = "Authorization: {cluster.registry.login.authorization}"\n',
        "webhook": f"{address}:8443",
        "image": image,
        "pod": pod.uid,
        "container": pod.containers[0],
        "node": json.dumps(_manifest(node)),
    }


def names_of_run(run: str) -> Names:
    """Return the names that commands need of a run that the engine knows."""
    return {"label": f"{RUN}={run}"}


def answers(engine: Engine, commands: Sequence[Command], names: Names) -> list[Answer]:
    """Ask a real engine, past the guard, which would refuse what is misspelt before the program could."""
    return [answer(command, _run(engine, command, names), names) for command in commands]


def _run(engine: Engine, command: Command, names: Names) -> CommandResult:
    argv = [engine.cli, *asked(command, names)]
    stdin = None if command.stdin is None else filled(command.stdin, names)
    deadline = Deadline.after(_SECONDS, " ".join(command.words))
    return process.run(argv, deadline, env=engine.environment(), stdin=stdin, check=False)


def _normal(line: str, names: Names) -> str:
    for name, value in sorted(names.items(), key=lambda pair: -len(pair[1])):
        line = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", f"{{{name}}}", line)
    for pattern, instead in _VARYING:
        line = re.sub(pattern, instead, line)
    return line.strip()


def _shape(printed: Any, paths: Sequence[str], names: Names) -> dict[str, str]:
    return {_normal(path, names): type(_at(printed, path)).__name__ for path in paths}


def _at(printed: Any, path: str) -> Any:
    """Return what stands at a path, "[]" being the first element; names with dots are none of them."""
    for part in path.replace("[]", ".[].").split("."):
        if part == "[]":
            printed = printed[0]
        elif part:
            printed = printed[part]
    return printed


@contextmanager
def _cluster(progress: Progress) -> Iterator[Cluster]:
    shape, owner = Shape(), Owner.mine()
    engine = connect(progress=progress, owner=owner)
    images = ensure(engine, shape, progress)
    cluster = create(engine, images, shape, owner, owner.claim(engine.id), progress)
    try:
        yield cluster
    finally:
        delete(cluster)
        claims.release(engine, owner.run)


def recorded_of(cluster: Cluster) -> Record:
    """Return what a real cluster with Gatekeeper and a registry, and its engine, answer to every command."""
    engine = cluster.engine
    tables = {"nodes": (NODES, names_in(cluster)), "inventory": (INVENTORY, names_of_run(cluster.run))}
    return {
        title: {part: answers(engine, commands, names) for part, commands in table.items()}
        for title, (table, names) in tables.items()
    }


def main() -> None:
    """Make a cluster, ask it everything, and write down what it answers."""
    with _cluster(Progress(sys.stdout)) as cluster:
        write(recorded_of(cluster))


def write(record: Record) -> None:
    """Write a record down."""
    PATH.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def recorded() -> Record:
    """Return what is on record."""
    record: Record = json.loads(PATH.read_text(encoding="utf-8"))
    return record


if __name__ == "__main__":
    main()
