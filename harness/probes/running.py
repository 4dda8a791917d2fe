"""Running: the probes of one experiment, started, looked after and stopped together."""

from contextlib import ExitStack

from clusters.deadline import Deadline
from harness.probes import Probe

__all__ = ["Probes"]

_FIRST_SECONDS = 20.0


class Probes:
    """Probes that run, by their names."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}

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
            probe.first(deadline)

    def remove(self, name: str) -> None:
        """Stop the probe `name`, if it runs; raise ProbeBroken if it had died."""
        probe = self._probes.pop(name, None)
        if probe is not None:
            probe.stop()

    def healthy(self) -> None:
        """Raise ProbeBroken if one has died or is late."""
        for probe in self._probes.values():
            probe.healthy()

    def settle(self, *names: str) -> None:
        """Wait until each that is not stopped, or each of `names`, has asked once more; raise ProbeBroken."""
        deadline = Deadline.after(_FIRST_SECONDS, "a round of asking")
        for name, probe in self._probes.items():
            if not probe.stopping.is_set() and (name in names or not names):
                probe.settle(deadline)

    def stop(self) -> None:
        """Stop all, newest first, also when one cannot be stopped; raise ProbeBroken if one had died."""
        with ExitStack() as last:
            for probe in self._probes.values():
                last.callback(probe.stop)
