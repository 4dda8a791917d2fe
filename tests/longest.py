"""Longest: files of tests that took long go to xdist's workers first, so that none of them ends long after the others.

Of itself xdist begins with the files of most tests, and a file of few tests may take longest. Files of one
`xdist_group` go to one worker, one after the other, and take what they take together; every other file is a group of
its own.
"""

from collections import Counter
from typing import Any

import pytest

__all__ = ["Longest"]

_KEY = "chaos/seconds"
_LATEST_KEY = "chaos/latest"
"""What the files took of the latest run alone, for noxfile.py."""
_GROUP = "xdist_group"
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

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_KEY] = self._seconds

    @pytest.hookimpl(tryfirst=True)  # before xdist puts the group into the name of a test
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._is_worker:
            tests = Counter(_file(test.nodeid) for test in items)
            seconds = {file: _USUAL_SECONDS * number for file, number in tests.items()} | self._seconds
            groups = {_file(test.nodeid): _group(test) for test in items}
            taken = dict.fromkeys(groups.values(), 0.0)
            for file, group in groups.items():
                taken[group] += seconds[file]
            items.sort(key=lambda test: (-taken[groups[_file(test.nodeid)]], groups[_file(test.nodeid)]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = _file(report.nodeid)
        self._took[file] = self._took.get(file, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if not self._is_worker and self._cache is not None:
            latest = {file: round(took, 2) for file, took in self._took.items()}
            self._cache.set(_KEY, {**self._seconds, **latest})
            self._cache.set(_LATEST_KEY, latest)


def _group(test: pytest.Item) -> str:
    """Return the group of a test's file, which becomes one of its own if it has none."""
    mark = test.get_closest_marker(_GROUP)
    if mark is None:
        test.add_marker(pytest.mark.xdist_group(_file(test.nodeid)))
        return _file(test.nodeid)
    return str(mark.args[0])


def _file(node_id: str) -> str:
    return node_id.partition("::")[0]
