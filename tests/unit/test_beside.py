"""Beside: each module of tests/integration says what may run at the same time, and why nothing else may."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_MODULES = sorted(Path(__file__).parents[1].joinpath("integration").glob("test_*.py"))
_CHOICE = {"alone", "beside", "only_engine"}
_NEEDS = f"needs one mark of {sorted(_CHOICE)}, has"


def _marks(source: str) -> Iterator[tuple[str, ast.Call | None]]:
    """Yield the name of each mark that all tests of a module have, and how it is called, if it is."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark":
            marks = statement.value.elts if isinstance(statement.value, ast.List) else [statement.value]
            for mark in marks:
                call = mark if isinstance(mark, ast.Call) else None
                yield ast.unparse(call.func if call else mark).removeprefix("pytest.mark."), call


def _problem(source: str) -> str:
    """Return what is wrong with the choice of a module, or nothing."""
    chosen = [(name, call) for name, call in _marks(source) if name in _CHOICE]
    if len(chosen) != 1:
        return f"{_NEEDS} {len(chosen)}"
    [(name, call)] = chosen
    reasons = [keyword.value for keyword in call.keywords if keyword.arg == "reason"] if call else []
    return f"does not say why: {name}(reason=…)" if name != "beside" and not reasons else ""


@pytest.mark.parametrize("module", _MODULES, ids=lambda module: module.stem)
def test_each_module_says_whether_it_runs_beside_another(module: Path) -> None:
    """One that does not would run alone (noxfile.py), and nobody would know whether it must."""
    assert _problem(module.read_text(encoding="utf-8")) == ""


@pytest.mark.parametrize(
    ("marks", "problem"),
    [
        ("pytest.mark.beside", ""),
        ('[pytest.mark.cluster, pytest.mark.alone(reason="stops the engine")]', ""),
        ("pytest.mark.cluster", f"{_NEEDS} 0"),
        (
            "[pytest.mark.beside, pytest.mark.alone(reason='both')]",
            "needs one mark of ['alone', 'beside', 'only_engine'], has 2",
        ),
        ("pytest.mark.only_engine(reason='ends engines')", ""),
        ("pytest.mark.alone", "does not say why: alone(reason=…)"),
        ("pytest.mark.only_engine()", "does not say why: only_engine(reason=…)"),
    ],
)
def test_a_module_that_does_not_choose_is_named(marks: str, problem: str) -> None:
    """Neither, both, and a module that keeps others away for no reason."""
    assert _problem(f"import pytest\npytestmark = {marks}\n") == problem
