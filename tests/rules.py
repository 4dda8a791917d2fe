"""Rules: what every Python file of ours keeps, above all the direction in which the folders may know each other."""

import ast
from collections.abc import Iterator
from pathlib import PurePath

from tests.syntax import statements

__all__ = ["problems"]

_OUR_FOLDERS = ("benchmarks", "clusters", "docs", "harness", "reports", "scenarios", "tests")
_PACKAGED = ("clusters", "harness", "reports", "scenarios")
_WITH_ALL = ("benchmarks", "clusters", "docs", "harness", "reports")
_MOST_LINES = 400

_PACKAGE = "chaos_harness."
"""What our modules' names begin with; here they are told apart by what comes after it."""

# What a folder may import of ours: these modules and what lies below them.
_MAY_IMPORT = {
    "clusters": ("clusters",),
    "harness": ("harness", "clusters"),
    "reports": (
        "reports",
        "clusters.checkout",
        "clusters.deadline",
        "clusters.machine.locking",
        "clusters.machine.owner",
        "clusters.machine.paths",
        "clusters.machine.removal",
        "clusters.suggest",
        "clusters.terminal.escape",
        "clusters.terminal.width",
        "harness.history",
        "harness.checks.blame",
        "harness.checks.lasting",
        "harness.causes",
        "harness.errors",
        "harness.judging",
        "harness.private",
        "harness.experiment.record",
        "harness.figures",
        "harness.redaction",
        "harness.significance",
        "harness.statistics",
        "harness.verdict",
    ),
    "scenarios": ("scenarios", "harness", "clusters", "reports"),
    "benchmarks": ("benchmarks", "harness", "clusters", "reports"),
    "docs": ("docs", "scenarios", "harness", "clusters", "reports"),
    "tests": _OUR_FOLDERS,
}
# Where a package may be imported; elsewhere in our folders, tests aside, it may not.
_CONFINED = {
    "docker": ("clusters/", "harness/faults/"),
    "kubernetes": ("clusters/", "harness/faults/", "harness/probes/", "harness/undo/"),
    "allure": ("reports/allure/plugin.py",),
    "allure_commons": ("reports/allure/plugin.py",),
    "allure_pytest": ("reports/allure/plugin.py",),
    "pytest": ("harness/", "reports/", "scenarios/", "src/"),
    "duckdb": ("reports/store/database.py",),
    "prometheus_client": ("reports/trends/figures.py", "harness/nightly/metrics.py"),
    "tenacity": ("clusters/retrying.py",),
}
# The errors of the clients' libraries, and where they may be named: there they become ours.
_CLIENTS_ERRORS = {
    "kubernetes.client.exceptions": ("clusters/api/rest.py",),
    "urllib3.exceptions": ("clusters/api/rest.py", "clusters/watching/streaming.py", "clusters/engine/"),
}
_NAMES_AN_ERROR = ("kubernetes", "urllib3")
"""One of these stands in whatever names an error of a client."""
_SLEEPER = "clusters/deadline.py"


def problems(path: str, source: str) -> list[str]:
    """Return what in a Python file, named by its path in the repository, breaks a rule."""
    tree = ast.parse(source)
    found = list(_imports_refused(path, tree))
    if not path.startswith("tests/") and any(word in source for word in _NAMES_AN_ERROR):
        found += _errors_refused(path, tree)
    if len(source.splitlines()) > _MOST_LINES:
        found.append(f"more than {_MOST_LINES} lines: it mixes two things")
    if not (ast.get_docstring(tree) or "").partition("\n")[0].endswith("."):
        found.append("no docstring that begins with one sentence")
    says_more = len(tree.body) > 1
    if path.partition("/")[0] in _WITH_ALL and says_more and not _assigns(tree, "__all__"):
        found.append("no __all__")
    if path != _SLEEPER and "sleep" in source and any(_is_sleep(node) for node in ast.walk(tree)):
        found.append(f"sleeps; only {_SLEEPER} may")
    return found


def _imports_refused(path: str, tree: ast.Module) -> Iterator[str]:
    folder = path.partition("/")[0]
    yield from (f"{name}: import it as a part of chaos_harness" for name in _imported_from_above(tree))
    for module in (name.removeprefix(_PACKAGE) for name in _imported(path, tree)):
        package = module.partition(".")[0]
        if package in _OUR_FOLDERS and folder in _MAY_IMPORT and not _below(module, _MAY_IMPORT[folder]):
            yield f"{folder} may not import {module}"
        if package in _CONFINED and folder != "tests" and not path.startswith(_CONFINED[package]):
            yield f"{package} may only be imported in {', '.join(_CONFINED[package])}"


def _errors_refused(path: str, tree: ast.Module) -> Iterator[str]:
    """Yield where errors of a client's library are named, by import or below a module that is imported."""
    read = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    whole = {name for name in read if not any(longer.startswith(f"{name}.") for longer in read)}
    for name in sorted({*_imported(path, tree), *whole}):
        for module, places in _CLIENTS_ERRORS.items():
            named = _below(name, (module,)) or (_below(name, (module.partition(".")[0],)) and _is_client_error(name))
            if named and not path.startswith(places):
                yield f"{name} may only be named in {', '.join(places)}"


def _is_client_error(name: str) -> bool:
    """Whether this is what `kubernetes.client` and `kubernetes.client.rest` export of its errors, too."""
    return name.rpartition(".")[2] == "ApiException"


def _imported(path: str, tree: ast.Module) -> Iterator[str]:
    """Yield the full names of what is imported, at any place of the file, type checking included."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = PurePath(path).parts[: -node.level] if node.level else ()
            yield from (".".join([*parents, *filter(None, [node.module]), alias.name]) for alias in node.names)


def _imported_from_above(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that are imported by a name that only the checkout's root gives: elsewhere it is another's."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        yield from (name for name in names if name.partition(".")[0] in _PACKAGED)


def _below(module: str, allowed: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{prefix}.") for prefix in allowed)


def _assigns(tree: ast.Module, name: str) -> bool:
    targets = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _is_sleep(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="time"), attr="sleep"):
            return True
        case ast.ImportFrom(module="time", names=names):
            return any(alias.name == "sleep" for alias in names)
    return False
