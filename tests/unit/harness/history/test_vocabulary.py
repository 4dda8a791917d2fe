"""Vocabulary: what stands in a history is named once, by writers and by readers, so that neither drifts alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.harness.history import vocabulary

_ROOT = Path(__file__).parents[4]
_HOME = "harness/history/vocabulary.py"
_FOLDERS = ("harness", "reports", "scenarios", "benchmarks")
_KINDS = ("invoke", "ok", "fail", "info", "change", "mark")
_ATTRIBUTES = ("process", "f")
_WORDS = {value for name, value in vars(vocabulary).items() if name.isupper() and isinstance(value, str)}
_WATCHES = {word for word in _WORDS if vocabulary.is_watch(word)}


def _literals(source: str) -> Iterator[str]:
    """Yield each literal that is written as, or compared with, the process or the operation of an entry."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from _written(node)
            yield from _asked(node)
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(_is_name_of_entry(side) for side in sides):
                yield from (text for side in sides for text in _texts(side))
        elif isinstance(node, ast.Constant) and node.value in _WATCHES:
            yield str(node.value)


def _written(call: ast.Call) -> Iterator[str]:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "append" and len(call.args) > 2:
        kind = call.args[0]
        if not isinstance(kind, ast.Constant) or kind.value in _KINDS:
            yield from (text for argument in call.args[1:3] for text in _texts(argument))


def _asked(call: ast.Call) -> Iterator[str]:
    method = call.func
    if not isinstance(method, ast.Attribute) or not _is_name_of_entry(method.value):
        return
    if method.attr.endswith(("with", "prefix")):
        yield from (text for argument in call.args for text in _texts(argument))


def _is_name_of_entry(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return any(map(_is_name_of_entry, node.elts))
    return isinstance(node, ast.Attribute) and node.attr in _ATTRIBUTES


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Tuple | ast.Set | ast.List):
        for element in node.elts:
            yield from _texts(element)


def test_names_stand_in_the_vocabulary_only() -> None:
    """No module but the vocabulary writes a process or an operation out, be it to write or to read."""
    problems = [
        f"{path.relative_to(_ROOT)}: {text!r}"
        for folder in _FOLDERS
        for path in sorted((_ROOT / folder).rglob("*.py"))
        if path.relative_to(_ROOT).as_posix() != _HOME
        for text in _literals(path.read_text(encoding="utf-8"))
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("planted", "literals"),
    [
        ('history.append("ok", "fault 1", "healed", {})', ["fault 1", "healed"]),
        ('history.append(kind, PROCESS, "ask")', ["ask"]),
        ('lines.append("ok")', []),
        ('if entry.process == "harm": pass', ["harm"]),
        ('if entry.f in ("ADDED", DELETED): pass', ["ADDED"]),
        ('if (entry.process, entry.f) == (API, "read"): pass', ["read"]),
        ('entry.process.startswith("canary ")', ["canary "]),
        ('entry.process.partition(" ")', []),
        ('{"watch pods": take}', ["watch pods"]),
        ('if name == "harm": pass', []),
    ],
)
def test_a_planted_literal_is_seen(planted: str, literals: list[str]) -> None:
    """Each way in which a reader or a writer could spell a name by itself is seen; other texts are not."""
    assert list(_literals(planted)) == literals
