"""Download retries: does a pull or a download again that broke off, or that a registry or proxy was too busy for."""

import re
from collections.abc import Callable
from typing import TypeVar

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.retrying import retry
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["retry_download"]

Outcome = TypeVar("Outcome")

_MOST_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 8.0

_PASSES = re.compile(
    r"429 too many requests|502 bad gateway|503 service unavailable|504 gateway time-?out"
    r"|connection reset by peer|unexpected eof|tls handshake timeout|http2: server sent goaway",
    re.IGNORECASE,
)
"""In the words of docker and go: neither has a number for it."""


def retry_download(action: Callable[[], Outcome], deadline: Deadline, progress: Progress | None = None) -> Outcome:
    """Return what `action` returns; after a CommandFailed that may pass, up to three more attempts within `deadline`.

    What a server says is not there, whose checksum does not match, what no server is reached for, and a used-up quota
    ("toomanyrequests") fail at once: an image is built then, and a machine without the internet waits for nothing.
    Raises the last CommandFailed, DeadlineExceeded.
    """
    return retry(
        action,
        deadline,
        passes=lambda error: isinstance(error, CommandFailed) and bool(_PASSES.search(error.said)),
        first=_FIRST_PAUSE_SECONDS,
        most=_LONGEST_PAUSE_SECONDS,
        most_attempts=_MOST_ATTEMPTS,
        say=progress.say if progress else None,
    )
