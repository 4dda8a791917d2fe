"""Guard: a disk that takes no more keeps a report from being complete, and a run from nothing."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pluggy

__all__ = ["Guard"]

_allure = pluggy.HookimplMarker("allure")


class Guard:
    """Stands around all that is written for a report; `trouble` is the first thing that could not be, in words."""

    def __init__(self, results: Path) -> None:
        self.trouble = ""
        self._results = results

    @contextmanager
    def safely(self) -> Iterator[None]:
        """Do what is in the block as far as the disk takes it."""
        try:
            yield
        except OSError as error:
            where = error.filename or self._results
            said = f"the report is not complete: {where}: {error.strerror}; see `df {self._results}`"
            self.trouble = self.trouble or said

    @_allure(wrapper=True)
    def report_result(self) -> Generator[None, None, None]:
        """Let a result be written, or not."""
        with self.safely():
            yield

    # allure_commons calls each of these when it writes something; what is to be done is the same.
    report_container = report_attached_file = report_attached_data = report_globals = report_result
