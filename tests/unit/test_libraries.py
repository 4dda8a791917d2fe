"""Libraries: all modules can be imported, and wherever a library is used a test that `nox -s lowest` runs meets it."""

import importlib
import re
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.libraries import choose_tests
from tests.thorough import thorough

_ROOT = Path(__file__).parents[2]
_TEXT = re.compile(r"(\'{3}|\"{3}).*?\1", re.DOTALL)
_MODULES = {
    ".".join(("chaos_harness", *path.relative_to(_ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for folder in ("clusters", "harness", "reports")
    for path in sorted((_ROOT / folder).rglob("*.py"))
}


def test_all_modules_can_be_imported() -> None:
    """With whatever versions of the libraries are there, and without a warning."""
    assert [name for name in _MODULES if importlib.import_module(name) is not sys.modules[name]] == []


@thorough
def test_each_use_of_a_library_has_a_chosen_test() -> None:
    """Of each module with a line that imports what is installed, and no other module; few files are enough for that."""
    imports = re.compile(rf"^\s*(?:from|import) (?:{'|'.join(packages_distributions())})\b", re.MULTILINE)
    using = {name for name, path in _MODULES.items() if imports.search(_TEXT.sub("", path.read_text("utf-8")))}
    chosen = choose_tests()

    assert {"chaos_harness.clusters.api.rest", "chaos_harness.reports.allure.plugin"} <= using
    assert {name for modules in chosen.values() for name in modules} == using
    assert len(chosen) <= len(using) + 1
    assert [path for path in chosen if not (_ROOT / path).is_file()] == []


@pytest.fixture
def choose(tmp_path: Path) -> Callable[..., dict[str, list[str]]]:
    """Return who chooses out of these files, by their paths."""

    def choose(**sources: str) -> dict[str, list[str]]:
        for name, source in sources.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
        chosen = choose_tests(tmp_path)
        return {path: modules for path, modules in chosen.items() if modules}

    return choose


_USES = "def f():\n    import yaml\n"
_IMPORTS = "import chaos_harness.harness.a\n"
_MODULE = ["chaos_harness.harness.a"]


@pytest.mark.parametrize(
    ("sources", "test"),
    [
        ({"tests__unit__test_b": _IMPORTS}, "tests/unit/test_b.py"),
        ({"tests__unit__test_b": "from chaos_harness.harness.a import f\n"}, "tests/unit/test_b.py"),
        ({"tests__unit__test_b": "P = 'chaos_harness.harness.a.f'\n"}, "tests/unit/test_b.py"),
        ({"tests__unit__test_b": "P = '''plugins = [\"chaos_harness.harness.a\"]'''\n"}, "tests/unit/test_b.py"),
        ({"tests__unit__conftest": _IMPORTS, "tests__unit__test_b": "\n"}, "tests/unit/test_b.py"),
        (
            {
                "harness__near": _IMPORTS,
                "tests__unit__test_far": _IMPORTS,
                "tests__unit__harness__test_a": "import chaos_harness.harness.near\n",
            },
            "tests/unit/harness/test_a.py",
        ),
        ({"tests__unit__test_b": f"{_IMPORTS}#\n", "tests__unit__test_c": _IMPORTS}, "tests/unit/test_c.py"),
        (
            {
                "harness__near": _IMPORTS,
                "tests__unit__test_b": "import chaos_harness.harness.near\n",
                "tests__unit__test_c": f"{_IMPORTS}# it is longer, and yet nearer to the module",
            },
            "tests/unit/test_c.py",
        ),
    ],
    ids=["whole", "part", "replaced", "plugin", "fixtures", "like", "smallest", "direct"],
)
def test_which_test_is_chosen(choose: Callable[..., dict[str, list[str]]], sources: dict[str, str], test: str) -> None:
    """The file that is most like the module, of those that are near; of several the nearest, then the smallest."""
    assert choose(harness__a=_USES, harness__other="import json\n", **sources) == {test: _MODULE}


def test_a_library_without_a_test_is_refused(choose: Callable[..., dict[str, list[str]]]) -> None:
    """A file that says only in a sentence what the module is called does not import it."""
    with pytest.raises(LookupError, match=r"chaos_harness\.harness\.a uses a library"):
        choose(harness__a=_USES, tests__unit__test_b="T = 'see chaos_harness.harness.a'\n")
