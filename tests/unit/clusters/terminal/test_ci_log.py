"""CI log: lines with the time, groups in the form of the service, and neither anywhere else."""

import io

import pytest

from chaos_harness.clusters.terminal.ci_log import CiLog
from chaos_harness.clusters.terminal.progress import Progress

_ERASED = "\x1b[0K"


def _write(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a progress writes of a step in two groups in the environment of a CI service."""
    log, stream = CiLog.of(environment), io.StringIO()
    monkeypatch.setattr(CiLog, "of", lambda: CiLog(log.timed, log.service, lambda: 3661.0))
    shown = Progress(stream)
    with shown.group("images"), shown.group("inner"):
        shown.say("one\ntwo")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("environment", "written"),
    [
        ({}, "one\ntwo\n"),
        ({"CI": "false"}, "one\ntwo\n"),
        ({"CI": "true"}, "01:01:01 one\n01:01:01 two\n"),
        ({"GITHUB_ACTIONS": "true"}, "::group::images\n01:01:01 one\n01:01:01 two\n::endgroup::\n"),
        (
            {"CI": "true", "GITLAB_CI": "true"},
            (
                f"{_ERASED}section_start:3661:images\r{_ERASED}images\n01:01:01 one\n01:01:01 two\n"
                f"{_ERASED}section_end:3661:images\r{_ERASED}\n"
            ),
        ),
        ({"GITHUB_ACTIONS": "true", "PYTEST_XDIST_WORKER": "gw0"}, "01:01:01 one\n01:01:01 two\n"),
    ],
    ids=["none", "off", "ci", "github", "gitlab", "worker"],
)
def test_each_service_has_its_form(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], written: str) -> None:
    """A group within a group is none: GitHub's cannot be nested. Workers write side by side, and open none."""
    assert _write(environment, monkeypatch) == written
