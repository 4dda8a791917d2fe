"""Errors: the tree is as it is drawn."""

import inspect

import pytest

from chaos_harness.harness import errors


def drawn() -> dict[str, str]:
    """Return each class of the drawing with its parent there."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    tree = (errors.__doc__ or "").split("\n\n")[1]
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        name = line.split()[0].removesuffix("(AssertionError)")
        above = [(depth, parent) for depth, parent in above if depth < indent]
        parents[name] = above[-1][1] if above else "Exception"
        above.append((indent, name))
    return parents


def test_drawing() -> None:
    """The tree at the top of harness.errors shows every class, below its real parent."""
    assert drawn() == {name: getattr(errors, name).__bases__[0].__name__ for name in errors.__all__}


def test_exported() -> None:
    """Every error that harness.errors knows is exported."""
    defined = {name for name, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, Exception)}
    assert defined == set(errors.__all__)


def test_only_the_product_fails() -> None:
    """Only InvariantViolated is an AssertionError: whatever else is raised is the harness's own."""
    assert [name for name in errors.__all__ if issubclass(getattr(errors, name), AssertionError)] == [
        "InvariantViolated"
    ]


def test_bad_scenario_has_all_problems() -> None:
    """BadScenario tells all problems, and keeps them apart for who wants to show them."""
    error = errors.BadScenario(["workers: too many", "kubernetes: unknown"])
    assert (str(error), error.problems) == (
        "workers: too many\nkubernetes: unknown",
        ("workers: too many", "kubernetes: unknown"),
    )


@pytest.mark.parametrize("name", errors.__all__)
def test_docstring(name: str) -> None:
    """Every error says what happened to whom."""
    assert getattr(errors, name).__doc__
