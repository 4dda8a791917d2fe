"""Running: the probes of one experiment, started, looked after and stopped together."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from clusters.deadline import Deadline
from harness.errors import ProbeBroken
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
        """Wait until each that is not stopped, or each of `names`, has asked once more; raise ProbeBroken.

        They do so all at once, but for those that copy what others cause: they come last.
        """
        for _, error in self._settled(names, _FIRST_SECONDS):
            raise error

    def give_signs(self, seconds: float) -> list[str]:
        """Wait, for so long at most, until each has asked once more; return the names of those that could not.

        Whoever judges knows what they did not see; so it is no error. Raises ProbeBroken if one has died.
        """
        late = [probe for probe, _ in self._settled((), seconds)]
        self.healthy()
        return [probe.name for probe in late]

    def _settled(self, names: tuple[str, ...], seconds: float) -> list[tuple[Probe, ProbeBroken]]:
        """Settle probes and return those that could not, and why."""
        deadline = Deadline.after(seconds, "a round of asking")

        def settle(probe: Probe) -> ProbeBroken | None:
            try:
                probe.settle(deadline)
            except ProbeBroken as error:
                return error
            return None

        failed = []
        alive = [each for each in self._probes.values() if not each.stopping.is_set()]
        for turn in ("first", "last"):
            chosen = [each for each in alive if each.settles == turn and (each.name in names or not names)]
            with ThreadPoolExecutor(max(1, len(chosen)), "settle") as pool:
                errors = zip(chosen, pool.map(settle, chosen), strict=True)
                failed += [(probe, error) for probe, error in errors if error is not None]
        return failed

    def stop(self) -> None:
        """Stop all, newest first, also when one cannot be stopped; raise ProbeBroken if one had died."""
        with ExitStack() as last:
            for probe in self._probes.values():
                last.callback(probe.stop)
