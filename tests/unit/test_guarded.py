"""Guarded: no source but the engine's own speaks to Docker past the guard, which knows all that is asked of it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.engine import guard
from chaos_harness.clusters.errors import HarnessError

_ROOT = Path(__file__).parents[2]
_FOLDERS = ("benchmarks", "clusters", "harness", "reports", "scenarios")
_GUARDED = "clusters/engine/"
_WITH_COMMAND = {
    "clusters/kind/cli.py": "kind gets it in a script that labels what it makes, and is not run beside others' nodes",
}
_SUSPECT = re.compile("docker|podman|nerdctl|engine|cli")
"""What stands in each way past the guard: a source without any of it is not parsed."""
_RUNNERS = {"run", "Popen", "call", "check_call", "check_output", "system", "popen", "execvp", "execv", "spawn"}


def _problems(path: str, source: str) -> list[str]:
    """Return how a Python file, named by its path in the repository, gets past the guard."""
    if path.startswith(_GUARDED) or not _SUSPECT.search(source):
        return []
    tree = ast.parse(source)
    lines = ((getattr(node, "lineno", 0), node) for node in ast.walk(tree))
    return [f"{path}:{line}: {words}" for line, node in lines for words in _past(path, node)]


def _past(path: str, node: ast.AST) -> Iterator[str]:
    """Yield what is wrong with one node of a source; it stands at its line."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        if any(name.partition(".")[0] in ("docker", "dockerpty", "aiodocker") for name in names):
            yield "imports Docker's SDK, which knows no guard: Engine.run"
    if isinstance(node, ast.Attribute):
        receiver = ast.unparse(node.value)
        if node.attr == "cli" and path not in _WITH_COMMAND:
            yield "takes the docker command from the engine: Engine.run"
        if node.attr in ("_ask", "client") and receiver.endswith("engine"):
            yield f"reaches past the guard by {receiver}.{node.attr}: Engine.run"
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "docker.sock" in node.value:
        yield "names Docker's socket"
    if isinstance(node, ast.Call) and _called(node) in _RUNNERS:
        words = [*node.args, *(keyword.value for keyword in node.keywords)]
        if any(_begins_with_docker(word) for word in words):
            yield "runs docker: Engine.run"
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value).endswith("engine") and node.args:
            yield from _unknown(node.args[0])


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _begins_with_docker(node: ast.expr) -> bool:
    """Whether an argument is a command line, as a list or as text, of docker."""
    first = node.elts[0] if isinstance(node, ast.List | ast.Tuple) and node.elts else node
    if isinstance(first, ast.JoinedStr) and first.values:
        first = first.values[0]
    text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
    program = text.strip().split(" ")[0].rpartition("/")[2]
    return program in ("docker", "podman", "nerdctl")


def _unknown(node: ast.expr) -> Iterator[str]:
    """Yield that the guard does not know a command that is written out."""
    if not isinstance(node, ast.List | ast.Tuple):
        return
    words = [
        element.value
        for element in node.elts[:2]
        if isinstance(element, ast.Constant) and isinstance(element.value, str)
    ]
    if words:
        try:
            guard.verb_of(words)
        except HarnessError as error:
            yield str(error)


def test_nobody_goes_past_the_guard() -> None:
    """Every source of ours changes Docker's things by Engine.run alone."""
    files = [*(file for folder in _FOLDERS for file in (_ROOT / folder).rglob("*.py")), _ROOT / "noxfile.py"]
    assert len(files) > 100
    problems = [
        problem
        for file in files
        for problem in _problems(str(file.relative_to(_ROOT)), file.read_text(encoding="utf-8"))
    ]
    assert problems == []


@pytest.mark.parametrize(
    "source",
    [
        "import docker",
        "from docker.errors import NotFound",
        "subprocess.run(['docker', 'rm', '--force', name])",
        "process.run(('/usr/bin/docker', 'kill', name), deadline)",
        "os.system(f'docker stop {name}')",
        "subprocess.Popen(args=['docker', 'exec', name])",
        "run([engine.cli, 'kill', name], deadline)",
        "cluster.engine.client().containers.get(name).kill()",
        "engine.client(timeout=3)",
        "engine._ask(deadline)(['rm', name])",
        "connect('unix:///var/run/docker.sock')",
        "cluster.engine.run(['network', 'prune'], deadline)",
        "self.engine.run(['update', '--cpus', '1', name], deadline)",
    ],
)
def test_a_planted_offender_is_found(source: str) -> None:
    """Each way past the guard is told with its file and line."""
    assert [problem.partition(": ")[0] for problem in _problems("harness/faults/planted.py", f"\n{source}\n")][:1] == [
        "harness/faults/planted.py:2"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "cluster.engine.run(['kill', '--signal', 'KILL', node], deadline)",
        "engine.run([*verb, *left], deadline)",
        "raise CommandFailed(f'`docker kill {node}`: {said}')",
        "with cluster.client() as api: pass",
        "image = 'docker.io/library/busybox'",
    ],
)
def test_what_is_guarded_is_no_offender(source: str) -> None:
    """What goes through the engine, speaks of docker, or asks the API server, is left alone."""
    assert _problems("harness/faults/planted.py", source) == []


def test_exceptions_are_still_needed() -> None:
    """A file that may take the command does."""
    for path in _WITH_COMMAND:
        assert ".cli" in (_ROOT / path).read_text(encoding="utf-8")
