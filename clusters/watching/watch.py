"""Watching: list, then watch from there, and report when nothing could be seen."""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import TypeVar

from kubernetes.client import ApiClient

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.changes import Change, ObjectDict, State, fold, key
from chaos_harness.clusters.watching.position import Timing, WatchPosition
from chaos_harness.clusters.watching.proofs import Proofs
from chaos_harness.clusters.watching.streaming import StreamBroken, WatchStopped

__all__ = ["Change", "Proofs", "State", "Timing", "Watch", "fold", "key", "wait_until"]

Value = TypeVar("Value")

_SUMMARISED = 5


class Watch:
    """A watch on any list URL, in plain JSON; `api` should be a client of its own."""

    def __init__(
        self, api: ApiClient, path: str, *, params: Mapping[str, str] | None = None, timing: Timing | None = None
    ) -> None:
        """Prepare to watch `path` ("/api/v1/namespaces/x/pods"); `params` are selectors."""
        self._api = api
        self._path = path
        self._params = dict(params or {})
        self._timing = timing or Timing()

    def changes(
        self,
        deadline: Deadline,
        stop: threading.Event | None = None,
        asking: Callable[[], object] = lambda: None,
        proofs: Proofs | None = None,
    ) -> Generator[Change, None, None]:
        """Yield changes until `deadline`, or until soon after `stop` is set, whatever the server does.

        After a failure it goes on from the last version, so that everything that came and went meanwhile is reported,
        too. It lists again only if the server no longer has or accepts that version, has an older state, or if
        completeness cannot be proved. A failure is yielded as one GAP, however many attempts follow, and as one more if
        the list then turns out to be not served (404), or served again. Nothing is raised. `asking` is called before
        each request, so that a long gap is not mistaken for a thread that hangs. A proof that `proofs` asks for is a
        BOOKMARK; it counts as given when the caller asks for the next change.
        """
        timing = self._timing
        stop = stop or threading.Event()

        def over() -> bool:
            return stop.is_set() or deadline.expired

        position = WatchPosition(self._api, self._path, self._params, timing, proofs or Proofs(), over, asking)
        while not over():
            for _ in deadline.attempts(timing.first_pause, timing.longest_pause):
                if over():
                    return
                began = time.monotonic()
                try:
                    yield from position.read_changes()
                except WatchStopped:
                    return
                except StreamBroken as gap:
                    yield from position.handle_failure(gap)
                    stop.wait(min(gap.pause, timing.patience, deadline.remaining))
                if time.monotonic() - began > timing.longest_pause:
                    break


def wait_until(
    api: ApiClient,
    path: str,
    predicate: Callable[[State], Value | None],
    deadline: Deadline,
    params: Mapping[str, str] | None = None,
    *,
    timing: Timing | None = None,
) -> Value:
    """Return the first true value of `predicate(state)`; it is called after each change of a complete state.

    Raises DeadlineExceeded with the last state, and since when and why nothing is seen, if so.
    """
    state: State = {}
    gap: Change | None = None
    whole = False
    with contextlib.closing(Watch(api, path, params=params, timing=timing).changes(deadline)) as changes:
        for change in changes:
            fold(state, change)
            if change.kind == "GAP":
                gap, whole = change, False
            elif change.kind in ("LISTED", "RESUMED") and change.object is None:
                gap, whole = None, True
            if whole and change.kind != "BOOKMARK" and (answer := predicate(state)):
                return answer
    blind = f" (blind for {time.monotonic() - gap.at:.0f} s: {gap.why} {gap.detail})" if gap else ""
    raise deadline.error(f"{_summary(state)}{blind}")


def _summary(state: State) -> str:
    words = [f"{thing.get('kind', '')} {name}: {_condition(thing)}" for name, thing in state.items()]
    more = f", and {len(words) - _SUMMARISED} more" if len(words) > _SUMMARISED else ""
    return (", ".join(words[:_SUMMARISED]) or "no object") + more


def _condition(thing: ObjectDict) -> str:
    status = thing.get("status") or {}
    words = [status["phase"]] if "phase" in status else []
    words += [f"{condition['type']}={condition['status']}" for condition in status.get("conditions") or ()]
    for container in status.get("containerStatuses") or ():
        words += [detail["reason"] for detail in container.get("state", {}).values() if "reason" in detail]
    return " ".join(words) or "no status"
