"""Tests of clusters.api.rest where the answer is none that an API server gives: the others are in tests/api."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import urllib3
from kubernetes.client import ApiClient, Configuration

from chaos_harness.clusters.api.rest import list_objects, read, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused, ApiUnreachable, DeadlineExceeded
from tests.fakes.rest_server import RestServer, rest_server


@contextmanager
def client_of(host: str) -> Iterator[ApiClient]:
    configuration = Configuration()
    configuration.host = host
    configuration.retries = urllib3.Retry(total=False)
    with ApiClient(configuration) as api:
        yield api


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as server:
        yield server


@pytest.fixture
def api(server: RestServer) -> Iterator[ApiClient]:
    with client_of(server.host) as api:
        yield api


def test_no_answer_at_all_is_an_error() -> None:
    """Where nobody listens, the error says what was asked for, and keeps the client's own error as it is written."""
    with (
        client_of("http://127.0.0.1:1") as api,
        pytest.raises(ApiUnreachable, match="GET /api/v1: no answer: ") as error,
    ):
        request(api, "GET", "/api/v1")
    assert error.value.cause == repr(error.value.__cause__)
    assert not error.value.timed_out


def test_an_answer_that_does_not_come(server: RestServer, api: ApiClient) -> None:
    """A server that takes the request and says nothing is told from one that does not take it."""
    asked = threading.Event()
    server.answers["/api/v1"] = lambda: asked.wait(0.3)
    with pytest.raises(ApiUnreachable) as error:
        request(api, "GET", "/api/v1", timeout=(1.0, 0.05))
    assert error.value.timed_out


def test_an_answer_that_is_no_json(server: RestServer, api: ApiClient) -> None:
    """What is cut off in its middle, or is another's page, is no answer, whatever its status."""
    server.answers["/api/v1"] = b'{"kind":'
    with pytest.raises(ApiUnreachable, match="no answer: Expecting value") as error:
        request(api, "GET", "/api/v1")
    assert error.value.cause == repr(error.value.__cause__)


@pytest.mark.parametrize(
    ("body", "begin"),
    [(b'{"message": "no"}', "no"), (b"went", "went"), (b"{}", "{}"), (b"\xff", "Gone"), (b"[" * 9999, "[")],
)
def test_message(server: RestServer, api: ApiClient, body: bytes, begin: str) -> None:
    """What was said is the status's message, or, without one, the body or the reason; a person reads its begin."""
    server.answers["/api/v1"] = (410, body)
    with pytest.raises(ApiRefused) as error:
        request(api, "GET", "/api/v1")
    assert error.value.message.startswith(begin)
    assert error.value.brief == error.value.message[:400]
    assert error.value.cause == f"410 {error.value.brief}"


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_only_read_is_asked_for_again(server: RestServer, api: ApiClient, status: int) -> None:
    """A server that cannot answer yet, and says so, can a little later; one that never can is told with its words."""
    answers = [status, status, {"items": [{}]}]
    server.answers["/api/v1/pods"] = lambda: answers.pop(0)
    assert list_objects(api, "/api/v1/pods", "items", Deadline.after(20, "the pods")) == [{}]
    server.answers["/api/v1/pods"] = (status, {"message": "storage is (re)initializing"})
    with pytest.raises(DeadlineExceeded, match=rf"the pods; last seen: GET /api/v1/pods: {status} storage is"):
        read(api, "/api/v1/pods", Deadline.after(0.2, "the pods"))
    with pytest.raises(ApiRefused, match="storage is"):
        list_objects(api, "/api/v1/pods", "items")


def test_another_refusal_of_a_read_stays(server: RestServer, api: ApiClient) -> None:
    """It is not asked for again."""
    answers = [500]
    server.answers["/api/v1/pods"] = lambda: answers.pop(0)
    with pytest.raises(ApiRefused, match="500 "):
        read(api, "/api/v1/pods", Deadline.after(20, "the pods"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-1", None),
        ("9" * 5000, None),
    ],
)
def test_retry_after(server: RestServer, api: ApiClient, header: str, seconds: float | None) -> None:
    """It is a number of seconds or a date; what is neither is not said, and is no error of its own."""
    server.headers["Retry-After"] = header
    server.answers["/api/v1"] = 429
    with pytest.raises(ApiRefused, match="429 ") as error:
        request(api, "GET", "/api/v1")
    assert error.value.retry_after == seconds


def test_without_a_retry_after(server: RestServer, api: ApiClient) -> None:
    """Then nothing is known of how long the server wants to be left alone."""
    server.answers["/api/v1"] = 429
    with pytest.raises(ApiRefused) as error:
        request(api, "GET", "/api/v1")
    assert error.value.retry_after is None


def test_a_read_is_not_repeated_before_the_server_wants_it(server: RestServer, api: ApiClient) -> None:
    """The second request comes a second after the first one, as Retry-After says."""
    asked: list[float] = []

    def answer() -> object:
        asked.append(time.monotonic())
        return 429 if len(asked) == 1 else {"items": []}

    server.headers["Retry-After"] = "1"
    server.answers["/api/v1/pods"] = answer
    read(api, "/api/v1/pods", Deadline.after(20, "the pods"))
    assert asked[1] - asked[0] >= 1.0
