"""Metronome: a probe of this machine, not of the cluster: how late a thread comes that wants to run now and then.

Who asks late sees late: on an overloaded machine a harness would report the load as an outage of the cluster.
"""

import time
from functools import partial

from harness.history import History
from harness.probes import Probe

__all__ = ["METRONOME", "keep_time"]

METRONOME = "metronome"
"""The process of a history that tells, by `late`, when it came more than half a second late, and how much."""

_EVERY_SECONDS = 0.25
_LATE_SECONDS = 0.5


def keep_time(history: History) -> Probe:
    """Return a probe that wakes four times a second and tells when that was late."""
    return Probe(METRONOME, partial(_tick, history))


def _tick(history: History, probe: Probe) -> None:
    excused = 0.0
    for due in probe.every(_EVERY_SECONDS):
        late = time.monotonic() - due
        # One long pause makes many ticks late: what was told already is not told again.
        if late - excused > _LATE_SECONDS:
            history.append("info", METRONOME, "late", {"seconds": round(late - excused, 3)})
        excused = late if late > _EVERY_SECONDS else 0.0
