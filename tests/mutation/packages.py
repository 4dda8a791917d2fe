"""Packages: what is made wrong, and by which tests that shall be noticed."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["PACKAGES", "Package"]

_ROOT = Path(__file__).parents[2]


class Package(NamedTuple):
    """Sources and tests: paths of files and folders in the repository; the quickest tests come first.

    Of the tests, `unsteady` are left out: they measure processor time, and fail on a busy machine without any mistake.
    """

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    unsteady: tuple[str, ...] = ()

    def files(self) -> Iterator[str]:
        """Yield the sources' files."""
        for source in self.sources:
            place = _ROOT / source
            yield from (path.relative_to(_ROOT).as_posix() for path in sorted(place.rglob("*.py")) or [place])

    def nearest(self, source: str) -> Iterator[str]:
        """Yield the files of tests that have a source's name: quickly collected, they find most of its mistakes."""
        name = f"test_{Path(source).stem}.py"
        for test in self.tests:
            place = _ROOT / test
            paths = sorted(place.rglob(name)) if place.is_dir() else [place] * (place.name == name)
            yield from (path.relative_to(_ROOT).as_posix() for path in paths)


PACKAGES = {
    "undo": Package(("harness/undo",), ("tests/unit/harness/undo", "tests/unit/harness/faults")),
    "ownership": Package(
        ("clusters/engine/guard.py", "clusters/engine/claims.py", "clusters/machine/owner.py", "clusters/garbage.py"),
        (
            "tests/unit/clusters/engine/test_guard.py",
            "tests/unit/clusters/machine/test_owner.py",
            "tests/unit/clusters/engine/test_claims.py",
            "tests/unit/clusters/test_claims.py",
            "tests/unit/clusters/test_garbage.py",
            "tests/unit/clusters/test_gc.py",
        ),
    ),
    "redaction": Package(
        ("harness/redaction",),
        ("tests/unit/harness/redaction",),
        ("tests/unit/harness/redaction/test_bounds.py::test_time_grows_with_the_text_and_not_faster",),
    ),
    "checks": Package(("harness/checks",), ("tests/unit/harness/checks",)),
}
