"""Selection: what runs if nobody chooses, and how one test that is not usual is chosen by its id."""

from pathlib import Path

import pytest

from tests.fakes.session_folder import SessionFolder

_MARKED = """
import pytest
@pytest.mark.founding(2)
def test_second(): pass
def test_other(): pass
@pytest.mark.founding(1)
@pytest.mark.parametrize("row", ["a", "b"])
def test_first(row): pass
@pytest.mark.extended
@pytest.mark.parametrize("row", ["a", "b"])
def test_long(row): pass
@pytest.mark.extended
def test_longer(): pass
"""


@pytest.fixture
def bench(tmp_path: Path) -> SessionFolder:
    folder = SessionFolder(tmp_path)
    folder.write(a=_MARKED)
    return folder


def collected(bench: SessionFolder, *arguments: str) -> list[str]:
    """Return the names of the tests that a session with these arguments would run, in order."""
    _, output = bench.run("--collect-only", "-q", *arguments)
    return [line.partition("::")[2] for line in output.splitlines() if line.startswith("test_a.py::")]


def test_the_founding_tests_alone_run_in_their_order(bench: SessionFolder) -> None:
    """The lowest place is first; the end of the collection says how to run the others."""
    assert collected(bench, "--founding") == ["test_first[a]", "test_first[b]", "test_second"]
    assert "--all, a path, -k or an id runs others (4 tests)" in bench.run("--founding")[1]


@pytest.mark.parametrize("chosen", [("-k", "other"), ("-m", "not founding and not extended")])
def test_an_expression_goes_before_founding(bench: SessionFolder, chosen: tuple[str, str]) -> None:
    """Who selects something gets what was selected."""
    assert collected(bench, "--founding", *chosen) == ["test_other"]


def test_a_folder_without_founding_tests_runs_whole(tmp_path: Path) -> None:
    """A repository that marks none has no incidents that go before the others."""
    bench = SessionFolder(tmp_path)
    bench.write(a="def test_one(): pass\ndef test_two(): pass\n")
    assert collected(bench, "--founding") == ["test_one", "test_two"]


@pytest.mark.parametrize(
    ("argument", "chosen"),
    [
        ("test_a.py::test_long[b]", ["test_long[b]"]),
        ("test_a.py::test_long", ["test_long[a]", "test_long[b]"]),
        ("test_a.py", ["test_second", "test_other", "test_first[a]", "test_first[b]"]),
    ],
)
def test_an_extended_test_runs_by_its_id(bench: SessionFolder, argument: str, chosen: list[str]) -> None:
    """The id of a test, or of its function, is a choice; its file is not."""
    assert collected(bench, argument) == chosen
