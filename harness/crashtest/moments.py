"""Moments: when the harness is killed in the life of a fault, and the hook by which it stops there by itself."""

import http.client
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Literal, get_args

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.targets import Target
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.undo.journal import Journal, Undo

__all__ = ["MOMENTS", "UNDER_WAY", "WORDS", "Moment", "Stop", "WatchedInjection", "WatchedJournal"]

Moment = Literal["journaled", "harming", "lasting", "undoing", "unkilled"]

MOMENTS: tuple[Moment, ...] = get_args(Moment)

WORDS: dict[Moment, str] = {
    "journaled": "before the harm",
    "harming": "in the harm",
    "lasting": "while it lasts",
    "undoing": "in the undo",
    "unkilled": "not killed",
}
"""The moments, in words: after the journal's first write and before the harm; while the first command or request of the
harm is under way, its answer unread; after its proof; while the first command or request of the undo is under way; and,
to compare with, never.
"""

UNDER_WAY: tuple[Moment, ...] = ("harming", "undoing")
"""Moments at which a command or a request is under way."""

_STARTED = subprocess.Popen.__init__.__code__
_SENT = http.client.HTTPConnection.getresponse.__code__
_READING = ("GET", "HEAD")


class Stop:
    """Stops this process, with all its threads, at one moment, after `tell` was called with that moment.

    A command is under way when its program has started, a request when it was sent as a whole: Python itself calls a
    hook there (`sys.setprofile`), and nothing that the harness does is replaced.
    """

    def __init__(self, moment: Moment, tell: Callable[[Moment], None]) -> None:
        self._moment = moment
        self._tell = tell
        self._watches_requests_only = False

    def reach(self, moment: Moment) -> None:
        """Stop if this is the moment; whoever sends SIGCONT lets the process go on."""
        if moment == self._moment:
            self.watch_no_longer()
            self._tell(moment)
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    def when_under_way(self, moment: Moment, *, requests_only: bool = False) -> None:
        """From now on, stop at the first command, or request that may change something, that is under way."""
        if moment == self._moment:
            self._watches_requests_only = requests_only
            threading.setprofile(self._look)
            sys.setprofile(self._look)

    def watch_no_longer(self) -> None:
        """Undo `when_under_way`."""
        threading.setprofile(None)
        sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is _STARTED and not self._watches_requests_only:
            self.reach(self._moment)
        elif event == "call" and frame.f_code is _SENT:
            method = getattr(frame.f_locals["self"], "_method", "GET")
            if method not in _READING:
                self.reach(self._moment)


class WatchedJournal(Journal):
    """A journal after whose first undo the process may stop."""

    def __init__(self, path: Path, stop: Stop) -> None:
        super().__init__(path)
        self._stop = stop

    def record(self, entry: Undo) -> int:
        """Write an undo; the harm comes next."""
        number = super().record(entry)
        self._stop.reach("journaled")
        self._stop.when_under_way("harming")
        return number


class WatchedInjection(Injection):
    """An injection that tells when a fault without an undo is about to do its harm."""

    def __init__(self, cluster: Cluster, journal: Journal, history: HistoryWriter, stop: Stop) -> None:
        super().__init__(cluster, journal, history)
        self._stop = stop

    def note_harm(self, how: str, target: Target) -> None:
        """Note it; the harm comes next."""
        super().note_harm(how, target)
        self._stop.when_under_way("harming")
