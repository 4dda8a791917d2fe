"""Witness: compares the API server's counter of calls that failed open with its log of such calls."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from chaos_harness.harness.history.clocks import Clocks
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import API_SERVER, CALL, FAIL_OPEN, METRICS, READ, numbered

__all__ = ["FailOpenCount", "Witness"]

_Reading = tuple[float, float, dict[str, float]]
_ALWAYS = Spans(((-inf, inf),))
_SLACK_SECONDS = 0.1
_COUNTER = re.compile(r'apiserver_admission_webhook_fail_open_count\{.*name="([^"]+)"')


@dataclass(frozen=True)
class FailOpenCount:
    """How often calls of one webhook failed open between two readings of the counter (seconds of the history).

    `counted` is by the API server's counter, None where it was reset; `logged` is by its log, at least and at most,
    because a reading takes a while. Both cover every call that failed open, from any client.
    """

    webhook: str
    begin: float
    end: float
    counted: int | None
    logged: tuple[int, int]

    @property
    def agree(self) -> bool | None:
        """Whether both agree; None if the counter says nothing."""
        return None if self.counted is None else self.logged[0] <= self.counted <= self.logged[1]


class Witness(Reader):
    """Reads counter and log of an API server together; a reader (see `following`).

    With several API servers each reading may come from another one, so that the counter proves nothing.
    """

    def __init__(self, clocks: Clocks) -> None:
        """Prepare to read; the reader of `clocks` must come before this one."""
        self._several = False
        self._asked = 0.0
        self._reads: list[_Reading] = []
        self._calls: list[tuple[Span, str]] = []
        self._clocks = clocks

    def failed_open(self, copied: Spans = _ALWAYS) -> list[FailOpenCount]:
        """Return, for each webhook, what was counted from the first reading to the last one, and logged meanwhile.

        Only readings count that lie in one stretch for which the log is `copied`.
        """
        stretches = [
            [reading for reading in self._reads if begin <= reading[0] and reading[1] <= end and not self._several]
            for begin, end in copied
        ]
        webhooks = {webhook for *_, counts in self._reads for webhook in counts} | {
            webhook for _, webhook in self._calls
        }
        return [self._of(webhook, reads) for webhook in sorted(webhooks) for reads in stretches if reads]

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        takes = {numbered(METRICS, API_SERVER): self._take_read, FAIL_OPEN: self._take_call, API_SERVER: self._note}
        return takes.get(process)

    def _note(self, entry: Entry) -> None:
        self._several = self._several or (entry.value or {}).get("servers", 1) > 1

    def _take_read(self, entry: Entry) -> None:
        if entry.kind == "invoke":
            self._asked = entry.at
        elif entry.kind == "ok" and entry.f == READ:
            counts: dict[str, float] = {}
            for name, number in entry.value.items():
                if counter := _COUNTER.match(name):
                    counts[counter[1]] = counts.get(counter[1], 0.0) + number
            self._reads.append((self._asked, entry.at, counts))

    def _take_call(self, entry: Entry) -> None:
        if entry.f == CALL:
            span = self._clocks.place(entry, entry.value["time"], entry.value.get("node", ""))
            self._calls.append((span, entry.value["webhook"]))

    def _of(self, webhook: str, reads: Sequence[_Reading]) -> FailOpenCount:
        counts = [counts.get(webhook, 0.0) for *_, counts in reads]
        anew = any(after < before for before, after in pairwise(counts))
        (asked, answered, _), (asked_last, answered_last, _) = reads[0], reads[-1]
        calls = [span for span, called in self._calls if called == webhook]
        slack = _SLACK_SECONDS
        least = sum(answered + slack < first and last < asked_last - slack for first, last in calls)
        most = sum(asked - slack <= last and first <= answered_last + slack for first, last in calls)
        return FailOpenCount(
            webhook, asked, answered_last, None if anew else int(counts[-1] - counts[0]), (least, most)
        )
