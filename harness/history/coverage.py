"""Coverage: when each stream of a history was really seen; what was not seen may have happened.

A stream is one observed thing: a list of objects (by its watch's process), one policy (`asked(policy)`), one webhook
pod (`replica(uid)`), the API server (`api_server(operation)`), a log (its process), and how late a watch is (NUMBER):
it is seen where a written number was reported in time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from chaos_harness.harness.history.clocks import Clocks
from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.lag import Lag
from chaos_harness.harness.history.recorded import Entry, History
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.streams import JITTER, Log, Parts, Questions, WatchStream
from chaos_harness.harness.history.vocabulary import (
    API_SERVER,
    AUDIT,
    CANARY,
    CLOCK,
    CLOCK_STEP,
    EXPERIMENT,
    FAIL_OPEN,
    HISTORY,
    JUDGE,
    LATE,
    METRONOME,
    NUMBER,
    REGISTRY,
    REPLICA,
    WATCH_NUMBER,
    is_watch,
)

__all__ = ["LAG", "Coverage", "api_server", "asked", "replica"]

LAG = 1.0
"""How many seconds after another watch, or after starvation of this machine, a watch may report the same moment."""

_LEAST = 1e-6
"""The length in seconds of a hole between two lines of the same moment: moments are written with six digits."""

_SIGNS_SINCE = 2
"""The first schema in which watches record each sign of life; in older ones silence counts as seen."""


_RESOLUTION_SECONDS = 1.0


def asked(policy: str) -> str:
    """Return the stream of the admission probe's questions about one policy."""
    return f"asked {policy}"


def replica(uid: str, question: str = "") -> str:
    """Return the stream of one question to one webhook pod; a single question has no name."""
    return f"{REPLICA} {uid} {question}".rstrip()


def api_server(operation: str) -> str:
    """Return the stream of one kind of questions to the API server."""
    return f"{API_SERVER} {operation}"


@dataclass(frozen=True)
class StreamCoverage:
    """When one stream was seen.

    `spans`: when changes were seen as they happened. `known`: when no change can be missing; this includes gaps from
    which a watch resumed, in which the moments of changes are unknown. `interval` is the usual time between two
    observations, in seconds; 0 if each change is reported.
    """

    spans: Spans = field(default_factory=Spans)
    known: Spans = field(default_factory=Spans)
    interval: float = 0.0

    @property
    def tolerance(self) -> float:
        """How many seconds may lie between two observations before that time is unseen; 0 if each change is reported.

        That is 1.5 times the interval, and at least 1 s: on a machine with two clusters threads are not scheduled to a
        tenth of a second, so that "never" means "never for longer than a second".
        """
        return max(self.interval * JITTER, _RESOLUTION_SECONDS) if self.interval else 0.0


class Coverage:
    """When each stream of a history was seen; a reader (see `following`).

    `blind` is when nothing was seen as it happened, in any stream: this machine was starved or slept, the clock was
    set, or lines of the file are missing. `lost` is only the time of missing lines, of which nothing at all is known;
    `holes` are the same, as far as is read, for readers that come after this one.
    `ended` is whether the history was recorded up to its `end`, in seconds.
    `lag` is how late the watch on the numbered object was. It is proved for this watch only, because each watch has its
    own connection, so it makes no other stream unseen. (Otherwise a history without it, in which less is seen, would be
    judged with more certainty.) `clocks` are those of the nodes, as far as is read.
    """

    def __init__(self, recorded: History) -> None:
        self.blind = self.lost = Spans()
        self.ended = recorded.ended
        self.end = 0.0
        self.lag = Lag(LAG)
        self.clocks = Clocks()
        self._signs = recorded.header.schema >= _SIGNS_SINCE
        self._late: list[Span] = []
        self.holes: list[Span] = []
        self._before = self._last = 0.0
        self._index = -1
        self._judged: float | None = None
        self._watches: dict[str, WatchStream] = {}
        self._questions: dict[str, Questions] = {}
        self._policies: dict[str, Questions] = {}
        self._logs: dict[str, Log | Parts] = {}
        self._invoked: dict[str | int, float] = {}

    @property
    def until(self) -> float:
        """The end of a window without an end, in seconds: when claims were last judged, else the last entry.

        After that each probe recorded one more sign of life, so that nothing that happened before it is missing.
        """
        return self.end if self._judged is None else self._judged

    @property
    def surely_until(self) -> float:
        """Until when what was seen certainly counts: one of the missing lines may say that claims were judged then."""
        return self.lost.parts[0][0] if self._judged is None and self.lost else self.until

    @property
    def late(self) -> Spans:
        """When the watch on the numbered object is proved to have been late, though this machine was not."""
        return self.lag.late - self.blind

    @property
    def streams(self) -> tuple[str, ...]:
        """All observed streams."""
        return (*self._watches, *self._questions, *self._logs)

    def of(self, stream: str) -> StreamCoverage:
        """Return when a stream was seen; never, if it was not observed."""
        source = self._watches.get(stream) or self._questions.get(stream) or self._logs.get(stream)
        if source is None:
            return StreamCoverage()
        seen = source.seen() - self.lag.late if stream == WATCH_NUMBER else source.seen()
        return StreamCoverage(seen - self.blind, source.known() - self.lost, source.interval)

    def fill(self, stream: str, moments: Iterable[float]) -> None:
        """Count the questions at these moments as answered, once all is read: another source decided them."""
        if stream in self._questions:
            self._questions[stream].fill(sorted(moments))

    def gap(self, process: str) -> float | None:
        """Return since when a watch no longer sees, as far as is read; None: it sees, or never did."""
        watch = self._watches.get(process)
        return watch.gap if watch else None

    def unseen(self, streams: Iterable[str], begin: float, end: float) -> Spans:
        """Return when, between two moments, not all of these streams were seen as it happened.

        A time up to the `tolerance` of a stream counts as seen. `end` may be infinite: then all that is judged counts
        (see `until`), and after the last entry of a history without an end mark everything is unseen for ever.
        """
        return self._missing({stream: self.of(stream).spans for stream in streams}, begin, end)

    def unknown(self, streams: Iterable[str], begin: float, end: float) -> Spans:
        """Return when, between two moments, something of these streams may be missing altogether; `end` as above."""
        return self._missing({stream: self.of(stream).known for stream in streams}, begin, end)

    def delayed(self, streams: Iterable[str]) -> Spans:
        """Return when reports of these streams may be of earlier moments: while they were not seen, or just after.

        A starved thread reports what it missed only afterwards, one change after the other.
        """
        return self.unseen(streams, 0.0, self.end) | Spans.of((begin, end + LAG) for begin, end in self.blind)

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process: all are checked for missing lines."""
        take = self._take_of(process)
        if take is None:
            return self._count

        def both(entry: Entry) -> None:
            self._count(entry)
            take(entry)

        return both

    def close(self, end: float) -> None:
        """Finish reading; `end` is the last moment that is recorded, in seconds."""
        self.end = end
        self.lost = Spans.of(self.holes)
        self.blind = Spans.of((*self._late, *self.holes))
        for watch in self._watches.values():
            watch.close(end)
        self.lag.close(end)
        for questions in self._questions.values():
            questions.close()
        for log in self._logs.values():
            if isinstance(log, Parts):
                log.close(self.lost)

    def _missing(self, there: Mapping[str, Spans], begin: float, end: float) -> Spans:
        window = Spans.of([(begin, self.until if end == inf else end)])
        missing = Spans.of([(max(begin, self.until), inf)] if end == inf and not self.ended else [])
        for stream, spans in there.items():
            missing |= (window - spans).longer_than(self.of(stream).tolerance)
        return missing

    def _count(self, entry: Entry) -> None:
        """Notice a hole in the numbers of the entries: what is missing there, in any stream, is unknown."""
        if entry.index != self._index + 1:
            self.holes.append((self._last, max(entry.at, self._last + _LEAST)))
        self._index, self._before, self._last = entry.index, self._last, entry.at

    def _take_of(self, process: str) -> Take | None:
        if is_watch(process):
            watch = self._watches.setdefault(process, WatchStream(signs=self._signs))
            return self._take_told if process == WATCH_NUMBER else watch.take
        if process.startswith(f"{AUDIT} "):
            return self._logs.setdefault(process, Parts(self.clocks)).take
        family = process.partition(" ")[0]
        if family == CANARY:
            return self._take_asked
        if family == REPLICA or process == API_SERVER:
            return self._take_question
        if process in (REGISTRY, FAIL_OPEN):
            whole = process == REGISTRY or not self._signs
            return self._logs.setdefault(process, Log(self.clocks, whole=whole)).take
        takes = {
            METRONOME: self._take_late,
            HISTORY: self._take_step,
            EXPERIMENT: self._take_mark,
            NUMBER: self._take_number,
            CLOCK: self.clocks.take,
        }
        return takes.get(family)

    def _take_asked(self, entry: Entry) -> None:
        """Take a question of the admission probe; fast, because there are so many of them."""
        value = entry.value or {}
        which = value.get("seq", entry.process)
        if entry.kind == "invoke":
            self._invoked[which] = entry.at
            self._about(value).ask(entry.at)
            return
        begun = self._invoked.pop(which, None)
        if begun is not None and entry.kind != "info":
            self._about(value).answer(begun, entry.at)

    def _about(self, value: Mapping[str, Any]) -> Questions:
        policy = value.get("policy", "")
        if (questions := self._policies.get(policy)) is None:
            questions = self._policies[policy] = self._questions.setdefault(asked(policy), Questions(open_loop=True))
        return questions

    def _take_question(self, entry: Entry) -> None:
        which = (entry.value or {}).get("seq", entry.process)
        if entry.kind == "invoke":
            self._invoked[which] = entry.at
            self._asked(entry).ask(entry.at)
            return
        begun = self._invoked.pop(which, None)
        if begun is not None and entry.kind != "info":
            self._asked(entry).answer(begun, entry.at)

    def _asked(self, entry: Entry) -> Questions:
        stream = _stream(entry)
        if stream not in self._questions:
            self._questions[stream] = Questions(open_loop=False)
        return self._questions[stream]

    def _take_number(self, entry: Entry) -> None:
        number = entry.value["number"]
        if entry.kind == "invoke":
            self._numbers().ask(entry.at)
            self.lag.ask(number, entry.at)
        elif entry.kind != "ok":
            self.lag.forget(number)
        elif (begun := self.lag.answer(number, entry.at)) is not None:
            self._numbers().answer(begun, entry.at)

    def _take_told(self, entry: Entry) -> None:
        self._watches[entry.process].take(entry)
        if "object" in entry.value:
            for begun in self.lag.tell(entry.value["object"].get("number", 0), entry.at):
                self._numbers().answer(begun, entry.at)

    def _numbers(self) -> Questions:
        return self._questions.setdefault(NUMBER, Questions(open_loop=False))

    def _take_late(self, entry: Entry) -> None:
        if entry.f == LATE:
            self._late.append((entry.at - entry.value["seconds"], entry.at))

    def _take_step(self, entry: Entry) -> None:
        if entry.f == CLOCK_STEP:
            self._late.append((self._before, entry.at))
            self.clocks.step(self._before, entry.at, entry.value["seconds"])

    def _take_mark(self, entry: Entry) -> None:
        if entry.f == JUDGE:
            self._judged = entry.at


def _stream(entry: Entry) -> str:
    """Return the stream of a question or an answer, for probes that wait for each answer."""
    value: dict[str, Any] = entry.value or {}
    return (
        api_server(entry.f) if entry.process == API_SERVER else replica(value.get("uid", ""), value.get("question", ""))
    )
