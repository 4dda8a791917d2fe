"""Unstarved: a time on a real cluster in which the machine let everybody run, for tests that a check must decide.

A machine that is shared takes a processor away for a second now and then, although it is idle: one thread of
Gatekeeper waited 0.99 of 1.02 s, while others ran. What was asked then is rightly undecided, and says nothing of the
check.
"""

import pytest

from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.history import read
from chaos_harness.harness.history.vocabulary import LATE
from chaos_harness.scenarios.planted.steps import PLANTED, PlantedDefect

__all__ = ["hold_unstarved"]

_MOST_TIMES = 6


def hold_unstarved(experiment: Experiment, seconds: float) -> str:
    """Hold under a fault that does nothing, again if somebody starved; return the id of the fault of the last time.

    Fails the test if somebody starves each time.
    """
    for number in range(1, _MOST_TIMES + 1):
        with experiment.fault(PlantedDefect()):
            begun = len(_lates(experiment))
            experiment.hold(seconds)
        if len(_lates(experiment)) == begun:
            return PLANTED if number == 1 else f"{PLANTED} {number}"
    pytest.fail(f"this machine starved somebody in each of {_MOST_TIMES} times of {seconds:g} s")


def _lates(experiment: Experiment) -> list[float]:
    entries = read(experiment.history.path, so_far=True).entries
    return [entry.at for entry in entries if entry.f == LATE]
