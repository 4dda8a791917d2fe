"""Beside: work that goes on in a thread of its own while its beginner does other things."""

import threading
from collections.abc import Callable

from chaos_harness.clusters.deadline import Deadline

__all__ = ["BackgroundTask"]


class BackgroundTask:
    """One piece of work, begun at once; what it raises is raised again by `check` and `finish`."""

    def __init__(self, work: Callable[[], object], name: str) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return not self._thread.is_alive()

    def check(self) -> None:
        """Raise what the work has raised, if it has."""
        if self._error:
            raise self._error

    def finish(self, deadline: Deadline) -> None:
        """Wait for the work's end; raise what it raised, or DeadlineExceeded."""
        self._thread.join(deadline.remaining)
        self.check()
        if not self.done:
            raise deadline.error(f"{self._thread.name} still at work")

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
