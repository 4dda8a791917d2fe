"""Probes: threads that keep asking a cluster something and write every answer to the history."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ProbeBroken

__all__ = ["Every", "Probe"]

Every = Annotated[float, Field(ge=0.05, le=600)]
"""The time between two rounds of a probe, in seconds, as an incident file may set it."""

_STOP_SECONDS = 15.0
_BROUGHT_FORWARD_SECONDS = 0.25


class Probe:
    """A polling thread with a heartbeat, which distinguishes a live probe from a late or a dead one.

    `ask` is called once, in the thread, with this probe: it asks until `stopping` is set and calls `beat` after each
    answer or attempt. It must use its own clients, with time-outs.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[["Probe"], None],
        *,
        late_after: float = 10.0,
        settles: Literal["first", "last", "never"] = "first",
    ) -> None:
        """Prepare the probe `name`; it is late when its last beat is more than `late_after` seconds ago.

        `settles` is its turn when several probes settle: a probe that copies what others cause settles last, an
        expensive one never.
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
        """Start the thread."""
        self._beat = time.monotonic()
        self._thread.start()

    def wait_for_beat(self, deadline: Deadline) -> None:
        """Wait for the first beat; raise ProbeBroken if there is none in time."""
        if not self._beaten.wait(deadline.remaining):
            raise ProbeBroken(f"probe {self.name}: {deadline.error('nothing')}")
        self.require_healthy()

    def settle(self, deadline: Deadline) -> None:
        """Wait for a round that begins after now to end, so that the current state is in the history.

        The round is brought forward if it is not due soon. A probe without rounds (`every`), which is notified instead,
        has nothing to wait for. Raises ProbeBroken.
        """
        with self._rounds:
            wanted = self._begun + 1 if self._begun else 0
            self._called = True
            self._rounds.notify_all()
            if not self._rounds.wait_for(lambda: self._ended >= wanted or self._error, deadline.remaining):
                raise ProbeBroken(f"probe {self.name}: {deadline.error('the round before')}")
        self.require_healthy()

    def stop(self) -> None:
        """Stop the thread and wait for it; raise ProbeBroken if it died before, or does not end."""
        self.stopping.set()
        with self._rounds:
            self._rounds.notify_all()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise ProbeBroken(f"probe {self.name}: expected to end within {_STOP_SECONDS:.0f} s, it is still running")
        self._raise()

    def require_healthy(self) -> None:
        """Raise ProbeBroken if the probe is dead or late: its silence means nothing then."""
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
        """Yield moments (monotonic) that are `seconds` apart, each when it has come, until the probe is stopped.

        The schedule is fixed (an open loop): after a late round the next one is not postponed. `settle` may add a round
        in between.
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
        """Wait until `due`, until somebody wants an earlier round, or until the probe is stopped; return the moment."""
        with self._rounds:
            while not self.stopping.is_set() and (left := due - time.monotonic()) > 0:
                if self._called and left > _BROUGHT_FORWARD_SECONDS:
                    return time.monotonic()
                self._rounds.wait(left)
        return due

    def _run(self) -> None:
        try:
            self._ask(self)
        except BaseException as error:  # noqa: BLE001 - whatever it is, `require_healthy` raises it in the main thread
            self._error = error
        finally:
            self._beaten.set()
            with self._rounds:
                self._rounds.notify_all()

    def _raise(self) -> None:
        if self._error is not None:
            raise ProbeBroken(f"probe {self.name} died: {self._error!r}") from self._error
        if self._thread.ident is not None and not self._thread.is_alive() and not self.stopping.is_set():
            raise ProbeBroken(f"probe {self.name} returned before it was stopped (a bug in the probe)")
