"""Requests: which requests the registry answered, by its own log, and which times that log does not cover."""

from dataclasses import dataclass
from math import inf

from chaos_harness.harness.history.clocks import Clocks
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import CLOCK_STEP, HISTORY, READ, REGISTRY, REQUEST

__all__ = ["ApiRequest", "Requests"]


@dataclass(frozen=True)
class ApiRequest:
    """A request that the registry answered, from `earliest` to `latest` in seconds of the history.

    Both are the same unless the wall clock was set between the answer and its reading, or the engine's clock differs
    from this machine's by an amount that is not known exactly; both may be before the start of the history.
    """

    earliest: float
    latest: float
    method: str
    path: str
    status: int
    remote: str

    def surely(self, begin: float, end: float) -> bool:
        """Whether it was answered between two moments."""
        return begin <= self.earliest and self.latest < end

    def perhaps(self, begin: float, end: float) -> bool:
        """Whether it may have been answered between two moments."""
        return begin <= self.latest and self.earliest < end

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.latest:.1f} s: {self.remote} {self.method} {self.path} {self.status}"


class Requests(Reader):
    """The registry's log, with times converted to those of the history; a reader (see `following`)."""

    def __init__(self, clocks: Clocks) -> None:
        """Prepare to read; the reader of `clocks` must come before this one."""
        self.all: list[ApiRequest] = []
        self._clocks = clocks
        self._readings: list[Span] = []
        """For each reading: until when the log is copied, and when that was recorded."""
        self._passed_over: list[Span] = []

    def unknown(self, coverage: Coverage, begin: float, end: float) -> Spans:
        """Return the moments between two others at which a request may be missing; `end` may be infinite.

        The log may not be copied there, a line of the history may be missing, or the wall clock was set backwards, so
        that a reader of new lines skipped some.
        """
        last = coverage.until if end == inf else end
        by = next((at for until, at in self._readings if until >= last), inf)
        missing = coverage.unknown([REGISTRY], begin, end) | Spans.of(self._passed_over).within(begin, last)
        return missing | Spans.of([(begin, last)] if coverage.lost.within(begin, by) else [])

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return {REGISTRY: self._take, HISTORY: self._take_step}.get(process)

    def _take(self, entry: Entry) -> None:
        value = entry.value or {}
        if entry.f == REQUEST and "time" in value:
            earliest, latest = self._clocks.place(entry, value["time"])
            method, path, remote = (str(value.get(name, "")) for name in ("method", "path", "remote"))
            self.all.append(ApiRequest(earliest, latest, method, path, value.get("status", 0), remote))
        elif entry.f == READ and entry.kind == "ok" and "until" in value:
            copied = min(entry.at, self._clocks.place_own(entry, value["until"])[0])
            self._readings.append((copied, entry.at))

    @property
    def _copied(self) -> float:
        return self._readings[-1][0] if self._readings else -inf

    def _take_step(self, entry: Entry) -> None:
        if entry.f == CLOCK_STEP:
            seconds = float((entry.value or {}).get("seconds") or 0.0)
            self._passed_over.append((self._copied, entry.at + max(0.0, -seconds)))
