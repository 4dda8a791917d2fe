"""Retries: where something may be done again, and where a second try would hide the outage that is measured."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.syntax import statements, walk

_ROOT = Path(__file__).parents[2]

_RETRYING = {
    "chaos_harness.clusters.retrying": None,
    "chaos_harness.clusters.engine.retry": None,
    "chaos_harness.clusters.images.download_retries": None,
    "chaos_harness.clusters.api.rest": ("list_objects", "read"),
}
"""Modules that do things again, and which of their functions do; None: all of them."""

_ONE_TRY_FOLDERS = ("harness/probes", "harness/checks", "harness/history", "clusters/watching")
_ONE_TRY_FILES = ("clusters/cluster.py",)
_PROOFS = ("observed", "healed")
_SUSPECT = re.compile(rf"tenacity|\b(?:{'|'.join(module.rpartition('.')[2] for module in _RETRYING)})\b")
"""What stands in each source that does something again: one without any of it is not parsed."""


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each imported name of the file, and what it stands for, in full."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _retrying_names(tree: ast.Module) -> set[str]:
    """Return the names by which the file may do things again."""
    names = set()
    for name, full in _imported(tree):
        package, _, function = full.rpartition(".")
        functions = _RETRYING.get(package, ())
        if full in _RETRYING or functions is None or function in functions or full.startswith("tenacity"):
            names.add(name)
    return names


def _names_of(function: ast.AST) -> set[str]:
    nodes = list(walk(function))
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    return named | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _functions(tree: ast.Module) -> dict[str, set[str]]:
    """Return what each function or method names; those of one name are taken together."""
    named: dict[str, set[str]] = {}
    for node in walk(tree):
        if isinstance(node, ast.FunctionDef):
            named[node.name] = named.get(node.name, set()) | _names_of(node)
    return named


def _reached(start: str, functions: Mapping[str, set[str]]) -> set[str]:
    """Return all names in a function and in those of the same file that it may call."""
    reached, left = set(), {start}
    while left:
        reached |= left
        left = {name for function in left for name in functions.get(function, ())} - reached
    return reached


def _problems(path: str, source: str) -> list[str]:
    """Return which retries of a Python file, named by its path in the repository, may hide an outage."""
    if not _SUSPECT.search(source):
        return []
    tree = ast.parse(source)
    retrying = _retrying_names(tree)
    if not retrying:
        return []
    if path in _ONE_TRY_FILES or path.startswith(_ONE_TRY_FOLDERS):
        return [f"{name} retries; here everything is tried once" for name in sorted(retrying)]
    functions = _functions(tree)
    return [
        f"{proof} reaches {name}, which retries; a proof is tried once"
        for proof in _PROOFS
        if proof in functions
        for name in sorted(_reached(proof, functions) & retrying)
    ]


def test_what_measures_tries_once() -> None:
    """No probe, no proof of a fault, no watch and no client of a cluster does anything again."""
    paths = [path for folder in ("clusters", "harness") for path in sorted(_ROOT.joinpath(folder).rglob("*.py"))]
    sources = {path.relative_to(_ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    assert set(_ONE_TRY_FILES) <= set(sources), "looked in the wrong place"
    assert all(any(path.startswith(folder) for path in sources) for folder in _ONE_TRY_FOLDERS)
    for module in _RETRYING:
        assert f"{module.removeprefix('chaos_harness.').replace('.', '/')}.py" in sources
    assert [f"{path}: {problem}" for path in sources for problem in _problems(path, sources[path])] == []


_PULL = "from chaos_harness.clusters.retrying import retry\ndef pull(): retry(print)\n"


@pytest.mark.parametrize(
    ("path", "planted"),
    [
        ("harness/probes/a.py", "from chaos_harness.clusters.retrying import retry"),
        ("harness/probes/a.py", "from chaos_harness.clusters import retrying"),
        ("harness/probes/a.py", "from chaos_harness.clusters.api.rest import read, request"),
        ("harness/probes/a.py", "def f():\n    from tenacity import Retrying"),
        ("clusters/watching/a.py", "import tenacity"),
        ("clusters/cluster.py", "from chaos_harness.clusters.engine.retry import retry_while_busy"),
        ("harness/faults/a.py", f"{_PULL}class F:\n    def observed(self): pull()"),
        ("harness/faults/a.py", f"{_PULL}class F:\n    def healed(self): self._all()\n    def _all(self): pull()"),
        (
            "harness/faults/a.py",
            "from chaos_harness.clusters.api.rest import read as get\nclass F:\n    def healed(self): get()",
        ),
    ],
)
def test_planted_retry_is_found(path: str, planted: str) -> None:
    """Whether it is imported, reached through other functions of the file, or has another name there."""
    assert len(_problems(path, planted)) == 1


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("harness/probes/a.py", "from chaos_harness.clusters.api.rest import request"),
        ("harness/faults/a.py", f"{_PULL}class F:\n    def inject(self): pull()\n    def observed(self): print()"),
        ("clusters/engine/a.py", _PULL),
    ],
)
def test_retries_elsewhere_are_allowed(path: str, allowed: str) -> None:
    """What a fault does to undo its harm may be done again, and so may what sets up."""
    assert _problems(path, allowed) == []
