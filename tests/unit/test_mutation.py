"""Mutation: which mistakes are put into a source, and what is not tried again."""

from pathlib import Path

import pytest

from tests.mutation import store as store_module
from tests.mutation.mistakes import Mistake, mistakes
from tests.mutation.packages import PACKAGES, Package
from tests.mutation.store import Store

_ROOT = Path(__file__).parents[2]


def _made(source: str) -> list[str]:
    return [f"{mistake.old} -> {mistake.new}" for mistake in mistakes(source)]


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("sync(file)", ["sync(file) -> pass"]),
        ("self.a = b", ["self.a = b -> pass"]),
        ("def f(): return g", ["return g -> return None"]),
        ("if a: f = 0", ["a -> (not (a))", "0 -> 1"]),
        ("if a == b: f = g", ["a == b -> (a != b)"]),
        ("if a < b: f = g", ["a < b -> (not (a < b))", "a < b -> (a <= b)"]),
        ("c = a and b", ["a and b -> ((a) or (b))"]),
        ("c = f(True)", ["True -> False"]),
        ("c = ('a', 'b')", ["('a', 'b') -> (('b',))", "('a', 'b') -> (('a',))"]),
        ("c = {'a': b}", ["{'a': b} -> {}"]),
        ("raise E(f'{1}', 2)", ["raise E(f'{1}', 2) -> pass"]),
    ],
)
def test_mistakes(source: str, made: list[str]) -> None:
    """A statement or an element left out, a condition turned, an edge moved, a number changed."""
    assert _made(source) == made


@pytest.mark.parametrize(
    "source",
    [
        '"""Words."""',
        "__all__ = ['a']",
        "A = Literal['a', 1]",
        "def f(a: 'X | 1') -> 'Y': ...",
        "@cache(1)\nclass A(B): ...",
        "a = 'b'",
    ],
)
def test_what_is_no_behaviour_stays(source: str) -> None:
    """Docstrings, names for others, types, decorators and texts."""
    assert [mistake for mistake in _made(source) if mistake != "... -> pass"] == []


def test_a_mistake_is_at_its_place() -> None:
    """Also behind letters that have several bytes; the rest of the file stays as it is."""
    (mistake,) = mistakes("a = 'ä'; b = f(True)  # ü\n")
    assert mistake.source == "a = 'ä'; b = f(False)  # ü\n"


def test_packages_are_there() -> None:
    """A path that is not in the repository would test nothing."""
    for package in PACKAGES.values():
        assert list(package.files())
        assert [place for place in (*package.sources, *package.tests) if not (_ROOT / place).exists()] == []


@pytest.mark.parametrize(
    ("package", "source", "tests"),
    [
        ("ownership", "clusters/engine/guard.py", ["tests/unit/clusters/engine/test_guard.py"]),
        ("undo", "harness/undo/journal.py", ["tests/unit/harness/undo/test_journal.py"]),
        ("redaction", "harness/redaction/suspicion.py", []),
    ],
)
def test_tests_of_the_same_name_come_first(package: str, source: str, tests: list[str]) -> None:
    """Whether a package names files of tests or folders; a source may have none of its name."""
    assert list(PACKAGES[package].nearest(source)) == tests


def test_what_was_tried_is_tried_again_when_it_may_come_out_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other tests can find what survived; with other sources everything is another mistake."""
    monkeypatch.setattr(store_module, "_ROOT", tmp_path)
    for name in ("source.py", "test.py"):
        (tmp_path / name).write_text("1")
    package, path = Package(("source.py",), ("test.py",)), tmp_path / "store.jsonl"
    killed, survivor = (Mistake(1, "1", new, new) for new in ("2", "3"))
    store = Store(path, package)
    store.add("source.py", killed, "test_a")
    store.add("source.py", survivor, "")

    def tests() -> list[str | None]:
        return [Store(path, package).test_of("source.py", mistake) for mistake in (killed, survivor)]

    assert tests() == ["test_a", ""]
    (tmp_path / "test.py").write_text("2")
    assert tests() == ["test_a", None]
    (tmp_path / "source.py").write_text("2")
    assert tests() == [None, None]
