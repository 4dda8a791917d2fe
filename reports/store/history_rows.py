"""History rows: what a history says beside its verdicts: phases, windows of faults, and what was seen, by stream."""

from dataclasses import dataclass, field
from math import isfinite

from chaos_harness.harness.history import Entry, History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import Reader, Take, follow
from chaos_harness.harness.history.vocabulary import BEGIN, END, EXPERIMENT

__all__ = ["history_rows"]

Row = tuple[object, ...]


@dataclass(frozen=True)
class HistoryRows:
    """Rows by table, without the run and the path that they begin with; moments are seconds of the history.

    A phase: its number, its name, begin and end. A window: the fault's id and name, whether its harm does not last, and
    when it was injected, proved, healing, undone, healed and given up (None: never). A stream: for how many seconds
    changes in it were seen as they happened, for how many none can be missing, the longest time that was not seen, and
    the usual time between two observations.
    """

    phases: list[Row] = field(default_factory=list)
    windows: list[Row] = field(default_factory=list)
    coverage: list[Row] = field(default_factory=list)


def history_rows(recorded: History) -> HistoryRows:
    """Return the rows of a history, by the readers that checks judge with. Raises what iterating a history raises."""
    coverage, faults, phases = Coverage(recorded), Faults(), _Phases()
    end = follow(recorded, coverage, faults, phases)
    return HistoryRows(
        [(number, *phase) for number, phase in enumerate(phases.all)],
        [_window(fault) for fault in faults.all],
        [_stream(coverage, stream, end) for stream in coverage.streams],
    )


class _Phases(Reader):
    """The phases of an experiment in their order: name, begin and end (None: it did not end)."""

    def __init__(self) -> None:
        self.all: list[tuple[str, float, float | None]] = []

    def takes(self, process: str) -> Take | None:
        return self._take if process == EXPERIMENT else None

    def _take(self, entry: Entry) -> None:
        if entry.f == BEGIN:
            self.all.append((entry.value, entry.at, None))
        elif entry.f == END:
            for index in range(len(self.all) - 1, -1, -1):
                name, begun, ended = self.all[index]
                if name == entry.value and ended is None:
                    self.all[index] = name, begun, entry.at
                    break


def _window(fault: FaultSpan) -> Row:
    injected = fault.injected if isfinite(fault.injected) else None
    moments = injected, fault.proved, fault.healing, fault.undone, fault.healed, fault.given_up
    return fault.id, fault.name, fault.one_shot, *moments


def _stream(coverage: Coverage, stream: str, end: float) -> Row:
    seen = coverage.of(stream)
    unseen = coverage.unseen([stream], 0.0, end)
    return stream, seen.spans.within(0.0, end).total, seen.known.within(0.0, end).total, unseen.longest, seen.interval
