"""Blame: whose failure a test's is, by the error that it raised, told on its report."""

from collections.abc import Generator
from typing import Any, Literal

import pytest

from chaos_harness.harness.errors import CheckBroken, Inconclusive

__all__ = ["FailureOrigin", "origin_of", "pytest_runtest_makereport"]

FailureOrigin = Literal["product", "inconclusive", "harness"]

_NAME = "chaos_blame"
"""Attribute of a report, which xdist carries to the controller: it must be JSON."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[Any]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell on the report of each phase that raised whose failure it is."""
    report = yield
    if call.excinfo is not None:
        setattr(report, _NAME, _origin_of_error(call.excinfo.value))
    return report


def origin_of(report: pytest.TestReport) -> FailureOrigin:
    """Return whose failure a report tells of; one that no error was raised for, such as a crash, is the harness's."""
    blame: FailureOrigin = getattr(report, _NAME, "harness")
    return blame


def _origin_of_error(error: BaseException) -> FailureOrigin:
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return "product"
    return "inconclusive" if isinstance(error, Inconclusive) and not isinstance(error, CheckBroken) else "harness"
