"""Verdict log: the plugin that writes each claim of a run as one JSON line, for statistics over runs."""

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from chaos_harness.harness import private
from chaos_harness.harness.experiment.record import Record
from chaos_harness.harness.redaction import redact
from chaos_harness.reports.records import read_record, reason_of
from chaos_harness.reports.truth.commit import commit
from chaos_harness.reports.truth.verdict_lines import BROKEN, FILE, VerdictLine

__all__ = ["pytest_configure"]

_TIME = re.compile(r"-?\btime_\d+\b-?")


def pytest_configure(config: pytest.Config) -> None:
    """Write the log beside Allure's results; not in workers, whose reports arrive here."""
    results = config.option.allure_report_dir
    if results and not config.option.collectonly and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Writer(Path(results).parent / FILE, commit(config.rootpath)), "chaos-verdicts")


class _Writer:
    def __init__(self, path: Path, made_by: str) -> None:
        self._path = path
        self._told = {"run": f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{token_hex(2)}", "commit": made_by}
        self._failed: dict[str, str] = {}
        self._trouble = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome == "failed":
            self._failed.setdefault(report.nodeid, reason_of(report))
        if report.when == "teardown":
            lines = self._lines(report.nodeid, read_record(report.user_properties))
            text = "".join(f"{json.dumps(asdict(line))}\n" for line in lines)
            try:
                private.add(self._path, text)
            except OSError as error:  # a full disk is no verdict: pytest's status stays
                self._trouble = f"the verdicts are not complete: {self._path}: {error.strerror}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._trouble:
            terminalreporter.write_line(self._trouble, red=True)

    def _lines(self, nodeid: str, record: Record | None) -> Iterator[VerdictLine]:
        test = redact(_TIME.sub("", nodeid).replace("[]", ""))
        common: dict[str, Any] = {"test": test, "seed": 0, "shape": {}, "seconds": 0.0}
        common |= self._told
        if record:
            stops = [phase.stop or phase.start for phase in record.phases]
            took = round(max(stops) - record.phases[0].start, 3) if stops else 0.0
            common |= {"seed": record.seed, "shape": _clean(record.cluster["shape"]), "seconds": took}
            common["history"] = os.path.relpath(record.history, self._path.parent)
        claims = record.claims if record else []
        for claim in claims:
            fields = ("expected", "outcome", "issue", "figures", "surprise", "judge", "until", "known", "because", "at")
            yield VerdictLine(
                claim=redact(claim.name),
                summary=redact(claim.summary),
                id=redact(claim.id),
                broken=redact(claim.broken),
                evidence=tuple(map(redact, claim.evidence)),
                **common,
                **{name: getattr(claim, name) for name in fields},
            )
        if nodeid in self._failed and all(claim.as_expected for claim in claims):
            yield VerdictLine(
                claim="", expected="", outcome=BROKEN, issue=None, summary=redact(self._failed[nodeid]), **common
            )


def _clean(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: redact(value) if isinstance(value, str) else value for name, value in shape.items()}
