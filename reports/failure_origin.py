"""Failure origin: whether the product, the harness or neither is to blame for a failure, by the error raised."""

from collections.abc import Generator
from typing import Any, Literal

import pytest

from chaos_harness.harness.errors import CheckBroken, Inconclusive

__all__ = ["FailureOrigin", "origin_of", "pytest_runtest_makereport"]

FailureOrigin = Literal["product", "inconclusive", "harness"]

_NAME = "chaos_failure_origin"
"""Attribute of a report; it must be JSON, since xdist sends it to the controller."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[Any]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Store the origin on the report of each phase that raised."""
    report = yield
    if call.excinfo is not None:
        setattr(report, _NAME, _origin_of_error(call.excinfo.value))
    return report


def origin_of(report: pytest.TestReport) -> FailureOrigin:
    """Return the origin of a report's failure; without an error, as after a crash, it is the harness."""
    blame: FailureOrigin = getattr(report, _NAME, "harness")
    return blame


def _origin_of_error(error: BaseException) -> FailureOrigin:
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return "product"
    return "inconclusive" if isinstance(error, Inconclusive) and not isinstance(error, CheckBroken) else "harness"
