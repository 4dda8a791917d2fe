"""Early end: what suites showed before an interrupt is told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.suites import cli
from chaos_harness.harness.suites.answered import CaseResult
from chaos_harness.harness.suites.read import read_suites
from chaos_harness.harness.suites.running import Results
from tests.unit.harness.suites.test_groups import _SUITES

_SUITE = _SUITES / "unique-ingress-host"


@contextmanager
def _given(*_: object, **__: object) -> Iterator[Any]:
    yield SimpleNamespace(directory=lambda name: name), None


def _asked_one(_experiment: object, results: Results) -> list[CaseResult]:
    """Ask the first case, and be interrupted."""
    test = next(test for test in results.tests if not test.skip)
    results.add(CaseResult.of(test, test.cases[0], "as expected", "admitted"))
    raise KeyboardInterrupt


@pytest.mark.parametrize("as_json", [False, True])
def test_what_was_asked_is_told(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    """With the number of those that were not, and the interrupt goes on."""
    for name, value in {"_cluster": _given, "Experiment": _given, "ask_suites": _asked_one}.items():
        monkeypatch.setattr(cli, name, value)
    monkeypatch.setattr(cli, "session_of", lambda *_: None)
    monkeypatch.setattr(cli, "make_work_folder", lambda _: tmp_path)
    chosen = SimpleNamespace(paths=[_SUITE], tests=None, during=None, seed=7, json=as_json)
    monkeypatch.setattr(cli, "_shape", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        cli._suite(chosen, Progress.quiet())  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    count = sum(len(test.cases) for suite in read_suites([_SUITE]) for test in suite.tests)
    if as_json:
        told = json.loads(printed)
        assert (len(told["cases"]), told["missing"]) == (1, count - 1)
    else:
        assert "  \u2713 " in printed
        assert f"ended early: {count - 1} cases have no result" in printed
