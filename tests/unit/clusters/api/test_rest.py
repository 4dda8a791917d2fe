"""Tests of clusters.api.rest: requests as an API server on loopback gets them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any

import pytest
import urllib3
from kubernetes.client import ApiClient, Configuration

from chaos_harness.clusters.api.rest import apply, delete, find_path, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused, ApiUnreachable, BadScenario, DeadlineExceeded

_RESOURCES = {
    "/api/v1": [
        {"kind": "Namespace", "name": "namespaces", "namespaced": False},
        {"kind": "Secret", "name": "secrets", "namespaced": True},
        {"kind": "Secret", "name": "secrets/status", "namespaced": True},
    ],
    "/apis/apps/v1": [{"kind": "Deployment", "name": "deployments", "namespaced": True}],
}


class Server(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, str, Any]] = []
        self.status = 200
        self.late = 0
        self.silent = False
        self.said = b""
        self.audit_ids: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path.startswith("/apis/apps") and self.server.late:
            self.server.late -= 1
            self.send_error(404)
            return
        groups = [{"preferredVersion": {"groupVersion": "apps/v1"}}]
        self.answer({"groups": groups, "resources": _RESOURCES.get(self.path.split("?")[0])})

    def do_DELETE(self) -> None:
        self.server.audit_ids.append(self.headers["Audit-ID"])
        self.answer({})

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers["Content-Type"], self.headers["Accept"], body))
        self.answer({})

    def answer(self, body: Any) -> None:
        if self.server.silent:
            Event().wait(0.3)
        data = self.server.said or json.dumps(body).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def client_of(host: str) -> Iterator[ApiClient]:
    configuration = Configuration()
    configuration.host = host
    configuration.retries = urllib3.Retry(total=False)
    with ApiClient(configuration) as api:
        yield api


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def api(server: Server) -> Iterator[ApiClient]:
    with client_of(f"http://127.0.0.1:{server.server_port}") as api:
        yield api


def test_objects_are_applied_on_the_server_in_their_order(server: Server, api: ApiClient) -> None:
    """Each object is one forced apply patch at the URL of its kind, namespaced where its kind is."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}}
    apply(api, [namespace, deployment, secret], Deadline.after(60, "x"))
    query, yaml = "fieldManager=chaos-harness&force=true", "application/apply-patch+yaml"
    assert server.seen == [
        (f"/api/v1/namespaces/n?{query}", yaml, "application/json", namespace),
        (f"/apis/apps/v1/namespaces/n/deployments/d?{query}", yaml, "application/json", deployment),
        (f"/api/v1/namespaces/n/secrets/s?{query}", yaml, "application/json", secret),
    ]


DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n"}}


def test_a_kind_that_is_served_a_little_later(server: Server, api: ApiClient) -> None:
    """A group whose first definition has just been established is not there yet: it is asked for again."""
    server.late = 3
    apply(api, [DEPLOYMENT], Deadline.after(60, "x"))
    assert [path.partition("?")[0] for path, *_ in server.seen] == ["/apis/apps/v1/namespaces/n/deployments/d"]


def test_a_kind_that_does_not_come(server: Server, api: ApiClient) -> None:
    """What is not served within the deadline is a 404 that names it, whether its group is there or not."""
    server.late = 1_000_000
    with pytest.raises(ApiRefused, match="no kind Deployment in apps/v1"):
        apply(api, [DEPLOYMENT], Deadline.after(0.2, "x"))
    with pytest.raises(ApiRefused, match="no kind Pood in v1"):
        apply(api, [{"apiVersion": "v1", "kind": "Pood", "metadata": {"name": "d"}}], Deadline.after(0.2, "x"))
    assert server.seen == []


def test_nothing_is_applied_after_the_deadline(server: Server, api: ApiClient) -> None:
    """The object that was next is named."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    with pytest.raises(DeadlineExceeded, match="Namespace n not yet applied"):
        apply(api, [namespace], Deadline.after(0, "x"))
    assert server.seen == []


def test_an_answer_other_than_2xx_is_an_error(server: Server, api: ApiClient) -> None:
    """Status and body of the refusal are in the exception, and it says what was asked for."""
    server.status = 409
    with pytest.raises(ApiRefused, match="GET /api/v1: 409 ") as caught:
        request(api, "GET", "/api/v1")
    assert (caught.value.status, "resources" in str(caught.value.body)) == (409, True)


def test_no_answer_at_all_is_an_error() -> None:
    """Where nobody listens, the error says what was asked for, and keeps the client's own error as it is written."""
    with (
        client_of("http://127.0.0.1:1") as api,
        pytest.raises(ApiUnreachable, match="GET /api/v1: no answer: ") as error,
    ):
        request(api, "GET", "/api/v1")
    assert error.value.cause == repr(error.value.__cause__)
    assert not error.value.timed_out


def test_an_answer_that_does_not_come(server: Server, api: ApiClient) -> None:
    """A server that takes the request and says nothing is told from one that does not take it."""
    server.silent = True
    with pytest.raises(ApiUnreachable) as error:
        request(api, "GET", "/api/v1", timeout=(1.0, 0.05))
    assert error.value.timed_out


def test_an_answer_that_is_no_json(server: Server, api: ApiClient) -> None:
    """What is cut off in its middle, or is another's page, is no answer, whatever its status."""
    server.said = b'{"kind":'
    with pytest.raises(ApiUnreachable, match="no answer: Expecting value") as error:
        request(api, "GET", "/api/v1")
    assert error.value.cause == repr(error.value.__cause__)


def test_a_request_may_have_an_id(server: Server, api: ApiClient) -> None:
    """By it the API server logs the request; without one it takes one of its own."""
    request(api, "DELETE", "/api/v1/x", audit_id="4f0c2a4e-7a1f-4f8e-9d7e-0c9c5e0c1f11")
    request(api, "DELETE", "/api/v1/x")
    assert server.audit_ids == ["4f0c2a4e-7a1f-4f8e-9d7e-0c9c5e0c1f11", None]


def test_kinds_are_found_where_they_are_served(api: ApiClient) -> None:
    """A kind's list has the URL of its group's preferred version; one that is nowhere is refused."""
    assert find_path(api, "Secret") == "/api/v1/secrets"
    assert find_path(api, "Deployment") == "/apis/apps/v1/deployments"
    with pytest.raises(BadScenario, match="no kind 'Pood'"):
        find_path(api, "Pood")


def test_delete_of_what_is_gone(server: Server, api: ApiClient) -> None:
    """What is not there any more is deleted already; any other refusal is an error."""
    assert delete(api, "/api/v1/namespaces/n")
    server.status = 404
    assert not delete(api, "/api/v1/namespaces/n")
    server.status = 409
    with pytest.raises(ApiRefused):
        delete(api, "/api/v1/namespaces/n")


@pytest.mark.parametrize(
    ("body", "begin"),
    [(b'{"message": "no"}', "no"), (b"went", "went"), (b"{}", "{}"), (b"\xff", "Gone"), (b"[" * 9999, "[")],
)
def test_message(server: Server, api: ApiClient, body: bytes, begin: str) -> None:
    """What was said is the status's message, or, without one, the body or the reason; a person reads its begin."""
    server.status, server.said = 410, body
    with pytest.raises(ApiRefused) as error:
        request(api, "GET", "/api/v1")
    assert error.value.message.startswith(begin)
    assert error.value.brief == error.value.message[:400]
    assert error.value.cause == f"410 {error.value.brief}"
