"""Tests of clusters.api.rest on a real API server: what is applied, found, merged and deleted, and how it refuses."""

import json
import threading
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, delete, find_object, find_path, list_objects, merge_patch, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused, BadScenario, DeadlineExceeded
from tests.live_api.server import NOBODY, ApiServer
from tests.live_api.widgets import CRDS, DEFINITION

_MAPS = "/api/v1/namespaces/default/configmaps"
_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
_SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "stringData": {"a": "b"}}
_WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}


def soon(seconds: float = 20) -> Deadline:
    return Deadline.after(seconds, "the API server")


def config_map(name: str = "m", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a": "b"}}


def test_objects_are_applied_in_their_order(api: ApiClient) -> None:
    """What stands in a namespace is there if the namespace comes before it, and is refused if it comes after."""
    with pytest.raises(ApiRefused, match='PATCH /api/v1/namespaces/n/secrets/s: 404 namespaces "n" not found'):
        apply(api, [_SECRET, _NAMESPACE], soon())
    assert "n" not in [namespace["metadata"]["name"] for namespace in list_objects(api, "/api/v1/namespaces", "items")]
    apply(api, [_NAMESPACE, _SECRET], soon())
    assert request(api, "GET", "/api/v1/namespaces/n/secrets/s")["data"] == {"a": "Yg=="}


def test_an_applied_object_takes_over_every_field(api: ApiClient) -> None:
    """A field of another manager's is set, and what is applied without it the next time loses it."""
    request(api, "POST", _MAPS, body=config_map(), query={"fieldManager": "another"})
    mine = config_map(namespace="default") | {"data": {"a": "mine", "b": "mine"}}
    apply(api, [mine], soon())
    assert request(api, "GET", f"{_MAPS}/m")["data"] == {"a": "mine", "b": "mine"}
    apply(api, [mine | {"data": {"a": "mine"}}], soon())
    taken = request(api, "GET", f"{_MAPS}/m")
    assert taken["data"] == {"a": "mine"}
    managers = {field["manager"]: field["operation"] for field in taken["metadata"]["managedFields"]}
    assert managers["chaos-harness"] == "Apply"


def test_a_kind_whose_definition_is_applied_just_before_it(api: ApiClient) -> None:
    """The API server serves it a little later: it is asked for again."""
    apply(api, [DEFINITION, _WIDGET], soon())
    assert [widget["spec"] for widget in list_objects(api, "/apis/example.com/v1/widgets", "items")] == [{"size": 1}]


def test_a_kind_that_is_served_a_little_later(server: ApiServer, api: ApiClient) -> None:
    """A group that is not there at all when it is first asked for is waited for, too."""

    def define() -> None:
        with server.client() as another:
            request(another, "POST", CRDS, body=DEFINITION)

    timer = threading.Timer(0.5, define)
    timer.start()
    apply(api, [_WIDGET], soon())
    timer.join()
    assert find_path(api, "Widget") == "/apis/example.com/v1/widgets"


def test_a_kind_that_does_not_come(api: ApiClient) -> None:
    """What is not served within the deadline is a 404 that names it, whether its group is there or not."""
    with pytest.raises(ApiRefused, match=r"no kind Widget in example\.com/v1"):
        apply(api, [_WIDGET], soon(0.2))
    with pytest.raises(ApiRefused, match="no kind Pood in v1"):
        apply(api, [{"apiVersion": "v1", "kind": "Pood", "metadata": {"name": "d"}}], soon(0.2))


def test_nothing_is_applied_after_the_deadline(api: ApiClient) -> None:
    """The object that was next is named."""
    with pytest.raises(DeadlineExceeded, match="Namespace n not yet applied"):
        apply(api, [_NAMESPACE], soon(0))
    assert "n" not in [namespace["metadata"]["name"] for namespace in list_objects(api, "/api/v1/namespaces", "items")]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", f"{_MAPS}/gone", None, 404, 'configmaps "gone" not found'),
        ("GET", "/apis/example.com/v1", None, 404, "404 page not found"),
        ("POST", _MAPS, config_map("there"), 409, 'configmaps "there" already exists'),
        ("PUT", f"{_MAPS}/there", config_map("there", resourceVersion="1"), 409, "the object has been modified"),
        ("POST", _MAPS, config_map("../x"), 422, "Invalid value"),
        ("POST", _MAPS, config_map("x") | {"kind": "Secret"}, 400, "cannot be handled as a ConfigMap"),
        ("DELETE", "/api/v1/namespaces/default", None, 403, "this namespace may not be deleted"),
        ("GET", "/api/v1/secrets?resourceVersion=1&resourceVersionMatch=Exact", None, 410, "is too old"),
    ],
)
def test_a_refusal_is_an_error(
    server: ApiServer, api: ApiClient, method: str, path: str, body: Any, status: int, said: str
) -> None:
    """It says what was asked, the status and the server's own words."""
    request(api, "POST", _MAPS, body=config_map("there"))
    server.compact()
    path, _, query = path.partition("?")
    with pytest.raises(ApiRefused, match=f"{method} {path}: {status} ") as error:
        request(api, method, path, body=body, query=dict(pair.split("=") for pair in query.split("&") if pair))
    assert error.value.status == status
    assert said in error.value.message


def test_who_may_not_is_refused(server: ApiServer) -> None:
    """A user without a role is told whose right is missing, and gets what a role allows."""
    with server.client(NOBODY) as api:
        with pytest.raises(ApiRefused, match=r'403 .*User "nobody" cannot list resource "configmaps"'):
            request(api, "GET", _MAPS)
        assert request(api, "GET", "/version")


def test_a_request_may_have_an_id(server: ApiServer, api: ApiClient) -> None:
    """By it the API server logs the request; without one it takes one of its own."""
    audit_id = "4f0c2a4e-7a1f-4f8e-9d7e-0c9c5e0c1f11"
    request(api, "POST", "/api/v1/namespaces", body={"metadata": {"name": "a"}}, audit_id=audit_id)
    request(api, "POST", "/api/v1/namespaces", body={"metadata": {"name": "b"}})
    ids: dict[str, str] = {}
    for _ in soon().attempts():
        events = [json.loads(line) for line in server.audit_log.read_text(encoding="utf-8").splitlines()]
        ids = {event["objectRef"].get("name", ""): event["auditID"] for event in events}
        if {"a", "b"} <= ids.keys():
            break
    assert ids["a"] == audit_id
    assert ids["b"] not in ("", audit_id)


def test_kinds_are_found_where_they_are_served(api: ApiClient) -> None:
    """A kind's list has the URL of its group's preferred version; one that is nowhere is refused."""
    assert find_path(api, "Secret") == "/api/v1/secrets"
    assert find_path(api, "Deployment") == "/apis/apps/v1/deployments"
    assert find_path(api, "ValidatingAdmissionPolicy").endswith("/validatingadmissionpolicies")
    with pytest.raises(BadScenario, match="no kind 'Pood'"):
        find_path(api, "Pood")


def test_what_is_not_there_is_none(api: ApiClient) -> None:
    """An object, or a kind, that there is not is no error; any other refusal is one."""
    request(api, "POST", _MAPS, body={"metadata": {"name": "seen"}})
    assert find_object(api, f"{_MAPS}/seen")["metadata"]["name"] == "seen"
    assert find_object(api, f"{_MAPS}/unseen") is None
    assert find_object(api, "/apis/example.com/v1/widgets/w") is None
    with pytest.raises(ApiRefused, match="400"):
        find_object(api, _MAPS, query={"labelSelector": "!!"})


def test_delete_of_what_is_gone(api: ApiClient) -> None:
    """What is not there any more is deleted already; any other refusal is an error."""
    request(api, "POST", _MAPS, body=config_map())
    assert delete(api, f"{_MAPS}/m")
    assert not delete(api, f"{_MAPS}/m")
    assert not delete(api, "/apis/example.com/v1/widgets/w")
    with pytest.raises(ApiRefused, match="403 "):
        delete(api, "/api/v1/namespaces/kube-system")


def test_delete_of_what_has_a_finalizer(api: ApiClient) -> None:
    """It was there, is being deleted from now on, and goes with its finalizer."""
    request(api, "POST", _MAPS, body=config_map(finalizers=["example.com/keep"]))
    assert delete(api, f"{_MAPS}/m")
    assert delete(api, f"{_MAPS}/m")
    assert request(api, "GET", f"{_MAPS}/m")["metadata"]["deletionTimestamp"]
    merge_patch(api, f"{_MAPS}/m", {"metadata": {"finalizers": None}})
    assert not delete(api, f"{_MAPS}/m")


def test_merging(api: ApiClient) -> None:
    """Null takes a field away, what is not named stays; the kind's own merge keys count if it is strategic."""
    request(api, "POST", _MAPS, body=config_map() | {"data": {"a": "1", "b": "2"}})
    assert merge_patch(api, f"{_MAPS}/m", {"data": {"a": None, "c": "3"}})["data"] == {"b": "2", "c": "3"}
    pods = "/api/v1/namespaces/default/pods"
    containers = [{"name": name, "image": "old"} for name in ("a", "b")]
    request(api, "POST", pods, body={"metadata": {"name": "p"}, "spec": {"containers": containers}})
    change = {"spec": {"containers": [{"name": "b", "image": "new"}]}}
    after = merge_patch(api, f"{pods}/p", change, strategic=True)["spec"]["containers"]
    assert {container["name"]: container["image"] for container in after} == {"a": "old", "b": "new"}
    with pytest.raises(ApiRefused, match=r"422 .*Forbidden"):
        merge_patch(api, f"{pods}/p", change)
