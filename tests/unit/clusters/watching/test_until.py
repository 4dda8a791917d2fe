"""Watching until: a wait for a state, and what it says when the state does not come."""

import threading
from dataclasses import replace

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.watching.watch import State, wait_until
from tests.fakes.api_server import PATH, FakeApiServer
from tests.fakes.watch_changes import QUICK

NEVER_SILENT = replace(QUICK, read=60)  # a read time-out at the deadline would be a gap at the end


def test_until(server: FakeApiServer, api: ApiClient) -> None:
    """`until` returns what the predicate found in the state, keyed by namespace and name."""
    server.put("a")
    threading.Timer(0.1, server.put, ("a",), {"phase": "Running"}).start()

    def running(state: State) -> list[str]:
        return [name for name, pod in state.items() if pod["status"].get("phase") == "Running"]

    assert wait_until(api, PATH, running, Deadline.after(60, "a running pod"), timing=QUICK) == ["default/a"]


def test_until_nothing_is_there(api: ApiClient) -> None:
    """`until` asks about a state without any object, too."""
    assert wait_until(api, PATH, lambda state: not state, Deadline.after(60, "no pod"), timing=QUICK)


def test_until_asks_only_of_whole_states(server: FakeApiServer, api: ApiClient) -> None:
    """`until` never asks about half a list, nor about a state in a gap."""
    for name in "abc":
        server.put(name)
    asked: list[int] = []

    def spoiled(state: State) -> bool:
        asked.append(len(state))
        if len(asked) == 1:
            server.delete("a")
            server.delete("b")
            server.compact()
        return len(state) == 1

    assert wait_until(api, PATH, spoiled, Deadline.after(60, "one pod"), timing=QUICK)
    assert asked == [3, 1]


def test_until_too_late(server: FakeApiServer, api: ApiClient) -> None:
    """The error of `until` says what was waited for, for how long, and in short what was there."""
    waiting = [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "long"}}}]
    server.put("a", phase="Pending", conditions=[{"type": "Ready", "status": "False"}], containerStatuses=waiting)
    for number in range(6):
        server.put(f"b{number}")
    with pytest.raises(DeadlineExceeded) as caught:
        wait_until(api, PATH, lambda state: None, Deadline.after(1, "pods to be Ready"), timing=NEVER_SILENT)
    message = str(caught.value)
    assert message.startswith("waited 1 s for pods to be Ready; last seen: Pod default/a: Pending Ready=False Image")
    assert message.endswith("BackOff, Pod default/b0: no status, Pod default/b1: no status, Pod default/b2: no status, "
                            "Pod default/b3: no status, and 2 more")  # fmt: skip


def test_until_no_longer_blind(server: FakeApiServer, api: ApiClient) -> None:
    """The error of `until` does not tell of a gap that is over."""
    server.status.append(500)
    with pytest.raises(DeadlineExceeded, match=r"last seen: no object$"):
        wait_until(api, PATH, lambda state: None, Deadline.after(3, "a pod"), timing=NEVER_SILENT)


def test_until_blind(server: FakeApiServer, api: ApiClient) -> None:
    """The error of `until` says that nothing could be seen at the end, and why."""
    server.refuse()
    with pytest.raises(DeadlineExceeded, match=r"no object \(blind for \d s: refused .*Connection refused"):
        wait_until(api, PATH, lambda state: None, Deadline.after(0.5, "a pod"), timing=QUICK)
