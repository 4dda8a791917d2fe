"""Background task: runs a callable in a daemon thread; `check` and `finish` re-raise its exception."""

import threading
from collections.abc import Callable

from chaos_harness.clusters.deadline import Deadline

__all__ = ["BackgroundTask"]


class BackgroundTask:
    """One callable, started at once in a thread of its own."""

    def __init__(self, work: Callable[[], object], name: str) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has ended, successfully or not."""
        return not self._thread.is_alive()

    def check(self) -> None:
        """Raise the exception of the task, if it failed."""
        if self._error:
            raise self._error

    def finish(self, deadline: Deadline) -> None:
        """Wait for the end; raise the task's exception, or DeadlineExceeded."""
        self._thread.join(deadline.remaining)
        self.check()
        if not self.done:
            raise deadline.error(f"{self._thread.name} still running")

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
