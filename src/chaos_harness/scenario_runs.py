"""Scenario runs: `chaos-harness run` runs scenarios by pytest and makes their report; its exit status is the tool's."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos_harness.clusters.checkout import OPTION, OUT, ROOT
from chaos_harness.harness.run.exit_status import ExitStatus, worst
from chaos_harness.reports import __main__ as reports
from chaos_harness.reports.failure_origin import FailureOrigin, origin_of
from chaos_harness.run_options import help_text

__all__ = ["main"]

_SCENARIOS = "scenarios"
_ENTRY = "chaos_harness.pytest_entry"
"""The plugin with --chaos: where the harness is installed pytest loads it, and in a checkout it does not."""
_ALL = "--all"
"""The argument of who wants all scenarios, not the founding incidents only."""
_HELP = frozenset({"-h", "--help"})
_INCIDENTS = (".yaml", ".yml")
_FILES = (".py", *_INCIDENTS)
_LATEST = "latest"
_OF_ORIGIN: dict[FailureOrigin, ExitStatus] = {
    "product": ExitStatus.OTHERWISE,
    "inconclusive": ExitStatus.INCONCLUSIVE,
    "harness": ExitStatus.BROKEN,
}
_OF_ENDING: dict[int, ExitStatus] = {
    pytest.ExitCode.INTERRUPTED: ExitStatus.INTERRUPTED,
    pytest.ExitCode.INTERNAL_ERROR: ExitStatus.BROKEN,
    pytest.ExitCode.USAGE_ERROR: ExitStatus.REFUSED,
    pytest.ExitCode.NO_TESTS_COLLECTED: ExitStatus.NOTHING,
}


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios that pytest's arguments choose, make the report of the run, and return an ExitStatus.

    In a checkout the founding incidents run if there is no file, folder or node id among the arguments, no -k, no -m
    and no --all; with one of these three the project's own scenarios are what is chosen from. Elsewhere pytest looks
    for tests as it always does.
    """
    if _HELP.intersection(arguments):
        sys.stdout.write(help_text())
        return ExitStatus.AS_EXPECTED
    seen = _Seen()
    ended = pytest.main(_options(arguments), plugins=[seen])
    if run := seen.run:
        reports.main([str(run)])  # whose status is not the run's: it may fail, and says so
    return seen.status(ended)


def _options(arguments: Sequence[str]) -> list[str]:
    others = [argument for argument in arguments if argument != _ALL]
    chosen = ROOT is None or any(map(_is_chosen, ["", *others], others))
    added = [] if chosen else [_SCENARIOS]
    if others == list(arguments) and not chosen:
        added.append(f"{OPTION}founding")
    if any(map(_is_incident_elsewhere, others)):
        added.append(f"--rootdir={Path.cwd()}")
    return ["-p", _ENTRY, "--chaos", *added, *others]


def _is_incident_elsewhere(argument: str) -> bool:
    """Whether an argument is an incident file that is not below the working directory, where results belong.

    Of itself pytest would put them into the folder that both have in common, such as /tmp or a home.
    """
    path = Path(argument.partition("::")[0])
    return path.suffix in _INCIDENTS and not path.resolve().is_relative_to(Path.cwd())


def _is_chosen(before: str, argument: str) -> bool:
    """Whether an argument names tests. A folder that follows an option such as `--alluredir` is taken for its value."""
    path = Path(argument.partition("::")[0])
    if argument.startswith("-"):
        return False
    if "::" in argument or path.suffix in _FILES:
        return True
    return path.is_dir() and not (before.startswith("--") and "=" not in before)


class _Seen:
    """A plugin that keeps the status of each failed phase of a test; workers of xdist send their reports to it."""

    def __init__(self) -> None:
        self._statuses: list[ExitStatus] = []
        self._began: Path | None = None
        self._config: pytest.Config | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        """Keep where it is said where results go."""
        self._config = config

    def pytest_runtest_logstart(self) -> None:
        """Keep the folder of the run, in which a test begins; results that go elsewhere have none."""
        if self._config and not self._began:
            run, runs = Path(self._config.option.allure_report_dir).parent, self._config.rootpath / OUT
            self._began = run if run.parent == runs else None

    @property
    def run(self) -> Path | None:
        """The folder of this run, by the link to the latest one if it is that; None if it has none."""
        if self._began is None:
            return None
        latest = self._began.with_name(_LATEST)
        return Path(os.path.relpath(latest if latest.resolve() == self._began.resolve() else self._began))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep whose failure it is."""
        if report.failed:
            self._statuses.append(_OF_ORIGIN[origin_of(report)])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep that a file could not be collected."""
        if report.failed:
            self._statuses.append(ExitStatus.BROKEN)

    def status(self, ended: int) -> ExitStatus:
        """Return the status of the run, which ended with this status of pytest's.

        If pytest failed and no test did, that was the gate of figures, which are worse than before.
        """
        if ended == pytest.ExitCode.OK:
            return ExitStatus.AS_EXPECTED
        if ended == pytest.ExitCode.TESTS_FAILED:
            return worst(self._statuses or [ExitStatus.OTHERWISE])
        return worst([_OF_ENDING.get(ended, ExitStatus.BROKEN), *self._statuses])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
