"""Costs: what each test takes of processors, so that the quick loop does not grow unnoticed.

Seconds of processor, unlike seconds, are about the same on a busy machine: up to twice as many. On a slow machine they
are up to six times as many, also of what parsing the same lines takes there: no scale was found that makes them equal.
"""

import resource
from collections.abc import Generator
from time import process_time

import pytest

from tests.thorough import is_quick

__all__ = ["Costs"]

_TOLD_SECONDS = 0.5
_MOST_SECONDS = 10.0
"""What no test of the quick loop may take, however busy and slow the machine is; on an idle, fast one the dearest takes
a tenth."""
_ATTRIBUTE = "chaos_processor_seconds"
"""What reports have from workers of xdist, which pass on all attributes."""


class Costs:
    """A plugin that tells which tests of the quick loop take long, and fails a run of it with one that takes too long.

    A test has the costs of the fixtures that it is the first to use, and of the processes that it starts and waits for.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._is_worker = hasattr(config, "workerinput")
        self._begin = 0.0
        self._seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        self._begin = _processor_seconds()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "teardown":
            setattr(report, _ATTRIBUTE, _processor_seconds() - self._begin)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = getattr(report, _ATTRIBUTE, 0.0)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._too_dear and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.lines():
            terminalreporter.write_line(line)

    def lines(self) -> list[str]:
        """Return what is told of the costs of a quick loop: all tests together, and those that take long."""
        if not is_quick():
            return []
        dearest = sorted(self._seconds.items(), key=lambda costs: -costs[1])
        told = [f"{seconds:6.1f} s {test}" for test, seconds in dearest if seconds > _TOLD_SECONDS]
        together = sum(self._seconds.values())
        head = (
            f"{together:.1f} s of processor in tests without those marked thorough; over {_TOLD_SECONDS} s: {len(told)}"
        )
        refused = [
            f"ERROR: {test} takes more than {_MOST_SECONDS:g} s of processor in the quick loop: "
            "let it try less there (tests/thorough.py), or find out what is slow"
            for test in self._too_dear
        ]
        return [head, *told, *refused]

    @property
    def _too_dear(self) -> list[str]:
        if self._is_worker or not is_quick():
            return []
        return [test for test, seconds in self._seconds.items() if seconds > _MOST_SECONDS]


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime
