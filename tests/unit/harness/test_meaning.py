"""Meaning: a digest changes with what code does, and not with what its parts are called or where they stand."""

import ast
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from chaos_harness.harness.meaning import Code, Source, source_of
from chaos_harness.harness.normal_form import Place

_FIRST = '''
"""A module."""

import math
from dataclasses import dataclass
from other import LIMIT, helper

__all__ = ["root"]

_MOST = 3
_WORDS = {"a": 1}


@dataclass(frozen=True)
class Pod:
    """A pod."""

    name: str
    age: float = 0.0


class _Reader:
    """Reads."""

    def __init__(self, first: int) -> None:
        self.all = [first]
        self._last = first

    def _take(self, number: int) -> None:
        """Take one."""
        self._last = number

    def take(self, number: int, *, twice: bool = False) -> int:
        self._take(number)
        return self._last * 2 if twice else self._last


def root(pods, least=_MOST):
    """Say how many."""
    reader = _Reader(len(pods))
    for pod in pods:
        if pod.age > least and pod.name not in _WORDS:
            reader.take(helper(pod.age), twice=True)
    ages = [other.age for other in pods if other.age < LIMIT]  # the young ones
    try:
        return sum(ages) / math.floor(reader.take(1)), [Pod(n, age=2) for n in "ab"]
    except ZeroDivisionError as error:
        raise ValueError(str(error)) from error
'''
_OTHER = """
LIMIT = 9


def helper(age):
    return age + 1


def unused():
    return 1
"""


def digest(first: str = _FIRST, other: str = _OTHER, **more: str) -> str:
    return of({"first": first, "other": other, **more}, Place("first", "root"))


def of(modules: Mapping[str, str], root: Place) -> str:
    sources = {name: Source(text, package=f"{name}." in "".join(modules)) for name, text in modules.items()}
    return Code(sources.get).digest([root])


_SAME = {
    "the docstring of a module": ('"""A module."""', '"""Another."""'),
    "the docstring of a function": ('"""Say how many."""', ""),
    "the docstring of a class": ('"""A pod."""', '"""Another."""'),
    "a comment": ("  # the young ones", ""),
    "the layout": (
        "reader.take(helper(pod.age), twice=True)",
        "reader.take(\n    helper(pod.age),\n    twice=True,\n)",
    ),
    "what is exported": ('__all__ = ["root"]', '__all__ = ["Pod", "root"]'),
    "how something is imported": ("import math", "from math import floor\nimport math as math"),
    "an annotation of a function": ("number: int, *", "number: float, *"),
    "a function's result": (") -> int:", ") -> float:"),
    "a definition that nothing refers to": ("_MOST = 3", "_MOST = 3\n_LEAST = 4"),
    "the order of definitions": ('_MOST = 3\n_WORDS = {"a": 1}', '_WORDS = {"a": 1}\n_MOST = 3'),
    "an annotated constant": ("_MOST = 3", "_MOST: int = 3"),
}
_RENAMED = {
    "a local variable": ("reader", "shelf"),
    "the variable of a loop": ("pod", "pod_"),
    "the variable of a comprehension": ("other", "one"),
    "an exception": ("error", "reason"),
    "a constant": ("_MOST", "_HIGHEST"),
    "a class": ("_Reader", "Shelf"),
    "a public class": ("Pod", "Container"),
    "a parameter": ("number", "amount"),
    "a parameter with a default": ("least", "limit"),
    "a private attribute": ("_last", "_latest"),
    "a private method": ("_take", "_put"),
    "self": ("self", "this"),
}
_CHANGED = {
    "a constant": ("_MOST = 3", "_MOST = 4"),
    "the kind of a constant": ("_MOST = 3", "_MOST = 3.0"),
    "a text": ('in "ab"', 'in "abc"'),
    "an operator": ("pod.age > least", "pod.age >= least"),
    "an order": ("self.all = [first]\n        self._last = first", "self._last = first\n        self.all = [first]"),
    "a called name": ("helper(pod.age)", "abs(pod.age)"),
    "a called name of a module": ("math.floor", "math.ceil"),
    "a default": ("least=_MOST", "least=4"),
    "the default of a field": ("age: float = 0.0", "age: float = 1.0"),
    "the order of fields": ("name: str\n    age: float = 0.0", "age: float = 0.0\n    name: str = ''"),
    "a keyword": ("age=2", "name=2"),
    "a keyword only": ("*, twice", "twice"),
    "a public attribute": ("self.all", "self.every"),
    "another variable": ("for n in", "for pod in"),
    "a parameter that is passed by its name": ("twice: bool = False) -> int", "again: bool = False, twice=0) -> int"),
    "a decorator": ("@dataclass(frozen=True)", "@dataclass"),
    "a base": ("class Pod:", "class Pod(dict):"),
    "what is caught": ("except ZeroDivisionError", "except ValueError"),
    "a key": ('{"a": 1}', '{"b": 1}'),
    "one attribute for another": ("return self._last * 2", "return self.all * 2"),
    "a private attribute for a method": ("self._take(number)", "self._last(number)"),
    "a condition": ("if other.age < LIMIT", ""),
    "a condition's sense": ("not in _WORDS", "in _WORDS"),
}


def test_nothing_changed() -> None:
    """The same code has the same digest."""
    assert digest() == digest()
    assert len(digest()) == 12


@pytest.mark.parametrize(("old", "new"), _SAME.values(), ids=_SAME)
def test_what_is_said_to_people_changes_nothing(old: str, new: str) -> None:
    """Neither words for people, nor what only tools read, nor what is not reached."""
    assert _FIRST.count(old) == 1
    assert digest(_FIRST.replace(old, new)) == digest()


@pytest.mark.parametrize(("old", "new"), _RENAMED.values(), ids=_RENAMED)
def test_another_name_changes_nothing(old: str, new: str) -> None:
    """What is called otherwise wherever it stands is the same."""
    assert digest(_spelled(_FIRST, old, new)) == digest()


@pytest.mark.parametrize(("old", "new"), _CHANGED.values(), ids=_CHANGED)
def test_another_meaning_is_another_digest(old: str, new: str) -> None:
    """Whatever the code may do otherwise changes it."""
    changed = _FIRST.replace(old, new, 1 if "pod in" in new else -1)
    assert changed != _FIRST
    ast.parse(changed)
    assert digest(changed) != digest()


def test_what_is_referred_to_counts_however_far_away() -> None:
    """A function of another module counts if it is called; its neighbours do not."""
    assert digest(other=_OTHER.replace("age + 1", "age + 2")) != digest()
    assert digest(other=_OTHER.replace("LIMIT = 9", "LIMIT = 8")) != digest()
    assert digest(other=_OTHER.replace("return 1", "return 2")) == digest()


def test_a_definition_may_move() -> None:
    """It is the same in another module, behind another package, and when it is passed on by one."""
    function = "def helper(age):\n    return age + 1\n"
    rest = _OTHER.replace(function, "from package.below import helper\n")
    assert digest(other=rest, **{"package": "", "package.below": function}) == digest()
    passed_on = {"package": "from .below import work as helper", "package.below": function.replace("helper", "work")}
    assert digest(_FIRST.replace("import LIMIT, helper", "import LIMIT\nfrom package import helper"), **passed_on) == (
        digest()
    )
    through = _FIRST.replace("from other import LIMIT, helper", "import package.below")
    through = through.replace("helper(pod", "package.below.helper(pod").replace("LIMIT", "package.below.LIMIT")
    assert digest(through, **{"package": "", "package.below": _OTHER}) == digest()


def test_a_function_may_be_called_like_its_module() -> None:
    """What a package imports of its own module `freeze` is the function, and what others import is of the module."""
    modules = {
        "pool": "from pool.freeze import freeze",
        "pool.freeze": "def freeze():\n    return 1",
        "first": "import pool\nfrom pool.freeze import freeze\ndef root():\n    return freeze(), pool.freeze()",
    }
    slower = modules | {"pool.freeze": "def freeze():\n    return 2"}
    assert of(modules, Place("first", "root")) != of(slower, Place("first", "root"))


def test_an_installed_module_has_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package need not have an `__init__`; what is built in, or not there, has no source."""
    (tmp_path / "of_nobody").mkdir()
    (tmp_path / "of_nobody/module.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert source_of("of_nobody") == Source("", package=True)
    assert source_of("of_nobody.module") == Source("x = 1\n")
    names = ("of_nobody.module.x", "of_nobody.other", "sys", "not_there.at_all")
    assert [source_of(name) for name in names] == [None] * len(names)


def test_an_import_within_a_function_is_followed() -> None:
    """What is imported late counts like what is imported first."""
    late = _FIRST.replace("from other import LIMIT, helper\n", "")
    late = late.replace('    """Say how many."""\n', "    from other import LIMIT, helper\n")
    assert digest(late) == digest()
    assert digest(late, _OTHER.replace("age + 1", "age + 2")) != digest()


def test_what_a_module_does_when_it_is_imported_counts() -> None:
    """A statement that defines nothing, a second definition and a function that sets a name all count."""
    for more in ("print(1)", "_MOST = 4", "def later():\n    global _MOST\n    _MOST = 5", "_WORDS['b'] = 2"):
        assert digest(f"{_FIRST}\n{more}\n") != digest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def root(a, b): return a - b", "def root(a, b): return b - a"),
        ("def root(a):\n x = 1\n return x", "def root(a):\n x = 1\n return a"),
        ("def root():\n n = 1\n def f(): return n\n return f", "def root():\n n = 1\n def f(): return sum\n return f"),
        ("def root(a): return [b for b in a]", "def root(a): return [a for b in a]"),
        ("def root(a): return lambda b: a", "def root(a): return lambda b: b"),
        ("class root:\n x = 1\n y = x", "class root:\n x = 1\n y = 1"),
        ("class root:\n def f(self): return self._a", "class root:\n def f(self): return self._b"),
        ("class root(dict):\n def f(self): self._a = 1", "class root(dict):\n def f(self): self._b = 1"),
        ("def root(a): return f'{a}'", "def root(a): return f'{a!r}'"),
        ("def root(a): return locals()", "def root(b): return locals()"),
        ("def root(a): return a.get('a', lambda a: a)", "def root(a): return a.get('a', lambda b: b)"),
        ("def root(a):\n match a:\n  case [b]: return b", "def root(a):\n match a:\n  case [b]: return a"),
        ("def root(a): return (b := a) + b", "def root(a): return (b := a) + a"),
        ("x = 1\ny = 2\ndef root(): return x, y, x", "x = 1\ny = 2\ndef root(): return x, y, y"),
        ("x = 1\ny = 1\ndef root(): return x is y", "x = 1\ny = 1\ndef root(): return x is x"),
        ("def root(*, a): return a\ndef f(): root(a=1)", "def root(**a): return a\ndef f(): root(a=1)"),
    ],
)
def test_names_that_mean_another_thing_are_told_apart(one: str, other: str) -> None:
    """What a name refers to counts, not how it is spelled."""
    digests = [of({"first": text}, Place("first", "root")) for text in (one, other)]
    assert digests[0] != digests[1]


def test_a_name_that_is_said_is_kept() -> None:
    """A parameter and an attribute that a text names are not renamed: something may look for them by that."""
    one = "class root:\n def __init__(self): self._a = 1\n def f(self): return getattr(self, '_a')"
    assert of({"first": one}, Place("first", "root")) != of(
        {"first": one.replace("self._a", "self._b")}, Place("first", "root")
    )


def test_what_shows_is_silent() -> None:
    """Of a silent module it counts only which of its definitions is meant."""
    first = "from errors import Bad, Worse\ndef root(a):\n    try: raise Bad(a)\n    except Bad: return 1\n"
    errors = "class Bad(Exception): pass\nclass Worse(Exception): pass\n"
    texts = [
        (first, errors),
        (first, errors.replace("pass", "x = 1")),
        (first.replace("except Bad", "except Worse"), ""),
    ]

    def silent(text: str, of_errors: str) -> str:
        sources = {"first": Source(text), "errors": Source(of_errors or errors)}
        return Code(sources.get, silent=["errors"]).digest([Place("first", "root")])

    one, changed, other = (silent(*text) for text in texts)
    assert one == changed
    assert one != other


def test_a_root_is_also_a_method_or_a_module() -> None:
    """Of a class one method can be meant, and all of a module."""
    methods = Code({"first": Source(_FIRST), "other": Source(_OTHER)}.get)
    other = Code({"first": Source(_FIRST.replace("* 2", "* 3")), "other": Source(_OTHER)}.get)
    assert methods.digest([Place("first", "_Reader._take")]) == other.digest([Place("first", "_Reader._take")])
    assert methods.digest([Place("first", "_Reader.take")]) != other.digest([Place("first", "_Reader.take")])
    assert methods.digest([Place("first", "")]) != other.digest([Place("first", "")])


def _spelled(text: str, old: str, new: str) -> str:
    """Return a text in which a name is spelled otherwise wherever it is a name, not within another one or a text."""
    tree = ast.parse(dedent(text))
    changed = 0
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value == old and not isinstance(node, ast.Constant | ast.alias | ast.ImportFrom):
                setattr(node, name, new)
                changed += 1
    assert changed > 1
    return ast.unparse(tree)
