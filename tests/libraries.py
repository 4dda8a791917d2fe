"""Libraries: which unit tests meet the libraries that we use; `python -m tests.libraries` prints their files.

The rule reads sources and has no list of names. For each module of ours that imports a library one file of tests is
chosen: of those that import the module, themselves or through one other, or if there are none through the fewest, the
one whose path is most like the module's; of several the one that needs fewer imports to it, and then the smallest. A
module whose full name a text quotes (a plugin in a file that a test writes, what a test replaces) counts as imported,
and a conftest.py as imported by the files below it. So a module that begins to use a library, and a library that is
new, are met without an edit.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath

from tests.syntax import statements, without_collection

__all__ = ["choose_tests"]

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = "chaos_harness"
_FOLDERS = ("clusters", "harness", "reports")
_TESTS, _UNIT = "tests", ("tests", "unit")
_EVERY_IMPORT = "tests/unit/test_libraries.py"
"""Imports all modules: it is always chosen."""
_QUOTED = re.compile(rf"""["']({_PACKAGE}\.[\w.]+)["']""")
_NEAR = 2


@dataclass(frozen=True)
class _Module:
    path: PurePath
    size: int
    names: frozenset[str]
    uses_library: bool

    @property
    def is_test(self) -> bool:
        return self.path.parts[:2] == _UNIT and self.path.name.startswith("test_")


def choose_tests(root: Path = _ROOT) -> dict[str, list[str]]:
    """Return the paths of the chosen files of tests, sorted, and for which modules they were."""
    with without_collection():
        modules = _read_modules(root)
    importers = defaultdict(set)
    for importer, module in modules.items():
        for name in module.names:
            importers[_whose(name, modules)].add(importer)
    chosen: dict[str, list[str]] = {_EVERY_IMPORT: []}
    for name, module in modules.items():
        if module.uses_library:
            chosen.setdefault(_nearest(name, modules, importers).as_posix(), []).append(name)
    return dict(sorted(chosen.items()))


def _read_modules(root: Path) -> dict[str, _Module]:
    modules = {}
    for folder in (*_FOLDERS, _TESTS):
        for path in sorted((root / folder).rglob("*.py")):
            place = path.relative_to(root)
            parts = place.with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            source = path.read_text(encoding="utf-8")
            imported = set(_imported(ast.parse(source)))
            is_library = folder != _TESTS and any(map(_is_library, imported))
            names = frozenset({*imported, *_QUOTED.findall(source), *_conftests(place)})
            name = ".".join(parts if folder == _TESTS else (_PACKAGE, *parts))
            modules[name] = _Module(place, len(source), names, is_library)
    return modules


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _conftests(place: PurePath) -> Iterator[str]:
    if place.parts[0] == _TESTS and place.name != "conftest.py":
        yield from (".".join((*folder.parts, "conftest")) for folder in place.parents if folder.parts)


def _is_library(name: str) -> bool:
    package = name.partition(".")[0]
    return package != _PACKAGE and package not in sys.stdlib_module_names


def _nearest(name: str, modules: Mapping[str, _Module], importers: Mapping[str, set[str]]) -> PurePath:
    """Return the file of tests that is chosen for a module."""
    reached, last, steps = {name}, {name}, 0
    tests: list[tuple[int, _Module]] = []
    while last and not (tests and steps >= _NEAR):
        last = {importer for one in last for importer in importers.get(one, ())} - reached
        reached |= last
        steps += 1
        tests += [(steps, modules[one]) for one in last if modules[one].is_test]
    if not tests:
        raise LookupError(f"{name} uses a library, and no file of tests/unit imports it, nor what imports it: test it")
    place = modules[name].path
    return min((-_likeness(test.path, place), steps, test.size, test.path) for steps, test in tests)[-1]


def _whose(name: str, modules: Mapping[str, _Module]) -> str:
    """Return the module in which something lies that is imported."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def _likeness(test: PurePath, module: PurePath) -> int:
    """Return how many parts the paths begin with that are the same; tests/unit/a/test_b.py is most like a/b.py."""
    parts = (*test.parts[2:-1], test.name.removeprefix("test_"))
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(parts, module.parts, strict=False)))


if __name__ == "__main__":
    sys.stdout.writelines(f"{path}\n" for path in choose_tests())
