"""Disk errors: a full disk may make a report incomplete, but must not stop a run."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pluggy

__all__ = ["DiskErrorGuard"]

_allure = pluggy.HookimplMarker("allure")


class DiskErrorGuard:
    """Catches errors of everything that is written for a report; `first_error` describes the first one."""

    def __init__(self, results: Path) -> None:
        self.first_error = ""
        self._results = results

    @contextmanager
    def catch_errors(self) -> Iterator[None]:
        """Run the block; an error of the disk is noted, not raised."""
        try:
            yield
        except OSError as error:
            where = error.filename or self._results
            said = f"the report is not complete: {where}: {error.strerror}; see `df {self._results}`"
            self.first_error = self.first_error or said

    @_allure(wrapper=True)
    def report_result(self) -> Generator[None, None, None]:
        """Write a result, unless the disk fails."""
        with self.catch_errors():
            yield

    # allure_commons calls each of these when it writes something; what is to be done is the same.
    report_container = report_attached_file = report_attached_data = report_globals = report_result
