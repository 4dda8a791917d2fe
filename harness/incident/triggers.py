"""Triggers: threads that watch for the change that a step of an incident waits for."""

import threading
from fnmatch import fnmatchcase
from queue import SimpleQueue
from typing import Any

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from clusters.rest import request
from clusters.watching import Change, Watch
from harness.errors import BadScenario, HarnessError
from harness.incident.model import Trigger

__all__ = ["Trap"]

_FIRST_SECONDS = 20.0


class Trap:
    """Waits for one trigger in a thread of its own; puts `token` into `sprung` and sets `wake` when it happens.

    What stood there before is no change; what came in a gap of the watch is one that was seen late.
    """

    def __init__(
        self, cluster: Cluster, trigger: Trigger, token: int, sprung: SimpleQueue[int], wake: threading.Event
    ) -> None:
        self._cluster = cluster
        self._trigger = trigger
        self._token = token
        self._sprung = sprung
        self._wake = wake
        self._stopping = threading.Event()
        self._watching = threading.Event()
        self._error: Exception | None = None
        self.seen = 0
        self._thread = threading.Thread(target=self._run, name=f"trap {trigger.kind}", daemon=True)

    def set(self) -> None:
        """Begin to watch, and return when everything from now on will be seen.

        Raises BadScenario if the API server knows no such kind, DeadlineExceeded if it does not answer.
        """
        deadline = Deadline.after(_FIRST_SECONDS, f"the first list of {self._trigger.kind}")
        with self._cluster.client() as api:
            self._path = _path(api, self._trigger, deadline)
        self._thread.start()
        if not self._watching.wait(deadline.remaining):
            raise deadline.error("nothing")
        self.check()

    def check(self) -> None:
        """Raise HarnessError if the watching has died."""
        if self._error is not None:
            raise HarnessError(f"the watch for {self._trigger.kind} died: {self._error!r}") from self._error

    def stop(self) -> None:
        """End the watching."""
        self._stopping.set()

    def _run(self) -> None:
        deadline = Deadline.after(24 * 3600.0, "the end")
        try:
            with self._cluster.client() as api:
                for change in Watch(api, self._path).changes(deadline, self._stopping):
                    if change.kind == "LISTED" and change.object is None:
                        self._watching.set()
                    if self._meant(change):
                        self.seen += 1
                        if self.seen == self._trigger.count:
                            self._sprung.put(self._token)
                            self._wake.set()
                            return
        except Exception as error:  # noqa: BLE001 - told by `check` in the main thread
            self._error = error
        finally:
            self._watching.set()

    def _meant(self, change: Change) -> bool:
        trigger = self._trigger
        if change.object is None or change.kind != trigger.event:
            return False
        metadata = change.object["metadata"]
        return fnmatchcase(metadata["name"], trigger.name) and trigger.namespace in (None, metadata.get("namespace"))


def _path(api: Any, trigger: Trigger, deadline: Deadline) -> str:
    """Return the URL that lists all objects of the trigger's kind."""
    for version in [trigger.api_version] if trigger.api_version else _versions(api):
        deadline.check(f"{trigger.kind} was looked for up to {version}")
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for each in request(api, "GET", root)["resources"]:
            if each["kind"] == trigger.kind and "/" not in each["name"] and "watch" in each["verbs"]:
                return f"{root}/{each['name']}"
    raise BadScenario(f"when: the API server knows no kind {trigger.kind!r} that can be watched")


def _versions(api: Any) -> list[str]:
    groups = request(api, "GET", "/apis")["groups"]
    return ["v1", *(each["preferredVersion"]["groupVersion"] for each in groups)]
