"""Metronome: a probe of this machine, not of the cluster: how late a thread comes that wants to run now and then.

Who asks late sees late: on an overloaded machine a harness would report the load as an outage of the cluster.
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
    """Return a probe that wakes four times a second and tells when that was late.

    A tick is late since it was due, or since the one before it if that came later: so one long pause is told once.
    What is late again and again is told as soon as it is a quarter of a second in sum.
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
