"""Streams: output to a terminal, a pipe or a log; losing it loses nothing else."""

import os
import sys
from typing import Any, TextIO, cast

__all__ = ["LossyStream", "open_copy"]


class LossyStream:
    """A text stream that never raises: the reader may be gone, the disk full, or the encoding too small.

    After the first failed write it goes on silently: later text is dropped, and so is what is still buffered when
    Python ends. `lost` is that first error, None before. Characters that the encoding lacks become "?". Everything else
    is passed to the wrapped stream.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | ValueError | None = None

    def as_text(self) -> TextIO:
        """Return itself, typed as a text stream: it has all methods of one."""
        return cast("TextIO", self)

    def write(self, text: str) -> int:
        """Write `text` as far as possible; return its length."""
        if self.lost is None:
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                self._write_plain(text)
            except (OSError, ValueError) as error:  # ValueError: it was closed
                self._lose(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write all of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is buffered."""
        if self.lost is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._lose(error)

    def close(self) -> None:
        """Write what is buffered and close the stream."""
        self.flush()
        self._stream.close()

    def _write_plain(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or sys.getdefaultencoding()
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
        except (OSError, ValueError) as error:
            self._lose(error)

    def _lose(self, error: OSError | ValueError) -> None:
        self.lost = error
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)
            self._stream.flush()
        except (OSError, ValueError):  # not a file: then nothing of it is written when Python ends
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_copy(number: int) -> TextIO:
    """Return a new text stream on a copy of the file descriptor `number`; one that drops everything if it is closed."""
    try:
        handle = os.dup(number)
    except OSError:
        handle = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    return LossyStream(os.fdopen(handle, "w", buffering=1)).as_text()
