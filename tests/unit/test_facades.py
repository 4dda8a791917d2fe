"""Façades: `__all__` of a module is what other files use of it, no more and no less."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.syntax import walk, without_collection
from tests.thorough import thorough

_ROOT = Path(__file__).parents[2]
_PACKAGE = "chaos_harness."
_PACKAGED = ("clusters", "harness", "reports", "scenarios")
_ROOMS = (*_PACKAGED, "benchmarks")
_USERS = (
    *_ROOMS,
    "tests",
    "docs/generator",
    "noxfile.py",
    "src/chaos_harness/nights.py",
    "src/chaos_harness/plans.py",
    "src/chaos_harness/run_comparison.py",
    "src/chaos_harness/run_store.py",
    "src/chaos_harness/scenario_runs.py",
)
_BY_OTHERS = re.compile(r"main|pytest_\w+")
"""Names that Python and pytest use: the programs of `python -m`, and hooks."""
_CATALOGUED = re.compile(r"(-> |= )(Fault|Probe|Check|Policy|Preparation|WatchGroup)\b")
"""The first line of what the catalogue looks up in `__all__`, for incident files: see harness/catalogue.py."""
_NAMED = re.compile(r"chaos_harness|benchmarks")
_IN_TEXT = re.compile(r"from ([\w.]+) import ([\w, ]+)")
_DOTTED = re.compile(rf"{re.escape(_PACKAGE)}[\w.:]+")


def _module(path: str) -> str:
    name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    return f"{_PACKAGE}{name}" if path.startswith(_PACKAGED) else name


def _listed(tree: ast.Module) -> list[str] | None:
    """Return the names in `__all__`, or None if there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "__all__" for target in node.targets):
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def _catalogued(tree: ast.Module) -> set[str]:
    """Return the names of a module's functions and groups that the catalogue looks up."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.returns and _CATALOGUED.match(f"-> {ast.unparse(node.returns)}"):
            names.add(node.name)
        elif isinstance(node, ast.Assign) and _CATALOGUED.match(f"= {ast.unparse(node.value)}"):
            names |= {ast.unparse(target) for target in node.targets}
    return names


def _used(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield `(module, name)` for each use of a module's name: imported, as an attribute, or in a program's text."""
    bound: dict[str, str] = {}
    later: list[ast.Attribute | ast.Call] = []
    for node in walk(tree):
        if isinstance(node, ast.Attribute) or (isinstance(node, ast.Call) and _is_patch(node)):
            later.append(node)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
            bound |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _PACKAGE in node.value:
            yield from _used_in_text(node.value)
    for node in later:
        if isinstance(node, ast.Call):
            yield bound.get(ast.unparse(node.args[0]), ""), ast.unparse(node.args[1]).strip("'")
        elif isinstance(node.value, ast.Name) and node.value.id in bound:
            yield bound[node.value.id], node.attr


def _used_in_text(text: str) -> Iterator[tuple[str, str]]:
    for module, names in _IN_TEXT.findall(text):
        yield from ((module, name.split()[0]) for name in names.split(",") if name.strip())
    for dotted in _DOTTED.findall(text):
        parts = re.split("[.:]", dotted)
        yield from ((".".join(parts[:end]), parts[end]) for end in range(1, len(parts)))


def _is_patch(call: ast.Call) -> bool:
    return len(call.args) > 1 and isinstance(call.func, ast.Attribute) and call.func.attr in ("setattr", "delattr")


def _names(used: Mapping[str, set[tuple[str, str]]], module: str, users: Sequence[str]) -> set[str]:
    return {name for user in users for where, name in used[user] if where == module}


def _problems(files: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the façades of our rooms in these files, by their paths."""
    trees = {
        path: ast.parse(source) for path, source in files.items() if path.startswith(_ROOMS) or _NAMED.search(source)
    }
    modules = {_module(path): path for path in trees}
    used = {path: set(_used(tree)) for path, tree in trees.items()}
    problems = []
    for module, path in modules.items():
        listed = _listed(trees[path])
        if not path.startswith(_ROOMS) or listed is None:
            continue
        by_code = _names(used, module, [user for user in used if user != path and not user.startswith("tests/")])
        by_any = _names(used, module, [user for user in used if user != path])
        if "__all__" in by_any:
            continue
        problems += [
            f"{path}: nobody imports {name}: take it out of __all__"
            for name in listed
            if name not in by_any | _catalogued(trees[path]) and not _BY_OTHERS.fullmatch(name)
        ]
        problems += [
            f"{path}: {name} is imported elsewhere: list it in __all__"
            for name in sorted(by_code - set(listed))
            if f"{module}.{name}" not in modules and not name.startswith("__")
        ]
    return problems


@thorough
def test_every_facade_is_what_others_use() -> None:
    """A name in `__all__` that nobody imports is noise; one that is imported without it has no owner."""
    paths = [file for user in _USERS for file in ([_ROOT / user] if "." in user else (_ROOT / user).rglob("*.py"))]
    files = {path.relative_to(_ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    with without_collection():
        assert _problems(files) == []


@pytest.mark.parametrize(
    ("listed", "user", "problem"),
    [
        ("", "from chaos_harness.clusters.a import one", "one is imported elsewhere"),
        ("", "from chaos_harness.clusters import a\na.one()", "one is imported elsewhere"),
        ("", "from chaos_harness.clusters.a import _one", "_one is imported elsewhere"),
        ("'one'", "", "nobody imports one"),
        ("'one'", "from chaos_harness.clusters.b import one", "nobody imports one"),
        ("'one']\ndef one() -> Checked: [1", "", "nobody imports one"),
    ],
)
def test_a_planted_name_is_found(listed: str, user: str, problem: str) -> None:
    """What is used and not listed is found, and what is listed and not used, however it is imported."""
    files = {"clusters/a.py": f"__all__ = [{listed}]", "harness/user.py": user, "clusters/b.py": ""}
    (only,) = _problems(files)
    assert problem in only


@pytest.mark.parametrize(
    "user",
    [
        "from chaos_harness.clusters.a import one",
        "from chaos_harness.clusters import a as b\nb.one()",
        "PROGRAM = 'from chaos_harness.clusters.a import one, two'",
        "monkeypatch.setattr('chaos_harness.clusters.a.one', 1)",
        "from chaos_harness.clusters import a\nmonkeypatch.setattr(a, 'one', 1)",
        "ACTION = 'chaos_harness.clusters.a:one'",
        "from chaos_harness.clusters import a\nfor name in a.__all__: getattr(a, name)",
    ],
)
def test_every_kind_of_use_counts(user: str) -> None:
    """A name that a test, a program in a string or a patch uses is used."""
    assert _problems({"clusters/a.py": "__all__ = ['one']", "tests/unit/user.py": user}) == []


@pytest.mark.parametrize("catalogued", ["def one() -> Fault: ...", "one = WatchGroup('one')"])
def test_the_catalogue_looks_names_up(catalogued: str) -> None:
    """What an incident file can name is used, though no module imports it."""
    assert _problems({"harness/a.py": f"__all__ = ['one']\n{catalogued}"}) == []
