"""Recording: the history of an experiment, without secrets; it ends where a line is lost, and then is not judged."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.history import Entry, HistoryWriter
from chaos_harness.harness.history.recorded import Kind
from chaos_harness.harness.redaction import recorded

__all__ = ["Recording", "convert_write_errors"]


class Recording(HistoryWriter):
    """A history that cannot be taken for whole once a line of it is lost.

    When a disk does not take a line, the file ends before it, as after a kill: later lines are not written though
    there be space again, and neither is the mark that all is told. That is raised, but for the time in which harm is
    taken back (`tolerate_lost_lines`): then the line is lost, and `require_whole` raises afterwards.

    Its mode is 0600, and secrets are taken out of its values before they are on the disk: of answers, proofs and
    lines of logs here, of objects where they are seen (see harness.probes.objects).
    """

    def __init__(self, path: Path, run: str = "") -> None:
        self._lost = ""
        self._patient = 0
        super().__init__(path, run)
        os.fchmod(self._fd, 0o600)

    def append(self, kind: Kind, process: str, f: str, value: Any = None) -> Entry:
        """Write one entry without secrets, as `History.append` does, and return it."""
        return super().append(kind, process, f, value if kind == "change" else recorded(value))

    @contextmanager
    def tolerate_lost_lines(self) -> Iterator[None]:
        """Have no line that cannot be written keep the block from being done, whichever thread writes it."""
        self._patient += 1
        try:
            yield
        finally:
            self._patient -= 1

    def require_whole(self) -> None:
        """Raise HarnessError if a line was lost."""
        if self._lost:
            raise HarnessError(self._lost)

    def finish(self) -> None:
        """Write that this is all, unless a line was lost or it is closed already, and close the file."""
        if self._lost:
            self.close()
        else:
            super().finish()

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._fd < 0 or not self._lost:
            try:
                super()._write(line)
            except (HarnessError, OSError) as error:
                if self._fd < 0:
                    raise
                self._lost = f"{error}\nthe history ends here and nothing is judged by it: make space, then run it anew"
        if self._lost and not self._patient:
            raise HarnessError(self._lost)


@contextmanager
def convert_write_errors(directory: Path) -> Iterator[None]:
    """Raise as HarnessError what keeps the block from writing below `directory`."""
    try:
        yield
    except OSError as error:
        raise HarnessError(
            f"{error.filename or directory}: cannot be written: {error.strerror or error}; see `df {directory}`"
        ) from error
