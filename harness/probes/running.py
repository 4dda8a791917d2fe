"""Running: starts, supervises and stops the probes of one experiment."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from math import inf

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ProbeBroken
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.coverage import LAG
from chaos_harness.harness.history.vocabulary import EXPERIMENT, JUDGE, METRONOME, is_watch
from chaos_harness.harness.probes import Probe

__all__ = ["Probes"]

_FIRST_SECONDS = 20.0
_LAST_SECONDS = 8.0
_PROVED_SECONDS = 2.0
_CALM_SECONDS = 10.0
_AT_ONCE_SECONDS = 1.0
_LOOK_SECONDS = 0.1


class Probes:
    """The running probes of one history, by name."""

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
        """Start probes and wait for the first beat of each; a running probe of the same name is stopped first.

        Raises ProbeBroken if there is no beat in time, or if a probe that is replaced had died.
        """
        for probe in probes:
            self.remove(probe.name)
            self._probes[probe.name] = probe
            probe.start()
        deadline = Deadline.after(_FIRST_SECONDS, "a first sign of life")
        for probe in probes:
            probe.wait_for_beat(deadline)

    def remove(self, name: str) -> None:
        """Stop the probe `name` if it runs; raise ProbeBroken if it had died."""
        probe = self._probes.pop(name, None)
        if probe is not None:
            probe.stop()

    def require_healthy(self) -> None:
        """Raise ProbeBroken if a probe is dead or late."""
        for probe in self._probes.values():
            probe.require_healthy()

    def settle(self, *names: str) -> None:
        """Wait until each running probe, or each of `names`, has asked once more; raise ProbeBroken.

        They settle at the same time, except those that copy what others cause, which settle last.
        """
        for _, error in self._settle_all(names, _FIRST_SECONDS):
            raise error

    def give_signs(self, seconds: float = _FIRST_SECONDS) -> None:
        """Mark the moment up to which is judged, and wait, at most `seconds`, until each probe has asked once more.

        Marks in quick succession, without a phase in between, are one mark. A probe that cannot ask leaves no sign of
        life; checks see that in the history. After the probes were stopped this does nothing. Raises ProbeBroken if one
        died.
        """
        recent = time.monotonic() - self._signs < _AT_ONCE_SECONDS
        if self._over or (recent and self._marks == self._history.counted(EXPERIMENT, "mark")):
            return
        self._history.append("mark", EXPERIMENT, JUDGE)
        self._settle_all((), seconds)
        self._signs, self._marks = time.monotonic(), self._history.counted(EXPERIMENT, "mark")
        self.require_healthy()

    def wait_for_calm(self, seconds: float = _CALM_SECONDS) -> None:
        """Wait, at most `seconds`, until no thread here or on a node has been starved for LAG seconds.

        Done before the mark of a fault: what a starved thread reports may be as old as its starvation, and so may be
        older than the fault that broke the watch at the same time. A machine that is never calm is no error: checks
        see that in the history.
        """
        for _ in Deadline.after(seconds, "a calm machine").attempts(_LOOK_SECONDS, _LOOK_SECONDS):
            if self._history.since(METRONOME, "info") > LAG:
                return

    def prove_watches(self, seconds: float = _PROVED_SECONDS) -> None:
        """Wait, at most `seconds`, until each watch has proved that all up to now is recorded.

        Done between the mark of a fault and its harm: what a watch reports after the harm broke it is no older than
        that proof, and therefore no older than the mark. Raises ProbeBroken if a watch died.
        """
        if watches := tuple(filter(is_watch, self._probes)):
            for _, error in self._settle_all(watches, seconds):
                raise error

    def give_last_signs(self) -> None:
        """Do the same at the end of the experiment; dead and late probes raise nothing."""
        with suppress(ProbeBroken):
            self.give_signs(_LAST_SECONDS)

    def _settle_all(self, names: tuple[str, ...], seconds: float) -> list[tuple[Probe, ProbeBroken]]:
        """Settle probes and return those that could not, with their errors."""
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
        """Stop all, newest first, even if some cannot be stopped; raise ProbeBroken if one had died."""
        self._over = True
        with ExitStack() as last:
            for probe in self._probes.values():
                last.callback(probe.stop)
