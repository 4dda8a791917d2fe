"""Failures: removes secrets and control characters from pytest's reports of failures and captured output."""

from collections.abc import Generator
from typing import Any

import pytest

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.redaction import redact

__all__ = ["pytest_runtest_makereport"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Clean each report before anybody sees it: the terminal, JUnit XML, xdist's controller."""
    report = yield
    clean_report(report)
    return report


def clean_report(report: pytest.TestReport) -> None:
    """Remove secrets and control characters from a report's trace, its message, and the captured output."""
    report.sections = [(name, _text(said)) for name, said in report.sections]
    failure: Any = report.longrepr
    if isinstance(failure, str):
        report.longrepr = _text(failure)
    elif isinstance(failure, tuple):
        report.longrepr = (failure[0], failure[1], _text(failure[2]))
    else:
        parts = getattr(
            failure, "chain", [(getattr(failure, "reprtraceback", None), getattr(failure, "reprcrash", None), None)]
        )
        for trace, crash, _ in parts:
            _clean_trace(trace, crash)


def _clean_trace(trace: Any, crash: Any) -> None:
    if crash is not None:
        crash.message = _text(crash.message)
    for entry in getattr(trace, "reprentries", ()):
        entry.lines = _text("\n".join(entry.lines)).split("\n") if entry.lines else entry.lines
        place = getattr(entry, "reprfileloc", None)
        if place is not None:
            place.message = _text(place.message)
        known = getattr(entry, "reprlocals", None)
        if known is not None:
            known.lines = _text("\n".join(known.lines)).split("\n")
        arguments = getattr(entry, "reprfuncargs", None)
        if arguments is not None:
            arguments.args = [_argument(name, str(value)) for name, value in arguments.args]


def _argument(name: str, value: str) -> tuple[str, str]:
    """Clean a function's argument; its name may mark it as a secret."""
    return name, _text(f"{name} = {value}").partition(" = ")[2]


def _text(text: str) -> str:
    return "\t".join(escape_controls(piece, lines=True) for piece in redact(text).split("\t"))
