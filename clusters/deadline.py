"""Deadline: the time limit that every wait takes, and the only module that sleeps."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from chaos_harness.clusters.errors import DeadlineExceeded

__all__ = ["Deadline"]


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock by which something must have happened; `what` names it."""

    what: str
    seconds: float
    expires: float

    @classmethod
    def after(cls, seconds: float, what: str) -> Self:
        """Return the deadline `seconds` from now; `what` completes the sentence "waited for …"."""
        return cls(what, seconds, time.monotonic() + seconds)

    def within(self, seconds: float, what: str) -> "Deadline":
        """Return a deadline `seconds` from now for a part of this wait, never later than this one."""
        return Deadline.after(min(seconds, self.remaining), what)

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.expires - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining == 0.0

    def error(self, last_seen: str = "") -> DeadlineExceeded:
        """Return the error to raise: what was expected, for how long, and what was seen last."""
        seen = f"; last seen: {last_seen}" if last_seen else ""
        return DeadlineExceeded(f"waited {self.seconds:.0f} s for {self.what}{seen}")

    def check(self, last_seen: str = "") -> None:
        """Raise DeadlineExceeded if no time is left."""
        if self.expired:
            raise self.error(last_seen)

    def pause(self, seconds: float) -> None:
        """Sleep for `seconds`, but never past the deadline."""
        time.sleep(min(seconds, self.remaining))  # noqa: TID251 - the one sleep of the project

    def attempts(self, first: float = 0.05, most: float = 1.0) -> Iterator[int]:
        """Yield 0, 1, 2, … with growing pauses in between until the deadline; for a state that cannot be watched.

        What is refused and done again is no wait for a state: that is `clusters.retrying`. The pauses double from
        `first` to `most` seconds. The caller returns on success; when the iterator ends, the time is over.
        """
        pause = first
        for attempt in range(1_000_000_000):  # pragma: no branch
            yield attempt
            if self.expired:
                return
            self.pause(pause)
            pause = min(pause * 2, most)
