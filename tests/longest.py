"""Longest: files of tests that took long go to xdist's workers first, so that none of them ends long after the others.

Of itself xdist begins with the files of most tests, and a file of few tests may take longest. Files that are marked
with one `xdist_group` go to one worker, one after the other, and take what they take together; every other file is a
group of its own. (`--dist loadgroup` names tests anew, which pytest 9.2 does not take: xdist 3.8 groups nothing there.)
"""

import functools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

__all__ = ["ByGroup", "Longest"]

_KEY = "chaos/seconds"
_LATEST_KEY = "chaos/latest"
"""What the files took of the latest run alone, for noxfile.py."""
_GROUP = re.compile(r"\bxdist_group\(\"([^\"]+)\"\)")
_USUAL_SECONDS = 0.02
"""What a test of a file takes that was never run."""


class Longest:
    """A plugin that keeps what each file took in pytest's cache, and has its workers begin with the longest.

    The workers get the figures from their controller: all must collect in one order.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._cache = getattr(config, "cache", None)
        worker = getattr(config, "workerinput", None)
        self._is_worker = worker is not None
        self._seconds: dict[str, float] = {}
        if worker is not None:
            self._seconds = worker.get(_KEY, {})
        elif self._cache is not None:
            self._seconds = self._cache.get(_KEY, {})
        self._took: dict[str, float] = {}
        self._root = config.rootpath

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_KEY] = self._seconds

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> "ByGroup | None":
        return ByGroup(config, log) if config.getoption("dist") == "loadfile" else None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._is_worker:
            tests = Counter(_file(test.nodeid) for test in items)
            seconds = {file: _USUAL_SECONDS * number for file, number in tests.items()} | self._seconds
            groups = {file: _group(self._root / file) for file in tests}
            taken = dict.fromkeys(groups.values(), 0.0)
            for file, group in groups.items():
                taken[group] += seconds[file]
            order = {file: (-taken[group], group) for file, group in groups.items()}
            items.sort(key=lambda test: order[_file(test.nodeid)])  # stable: files stay together

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = _file(report.nodeid)
        self._took[file] = self._took.get(file, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if not self._is_worker and self._cache is not None:
            latest = {file: round(took, 2) for file, took in self._took.items()}
            self._cache.set(_KEY, {**self._seconds, **latest})
            self._cache.set(_LATEST_KEY, latest)


class ByGroup(LoadFileScheduling):  # type: ignore[misc]
    """Gives each worker whole groups of files."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(self.config.rootpath / _file(nodeid))


@functools.cache
def _group(path: Path) -> str:
    """Return the group of a file, by its source: who distributes tests has collected none."""
    named = _GROUP.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    return named[1] if named else str(path)


def _file(node_id: str) -> str:
    return node_id.partition("::")[0]
