"""Store: which mistake was found by which test, so that a run goes on where the last one stopped."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.mistakes import Mistake
from tests.mutation.packages import Package

__all__ = ["Store"]

_ROOT = Path(__file__).parents[2]

_Key = tuple[str, int, str, str]


class Store:
    """A file of JSON lines, read for one package.

    A mistake that was found counts while the sources are the same, for tests that come find no less; one that survived
    is tried again when the tests are others, too.
    """

    def __init__(self, path: Path, package: Package) -> None:
        self._path = path
        self._sources, self._tests = _digest(package.sources), _digest(package.tests)
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines() if path.exists() else [])
        self._known: dict[_Key, str] = {tuple(line["mistake"]): line["test"] for line in lines if self._counts(line)}

    @property
    def made(self) -> str:
        """The digests of the package's sources and tests."""
        return f"{self._sources} {self._tests}"

    def test_of(self, file: str, mistake: Mistake) -> str | None:
        """Return the test that finds the mistake, "" if none does, None if it was not tried."""
        return self._known.get(_key(file, mistake))

    def add(self, file: str, mistake: Mistake, test: str) -> None:
        """Write what was tried."""
        key = _key(file, mistake)
        self._known[key] = test
        line = {"sources": self._sources, "tests": self._tests, "mistake": key, "test": test}
        with self._path.open("a", encoding="utf-8") as stored:
            stored.write(json.dumps(line) + "\n")

    def _counts(self, line: dict[str, str]) -> bool:
        return line["sources"] == self._sources and bool(line["test"] or line["tests"] == self._tests)


def _key(file: str, mistake: Mistake) -> _Key:
    return (file, mistake.line, mistake.old, mistake.new)


def _digest(places: Iterable[str]) -> str:
    content = hashlib.sha256()
    for place in places:
        for path in sorted((_ROOT / place).rglob("*.py")) or [_ROOT / place]:
            content.update(path.read_bytes())
    return content.hexdigest()[:12]
