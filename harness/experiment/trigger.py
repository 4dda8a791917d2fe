"""Trigger: acts, in its own thread, as soon as a watched object appears, changes or goes."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, Self

from chaos_harness.clusters.api.rest import find_path
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.try_all import raise_first
from chaos_harness.clusters.watching.changes import ObjectDict
from chaos_harness.clusters.watching.watch import Change, Watch
from chaos_harness.harness.experiment.phases import convert_bad_scenario
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import ACTED, LISTED, SEEN, TRIGGER, numbered

__all__ = ["TRIGGER", "Trigger", "When"]


_ARM_SECONDS = 20.0
_LIFETIME_SECONDS = 24 * 3600.0
_STOP_SECONDS = 15.0
_PRESENT = (LISTED, "ADDED", "MODIFIED")
"""The changes after which an object is there."""


@dataclass(frozen=True)
class When:
    """The event to act on, as a scenario or an incident file names it: a change of an object of `kind`.

    `name` and `namespace` are patterns ("gatekeeper-*"); `where` is a further condition on an object that matches them.
    The `event` "" is that an object fulfils the condition, which `words` tell: it may when the trigger is armed.
    """

    kind: str
    event: Literal["ADDED", "MODIFIED", "DELETED", ""] = "ADDED"
    name: str = "*"
    namespace: str = "*"
    where: Callable[[ObjectDict], bool] = lambda _: True
    words: str = ""

    def __str__(self) -> str:
        """Return a text for messages."""
        return f"{self.kind} {self.name} {self.words or self.event}"

    def fits(self, change: Change) -> bool:
        """Whether this change is the event."""
        kinds = (self.event,) if self.event else _PRESENT
        if change.object is None or change.kind not in kinds:
            return False
        metadata = change.object["metadata"]
        named = fnmatchcase(metadata["name"], self.name) and fnmatchcase(metadata.get("namespace", ""), self.namespace)
        return named and self.where(change.object)


class Trigger:
    """Armed for the duration of a block: `act` is called with the object, at most `times` times.

    Objects that exist when the block begins do not trigger it, unless they fulfil a condition; no later event is
    missed. The thread that waits for the event also acts, so that nothing delays the action; call `wait` to wait for
    its effect. A change that became visible only after a gap of the watch counts, and is recorded as such.
    """

    def __init__(
        self,
        cluster: Cluster,
        history: HistoryWriter,
        when: When,
        act: Callable[[ObjectDict], object],
        *,
        times: int = 1,
    ) -> None:
        self.when = when
        self.latencies: list[float] = []
        self._cluster = cluster
        self._history = history
        self._act = act
        self._times = times
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._armed = False
        self._error: BaseException | None = None
        self._error_raised = False
        self._thread = threading.Thread(target=self._run, name=f"trigger {when.kind}", daemon=True)

    def __enter__(self) -> Self:
        """Arm it. Raises PreparationFailed (the API server has no such kind), DeadlineExceeded."""
        self._thread.start()
        deadline = Deadline.after(_ARM_SECONDS, f"the trigger on {self.when} to be armed")
        with self._changed:
            self._changed.wait_for(lambda: self._armed or self._error, deadline.remaining)
        self._raise()
        if not self._armed:
            self._stopping.set()
            raise deadline.error("the list was not seen")
        return self

    def __exit__(self, _kind: object, raised: BaseException | None, _trace: object) -> None:
        """Disarm it, and wait for a running action.

        Raises DeadlineExceeded if the action runs for 15 s more, and the action's own error unless `wait` has raised
        it. If the block raised, too, these are in the notes of its error.
        """
        self._stopping.set()
        deadline = Deadline.after(_STOP_SECONDS, f"the action of the trigger on {self.when} to end")
        self._thread.join(deadline.remaining)
        problems: list[BaseException] = []
        if self._thread.is_alive():
            problems.append(deadline.error("its thread runs on"))
        if self._error is not None and not self._error_raised:
            problems.append(self._error)
        if problems:
            raise_first([raised, *problems] if raised is not None else problems)

    def wait(self, deadline: Deadline) -> None:
        """Wait until it has acted for the last time. Raises the action's error, and DeadlineExceeded."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.latencies) >= self._times or self._error, deadline.remaining)
        self._raise()
        if len(self.latencies) < self._times:
            raise deadline.error(f"{self.when}: seen {len(self.latencies)} of {self._times} times")

    def _run(self) -> None:
        try:
            self._follow()
        except BaseException as error:  # noqa: BLE001 - raised again by `wait`, or at the end of the block
            self._error = error
        finally:
            self._tell()

    def _follow(self) -> None:
        deadline = Deadline.after(_LIFETIME_SECONDS, str(self.when))
        with self._cluster.client() as api:
            with convert_bad_scenario(f"trigger on {self.when}"):
                path = find_path(api, self.when.kind)
            there: list[Change] = []
            for change in Watch(api, path).changes(deadline, self._stopping):
                if change.kind == LISTED and change.object is None and not self._armed:
                    self._armed = True
                    self._tell()
                elif self.when.fits(change):
                    there.append(change)
                while self._armed and there and len(self.latencies) < self._times:
                    self._fire(there.pop(0))
                if len(self.latencies) >= self._times:
                    return

    def _fire(self, change: Change) -> None:
        manifest = change.object or {}
        process = numbered(TRIGGER, self.when.kind)
        value = {"name": manifest["metadata"]["name"], "event": change.kind, "in_gap": change.in_gap}
        self._history.append("invoke", process, SEEN, {**value, "resource_version": change.resource_version})
        begun = time.monotonic() - change.at
        try:
            self._act(manifest)
        except BaseException as error:
            self._history.append("fail", process, ACTED, {**value, "said": repr(error)})
            raise
        latency = time.monotonic() - change.at
        figures = {"begun_seconds": round(begun, 6), "acted_seconds": round(latency, 6)}
        self._history.append("ok", process, ACTED, {**value, **figures})
        with self._changed:
            self.latencies.append(latency)
            self._changed.notify_all()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _raise(self) -> None:
        if self._error is not None:
            self._error_raised = True
            raise self._error
