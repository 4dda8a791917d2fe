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
from chaos_harness.harness.suites.during import LostAnswers
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
    for name in ("session_of", "pull_rules"):
        monkeypatch.setattr(cli, name, lambda *_: None)
    monkeypatch.setattr(cli, "make_work_folder", lambda _: tmp_path)
    chosen = SimpleNamespace(paths=[_SUITE], tests=None, during=None, lasts=None, seed=7, json=as_json)
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
        assert f"ended early: {count - 1} cases have no result\n" in printed


def _asked_all(_experiment: object, results: Results) -> list[CaseResult]:
    """Ask all cases, which come out as expected."""
    for test in results.tests:
        for case in test.cases:
            results.add(CaseResult.of(test, case, "as expected", "admitted"))
    return list(results.ordered)


def _lost_one(*_: object) -> Iterator[LostAnswers]:
    """Tell what became of one case under the fault, and be interrupted."""
    yield LostAnswers("suite.yaml: hosts: two", asked=9, lost=4, admitted=4, least=1.0, most=2.0)
    raise KeyboardInterrupt


def test_what_was_asked_under_a_fault_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    """Groups of tests that ended before the interrupt are told with what they lost."""
    given = {"_cluster": _given, "Experiment": _given, "ask_suites": _asked_all, "ask_during": _lost_one}
    for name, value in given.items():
        monkeypatch.setattr(cli, name, value)
    for name in ("session_of", "pull_rules"):
        monkeypatch.setattr(cli, name, lambda *_: None)
    monkeypatch.setattr(cli, "make_work_folder", lambda _: tmp_path)
    monkeypatch.setattr(cli, "_shape", lambda _: None)
    chosen = SimpleNamespace(paths=[_SUITE], tests=None, during="scale_to_zero", lasts=20.0, seed=7, json=False)
    with pytest.raises(KeyboardInterrupt):
        cli._suite(chosen, Progress.quiet())  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert "4 of 9 answers lost" in printed
    said = "ended early: 0 cases have no result; of 1 it is known what was lost during scale_to_zero for 20 s\n"
    assert said in printed
