"""Recording: an experiment's history without secrets; it ends at the first lost line, and is not judged then."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.history import Entry, HistoryWriter
from chaos_harness.harness.history.recorded import EntryKind
from chaos_harness.harness.redaction import redact_object

__all__ = ["Recording", "convert_write_errors"]


class Recording(HistoryWriter):
    """A history that does not count as complete after a line of it was lost.

    If the disk refuses a line, the file ends before that line, as after a kill: no later line is written, even if there
    is space again, nor is the mark of a complete history. The loss is raised at once, except while harm is being undone
    (`tolerate_lost_lines`): then `require_whole` raises it afterwards.

    The file's mode is 0600. Secrets are removed before anything is on disk: from answers, proofs and log lines here,
    from objects where they are watched (see harness.probes.objects).
    """

    def __init__(self, path: Path, run: str = "") -> None:
        self._lost = ""
        self._patient = 0
        super().__init__(path, run)
        os.fchmod(self._fd, 0o600)

    def append(self, kind: EntryKind, process: str, f: str, value: Any = None) -> Entry:
        """Write one entry without secrets and return it; see `HistoryWriter.append`."""
        return super().append(kind, process, f, value if kind == "change" else redact_object(value))

    @contextmanager
    def tolerate_lost_lines(self) -> Iterator[None]:
        """Let no line that cannot be written stop the block, whichever thread writes it."""
        self._patient += 1
        try:
            yield
        finally:
            self._patient -= 1

    @property
    def whole(self) -> bool:
        """Whether no line was lost."""
        return not self._lost

    def require_whole(self) -> None:
        """Raise HarnessError if a line was lost."""
        if self._lost:
            raise HarnessError(self._lost)

    def finish(self) -> None:
        """Mark the history as complete, unless a line was lost or the file is closed already; close the file."""
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
                self._lost = f"{error}\nthe history ends here and is not judged: make space, then run it again"
        if self._lost and not self._patient:
            raise HarnessError(self._lost)


@contextmanager
def convert_write_errors(directory: Path) -> Iterator[None]:
    """Raise HarnessError for an OSError of the block, which writes below `directory`."""
    try:
        yield
    except OSError as error:
        raise HarnessError(
            f"{error.filename or directory}: cannot be written: {error.strerror or error}; see `df {directory}`"
        ) from error
