"""Probes: threads that keep asking a cluster something and write every answer to the history."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ProbeBroken

__all__ = ["Probe"]

_STOP_SECONDS = 15.0
_BROUGHT_FORWARD_SECONDS = 0.25


class Probe:
    """A thread that asks until it is stopped; silent ones are told from dead and from late ones.

    `ask` is called once, in the thread, with this probe: it asks until `stopping` is set and calls
    `beat` whenever it has heard something or tried to. It must use clients of its own, with time-outs.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[["Probe"], None],
        *,
        late_after: float = 10.0,
        settles: Literal["first", "last", "never"] = "first",
    ) -> None:
        """Prepare the probe `name`; more than `late_after` seconds without a beat are too late.

        `settles` is for whoever settles several: who copies what others cause is the last, who costs too much never.
        """
        self.name = name
        self.settles = settles
        self.stopping = threading.Event()
        self._ask = ask
        self._late_after = late_after
        self._beaten = threading.Event()
        self._beat = time.monotonic()
        self._rounds = threading.Condition()
        self._begun = self._ended = 0
        self._called = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"probe {name}", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._beat = time.monotonic()
        self._thread.start()

    def wait_for_beat(self, deadline: Deadline) -> None:
        """Wait until something was heard; raise ProbeBroken if nothing is in time."""
        if not self._beaten.wait(deadline.remaining):
            raise ProbeBroken(f"probe {self.name}: {deadline.error('nothing')}")
        self.require_healthy()

    def settle(self, deadline: Deadline) -> None:
        """Wait until a round of asking that begins after now is over, so that what is true now is in the history.

        The round is brought forward if it is not due soon. A probe that does not ask in rounds (`every`), because it
        is told, has nothing to wait for. Raises ProbeBroken.
        """
        with self._rounds:
            wanted = self._begun + 1 if self._begun else 0
            self._called = True
            self._rounds.notify_all()
            if not self._rounds.wait_for(lambda: self._ended >= wanted or self._error, deadline.remaining):
                raise ProbeBroken(f"probe {self.name}: {deadline.error('the round before')}")
        self.require_healthy()

    def stop(self) -> None:
        """End the asking and wait for the thread; raise ProbeBroken if it had died, or does not end."""
        self.stopping.set()
        with self._rounds:
            self._rounds.notify_all()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise ProbeBroken(f"probe {self.name}: expected to end within {_STOP_SECONDS:.0f} s, it is still asking")
        self._raise()

    def require_healthy(self) -> None:
        """Raise ProbeBroken if the probe has died or is late: then its silence means nothing."""
        self._raise()
        silent = time.monotonic() - self._beat
        if not self.stopping.is_set() and silent > self._late_after:
            raise ProbeBroken(
                f"probe {self.name}: expected a sign of life every {self._late_after:.0f} s, last one {silent:.0f} s "
                "ago; is the machine overloaded? see `uptime`"
            )

    def beat(self) -> None:
        """Note a sign of life."""
        self._beat = time.monotonic()
        self._beaten.set()

    def every(self, seconds: float) -> Iterator[float]:
        """Yield moments (monotonic) `seconds` apart until the probe is stopped, each when it has come.

        The schedule is fixed: who comes late is not given time to catch breath (an open loop). Between two of them
        may be one more, for who wants to `settle`.
        """
        due = time.monotonic()
        while True:
            moment = self._until(due)
            if self.stopping.is_set():
                return
            self.beat()
            with self._rounds:
                self._begun += 1
                self._called = False
            yield moment
            with self._rounds:
                self._ended = self._begun
                self._rounds.notify_all()
            due += seconds if moment == due else 0.0

    def _until(self, due: float) -> float:
        """Wait until a moment, or until somebody wants a round before, or none any more; return the moment that is."""
        with self._rounds:
            while not self.stopping.is_set() and (left := due - time.monotonic()) > 0:
                if self._called and left > _BROUGHT_FORWARD_SECONDS:
                    return time.monotonic()
                self._rounds.wait(left)
        return due

    def _run(self) -> None:
        try:
            self._ask(self)
        except BaseException as error:  # noqa: BLE001 - whatever it is, `healthy` tells of it in the main thread
            self._error = error
        finally:
            self._beaten.set()
            with self._rounds:
                self._rounds.notify_all()

    def _raise(self) -> None:
        if self._error is not None:
            raise ProbeBroken(f"probe {self.name} died: {self._error!r}") from self._error
        if self._thread.ident is not None and not self._thread.is_alive() and not self.stopping.is_set():
            raise ProbeBroken(f"probe {self.name} returned before it was stopped, which is a mistake in the probe")
