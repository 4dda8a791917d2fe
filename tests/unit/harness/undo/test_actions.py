"""Actions: journals name undos by ids that outlive the places of their functions."""

import re
from pathlib import Path

import pytest

from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.undo.actions import ACTIONS, find, identity, undo


@undo
def unlisted(_engine: object) -> None:
    """Be an undo that has no id."""


def unmarked(_engine: object) -> None:
    """Be a function that undoes nothing."""


@pytest.mark.parametrize("name", ACTIONS)
def test_each_id_leads_to_its_undo(name: str) -> None:
    """Every id of the table is that of an undo which can be found, and names it again."""
    assert identity(find(name)) == name


def test_each_undo_of_ours_has_an_id() -> None:
    """An undo that is moved later is found by its id only: whoever writes a new one gives it one."""
    root = Path(__file__).parents[4] / "src"
    marked = set()
    for path in root.joinpath("chaos_harness", "harness").rglob("*.py"):
        module = path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
        functions = re.findall(r"^@undo\ndef (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        marked |= {f"{module}:{function}" for function in functions}
    assert marked == set(ACTIONS.values())


def test_one_without_an_id_is_named_by_its_place() -> None:
    """A fault of somebody else's is one file: its undo needs no line in our table."""
    assert identity(unlisted) == f"{__name__}:unlisted"
    assert find(identity(unlisted)) is unlisted


def test_what_would_not_be_found_is_refused() -> None:
    """A function that another process cannot find, or that is no undo, is refused before any harm."""

    @undo
    def local(_engine: object) -> None: ...

    for action in (local, unmarked, lambda _: None):
        with pytest.raises(HarnessError, match="is no undo that a journal can name: mark a function of a module"):
            identity(action)


@pytest.mark.parametrize(
    "name", ["", "no_such", "no.such:action", "os:abort", "os:", ":x", "..:x", f"{__name__}:unmarked"]
)
def test_nothing_else_is_ever_called(name: str) -> None:
    """A journal cannot make the harness call what is no undo."""
    with pytest.raises(HarnessError, match="in this version"):
        find(name)
