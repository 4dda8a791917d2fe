"""Session: makes the trials of a crash test one after the other, on a new cluster after each that differs."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.crashtest.ledger import Ledger, TrialKey, Variant
from chaos_harness.harness.crashtest.moments import UNDER_WAY, WORDS, Moment
from chaos_harness.harness.crashtest.samples import SAMPLES
from chaos_harness.harness.crashtest.trial import Place, run_trial
from chaos_harness.harness.errors import HarnessError

__all__ = ["Lent", "plan", "run_trials"]

_MOST_BROKEN = 3
"""After so many trials in a row that could not be made, something else is wrong."""


@dataclass
class Lent:
    """A place that is lent; it may be used again only if it `is_clean` when it is given back."""

    place: Place
    is_clean: bool = True


def plan(
    samples: Sequence[str], moments: Sequence[Moment], times: int, *, variant: Variant = "harness"
) -> list[TrialKey]:
    """Return the trials in their order: all moments of a sample, then the next one; and that `times` times.

    A fault without an undo has nothing to journal and no undo to be killed in. Where undos are no-ops the harness is
    killed while the harm lasts, and faults that heal by themselves are left out. The guardian matters while commands
    are under way.
    """
    keys = []
    for time in range(1, times + 1):
        for name in samples:
            sample = SAMPLES[name]
            fitting = [moment for moment in moments if sample.undone or moment not in ("journaled", "undoing")]
            if variant == "no undo":
                fitting = ["lasting"] if sample.undone and not sample.heals_itself else []
            elif variant == "guardian":
                fitting = [moment for moment in fitting if moment in UNDER_WAY]
            keys += [TrialKey(sample=name, moment=moment, variant=variant, time=time) for moment in fitting]
    return keys


def run_trials(
    keys: Sequence[TrialKey],
    ledger: Ledger,
    lend: Callable[[], AbstractContextManager[Lent]],
    changed: Callable[[], None],
    progress: Progress,
) -> None:
    """Make those trials that the ledger does not have yet; `changed` is called after each.

    Raises HarnessError if no cluster can be had, or three trials in a row could not be made.
    """
    waiting = deque(key for key in keys if key not in ledger.done)
    broken = 0
    while waiting:
        with lend() as lent:
            while waiting and lent.is_clean:
                key = waiting.popleft()
                sample = SAMPLES[key.sample]
                lent.is_clean = False
                with progress.step(f"{key.sample}, {WORDS[key.moment]}") as step:
                    trial, lent.is_clean = run_trial(key, sample.fault, sample.values, lent.place)
                    step.detail = trial.outcome if trial.outcome != "broken" else f"broken: {trial.said}"
                ledger.add(trial)
                changed()
                broken = broken + 1 if trial.outcome == "broken" else 0
                if broken == _MOST_BROKEN:
                    raise HarnessError(f"{broken} trials in a row could not be made: {trial.said}")
