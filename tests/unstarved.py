"""Unstarved: a time on a real cluster in which the machine let everybody run, for tests that a check must decide.

A machine that is shared takes a processor away for a second now and then, although it is idle: one thread of
Gatekeeper waited 0.99 of 1.02 s, while others ran. What was asked then is rightly undecided, and says nothing of the
check.
"""

from collections.abc import Callable

import pytest

from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.history import read
from chaos_harness.harness.history.vocabulary import LATE

__all__ = ["hold_unstarved"]

_MOST_TIMES = 6


def hold_unstarved(experiment: Experiment, fault: Callable[[], Fault], seconds: float) -> str:
    """Hold for so many seconds under a fault, again if somebody starved; return the id of the fault of the last time.

    Fails the test if somebody starves each time.
    """
    for number in range(1, _MOST_TIMES + 1):
        one = fault()
        with experiment.fault(one):
            begun = len(_lates(experiment))
            experiment.hold(seconds)
        if len(_lates(experiment)) == begun:
            return one.name if number == 1 else f"{one.name} {number}"
    pytest.fail(f"this machine starved somebody in each of {_MOST_TIMES} times of {seconds:g} s")


def _lates(experiment: Experiment) -> list[float]:
    entries = read(experiment.history.path, so_far=True).entries
    return [entry.at for entry in entries if entry.f == LATE]
