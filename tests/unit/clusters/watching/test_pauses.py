"""Watching: how often a server that fails is tried, and how soon one that is back."""

import threading
from dataclasses import replace
from typing import Any

import pytest
import urllib3
from kubernetes.client import ApiClient

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import Timing, Watch
from tests.fakes.api_server import PATH, FakeApiServer
from tests.fakes.watch_changes import QUICK, in_background, take, whole

pytestmark = pytest.mark.usefixtures("real_pauses")


def test_never_spins_when_refused(server: FakeApiServer, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses is tried with growing pauses: four times in the first 0.6 s."""
    tries = []
    request = api.rest_client.pool_manager.request

    def counted(*args: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        tries.append(args)
        return request(*args, **options)

    monkeypatch.setattr(api.rest_client.pool_manager, "request", counted)
    server.refuse()
    list(Watch(api, PATH).changes(Deadline.after(1, "the test")))
    assert 2 <= len(tries) <= 8


def test_never_spins_when_each_watch_fails(server: FakeApiServer, api: ApiClient) -> None:
    """A server that lists but lets no watch live is tried with growing pauses, too."""
    server.compact()
    server.version -= 1
    list(Watch(api, PATH).changes(Deadline.after(1, "the test")))
    assert 4 <= len(server.requests) <= 12


def test_pauses_begin_anew(server: FakeApiServer, api: ApiClient) -> None:
    """After a stream that lived for a while, the first try comes without a pause."""
    timing = Timing(first_pause=30, longest_pause=0.2)
    changes = Watch(api, PATH, timing=timing).changes(Deadline.after(60, "the test"))
    take(changes, whole)
    timer = threading.Timer(0.3, server.order, ("end",))
    timer.start()
    gap = next(changes)
    assert take(changes, whole)[-1].at - gap.at < 20
    changes.close()


@pytest.mark.parametrize(("retry_after", "least", "most"), [("1", 1.0, 20.0), ("600", 0.5, 20.0), ("soon", 0.0, 0.9)])
def test_a_server_that_wants_to_be_left_alone_is(
    server: FakeApiServer, api: ApiClient, retry_after: str, least: float, most: float
) -> None:
    """Retry-After is heeded, within reason."""
    server.status.append(429)
    server.retry_after = retry_after
    changes = Watch(api, PATH, timing=replace(QUICK, patience=1.0 if retry_after == "1" else 0.5)).changes(
        Deadline.after(60, "the test")
    )
    gap = in_background(lambda: next(changes))()
    assert least <= take(changes, whole)[-1].at - gap.at < most
    changes.close()
