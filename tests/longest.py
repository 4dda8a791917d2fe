"""Longest: files of tests that took long go to xdist's workers first, so that none of them ends long after the others.

Of itself xdist begins with the files of most tests, and a file of few tests may take longest.
"""

from collections import Counter
from typing import Any

import pytest

__all__ = ["Longest"]

_KEY = "chaos/seconds"
_LATEST_KEY = "chaos/latest"
"""What the files took of the latest run alone, for noxfile.py."""
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

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._is_worker:
            tests = Counter(_file(test.nodeid) for test in items)
            seconds = {file: _USUAL_SECONDS * number for file, number in tests.items()} | self._seconds
            items.sort(key=lambda test: -seconds[_file(test.nodeid)])  # stable: files stay together

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = _file(report.nodeid)
        self._took[file] = self._took.get(file, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if not self._is_worker and self._cache is not None:
            latest = {file: round(took, 2) for file, took in self._took.items()}
            self._cache.set(_KEY, {**self._seconds, **latest})
            self._cache.set(_LATEST_KEY, latest)


def _file(node_id: str) -> str:
    return node_id.partition("::")[0]
