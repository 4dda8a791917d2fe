"""Running: the probes of one experiment, started, looked after and stopped together."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from math import inf

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ProbeBroken
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import EXPERIMENT, JUDGE
from chaos_harness.harness.probes import Probe

__all__ = ["Probes"]

_FIRST_SECONDS = 20.0
_LAST_SECONDS = 8.0
_AT_ONCE_SECONDS = 1.0


class Probes:
    """Probes that run, by their names, and write into one history."""

    def __init__(self, history: HistoryWriter) -> None:
        self._history = history
        self._probes: dict[str, Probe] = {}
        self._signs, self._marks = -inf, 0
        self._over = False

    @property
    def names(self) -> list[str]:
        """Their names, in the order in which they were started."""
        return list(self._probes)

    def start(self, *probes: Probe) -> None:
        """Start probes, each after a running one of its name is stopped, and wait for the first sign of life of each.

        Raises ProbeBroken if one gives none in time, or one that is replaced had died.
        """
        for probe in probes:
            self.remove(probe.name)
            self._probes[probe.name] = probe
            probe.start()
        deadline = Deadline.after(_FIRST_SECONDS, "a first sign of life")
        for probe in probes:
            probe.wait_for_beat(deadline)

    def remove(self, name: str) -> None:
        """Stop the probe `name`, if it runs; raise ProbeBroken if it had died."""
        probe = self._probes.pop(name, None)
        if probe is not None:
            probe.stop()

    def require_healthy(self) -> None:
        """Raise ProbeBroken if one has died or is late."""
        for probe in self._probes.values():
            probe.require_healthy()

    def settle(self, *names: str) -> None:
        """Wait until each that is not stopped, or each of `names`, has asked once more; raise ProbeBroken.

        They do so all at once, but for those that copy what others cause: they come last.
        """
        for _, error in self._settle_all(names, _FIRST_SECONDS):
            raise error

    def give_signs(self, seconds: float = _FIRST_SECONDS) -> None:
        """Mark the moment up to which is to be judged, and wait until each has asked once more since; a while at most.

        Marks that follow one another at once, with no phase between, are one. Whoever cannot ask leaves no sign: it is
        for those who judge to see what was not seen. After the probes were stopped there is nothing to mark. Raises
        ProbeBroken if one died.
        """
        recent = time.monotonic() - self._signs < _AT_ONCE_SECONDS
        if self._over or (recent and self._marks == self._history.counted(EXPERIMENT, "mark")):
            return
        self._history.append("mark", EXPERIMENT, JUDGE)
        self._settle_all((), seconds)
        self._signs, self._marks = time.monotonic(), self._history.counted(EXPERIMENT, "mark")
        self.require_healthy()

    def give_last_signs(self) -> None:
        """Do so when all is over, whatever became of the probes: nothing is raised for one that is dead or late."""
        with suppress(ProbeBroken):
            self.give_signs(_LAST_SECONDS)

    def _settle_all(self, names: tuple[str, ...], seconds: float) -> list[tuple[Probe, ProbeBroken]]:
        """Settle probes and return those that could not, and why."""
        deadline = Deadline.after(seconds, "a round of asking")

        def settle(probe: Probe) -> ProbeBroken | None:
            try:
                probe.settle(deadline)
            except ProbeBroken as error:
                return error
            return None

        failed = []
        alive = [probe for probe in self._probes.values() if not probe.stopping.is_set()]
        for turn in ("first", "last"):
            chosen = [probe for probe in alive if probe.settles == turn and (probe.name in names or not names)]
            with ThreadPoolExecutor(max(1, len(chosen)), "settle") as pool:
                errors = zip(chosen, pool.map(settle, chosen), strict=True)
                failed += [(probe, error) for probe, error in errors if error is not None]
        return failed

    def stop(self) -> None:
        """Stop all, newest first, also when one cannot be stopped; raise ProbeBroken if one had died."""
        self._over = True
        with ExitStack() as last:
            for probe in self._probes.values():
                last.callback(probe.stop)
