"""Metronome: measures how late a thread on this machine wakes up; it asks the cluster nothing.

A late question gets a late answer: without this, an overloaded machine would look like an outage of the cluster.
"""

import time
from functools import partial

from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import LATE, METRONOME
from chaos_harness.harness.probes import Probe

__all__ = ["METRONOME", "keep_time"]

_EVERY_SECONDS = 0.25
_LATE_SECONDS = 0.25
_TIMELY_SECONDS = 0.1


def keep_time(history: HistoryWriter) -> Probe:
    """Return a probe that wakes up four times a second and records when it was late.

    A tick's lateness counts from its due time, or from the tick before if that was later, so one long pause is recorded
    once. Small delays in a row are recorded as soon as they sum up to a quarter of a second.
    """
    return Probe(METRONOME, partial(_tick, history))


def _tick(history: HistoryWriter, probe: Probe) -> None:
    before, sum_ = 0.0, 0.0
    for due in probe.every(_EVERY_SECONDS):
        now = time.monotonic()
        late = now - max(due, before)
        sum_ = sum_ + late if late > _TIMELY_SECONDS else 0.0
        if sum_ > _LATE_SECONDS:
            history.append("info", METRONOME, LATE, {"seconds": round(sum_, 3)})
            sum_ = 0.0
        before = time.monotonic()
