"""REST: sends requests to an API server as plain JSON, with client-side time-outs."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from urllib3 import HTTPHeaderDict, Retry
from urllib3.exceptions import HTTPError, InvalidHeader, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeout

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused, ApiUnreachable, BadScenario
from chaos_harness.clusters.retrying import retry

__all__ = [
    "MERGE_PATCH",
    "apply",
    "delete",
    "find_object",
    "find_path",
    "is_not_yet",
    "list_objects",
    "list_path",
    "merge_patch",
    "read",
    "request",
]

MERGE_PATCH = "application/merge-patch+json"
"""The content type of a JSON merge patch (RFC 7386)."""

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_AUDIT_ID = "Audit-ID"
_RETRY_AFTER = "Retry-After"
_USER, _GROUP = "Impersonate-User", "Impersonate-Group"
_MANAGER = "chaos-harness"
_SERVED_SECONDS = 5.0
_NOT_YET = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def request(
    api: ApiClient,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    content_type: str = "application/json",
    timeout: tuple[float, float] = (_CONNECT_SECONDS, _READ_SECONDS),
    audit_id: str = "",
    impersonate: tuple[str, Sequence[str]] | None = None,
) -> Any:
    """Send one request and return the JSON of the answer; `timeout` is (connect, read) in seconds.

    `audit_id` (a UUID) is the ID of the request in the API server's audit log, also if there is no answer.
    `impersonate` is a user, and their groups, in whose name it is sent. Raises ApiRefused for a status other than 2xx,
    ApiUnreachable if there is no answer or one that is not JSON. No error of the client library leaves this function.
    """
    what = f"{method} {path}"
    heads = {"Accept": "application/json", "Content-Type": content_type, **({_AUDIT_ID: audit_id} if audit_id else {})}
    method, url, headers, body, _ = api.param_serialize(
        method,
        path,
        query_params=list((query or {}).items()),
        header_params=heads,
        body=body,
        auth_settings=["BearerToken"],
    )
    sent = HTTPHeaderDict(headers)
    for name, value in _in_the_name_of(impersonate):
        sent.add(name, value)
    try:
        response = api.call_api(method, url, sent, body, _request_timeout=timeout)
        data = response.read()  # type: ignore[no-untyped-call]  # kubernetes leaves this one out
        if 200 <= response.status <= 299:  # noqa: PLR2004 - what 2xx means
            return json.loads(data) if data else None
        raise _refusal(what, ApiException(http_resp=response))
    except ApiException as error:
        raise _refusal(what, error) from error
    except (HTTPError, ValueError, RecursionError) as error:
        timed_out = isinstance(error, HTTPTimeout) and not isinstance(error, NewConnectionError)
        raise ApiUnreachable(what, error, timed_out=timed_out) from error


def _in_the_name_of(impersonate: tuple[str, Sequence[str]] | None) -> list[tuple[str, str]]:
    """Return the headers of a request that is sent in another user's name; one may be there several times."""
    if impersonate is None:
        return []
    user, groups = impersonate
    return [(_USER, user), *((_GROUP, group) for group in groups)]


def _refusal(what: str, error: ApiException) -> ApiRefused:
    """Return the error for an answer other than 2xx, with the server's own message if there is one."""
    try:
        message = json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = error.body or error.reason
    retry_after = _seconds((error.headers or {}).get(_RETRY_AFTER))
    return ApiRefused(error.status or 0, str(message), request=what, body=error.body, retry_after=retry_after)


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After header means (RFC 9110: a number or a date), None if it means nothing."""
    try:
        return None if retry_after is None else Retry().parse_retry_after(retry_after)
    except (InvalidHeader, ValueError, OverflowError):
        return None


def is_not_yet(error: Exception) -> bool:
    """Whether the API server says that it cannot answer yet (429, 503)."""
    return isinstance(error, ApiRefused) and error.status in _NOT_YET


def apply(api: ApiClient, objects: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
    """Apply `objects` in order by server-side apply, with force: this field manager takes over every field.

    Waits for a kind whose definition was just established, since the API server lists it a little later. Raises
    ApiRefused for the first object that is refused or whose kind does not appear, ApiUnreachable, DeadlineExceeded.
    """
    paths = _Paths(api)
    for item in objects:
        metadata = item["metadata"]
        path = f"{paths.of(item['apiVersion'], item['kind'], metadata.get('namespace'), deadline)}/{metadata['name']}"
        deadline.check(f"{item['kind']} {metadata['name']} not yet applied")
        query = {"fieldManager": _MANAGER, "force": "true"}
        request(api, "PATCH", path, query=query, body=item, content_type="application/apply-patch+yaml")


def merge_patch(
    api: ApiClient, path: str, body: Any, *, strategic: bool = False, query: Mapping[str, str] | None = None
) -> Any:
    """Patch one object and return it as it is afterwards.

    The patch is a JSON merge patch (RFC 7386: null removes a field, a list replaces a list), or with `strategic` a
    strategic merge patch. Raises ApiRefused, ApiUnreachable.
    """
    content_type = "application/strategic-merge-patch+json" if strategic else MERGE_PATCH
    return request(api, "PATCH", path, query=query, body=body, content_type=content_type)


def find_object(
    api: ApiClient,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    timeout: tuple[float, float] = (_CONNECT_SECONDS, _READ_SECONDS),
) -> Any:
    """GET `path` once; None if nothing is there (404). Raises ApiRefused for another refusal, ApiUnreachable."""
    try:
        return request(api, "GET", path, query=query, timeout=timeout)
    except ApiRefused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None


def delete(api: ApiClient, path: str, options: Mapping[str, Any] | None = None) -> bool:
    """Delete one object, with these DeleteOptions; return whether it existed. Raises ApiRefused, ApiUnreachable."""
    try:
        request(api, "DELETE", path, body=options)
    except ApiRefused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return False
    return True


def read(api: ApiClient, path: str, deadline: Deadline, *, query: Mapping[str, str] | None = None) -> Any:
    """GET `path`, and retry while the API server cannot answer yet (429, 503); never for a measurement.

    It is left alone for as long as its Retry-After says.
    An API server answers so while it starts, and for a moment after a kind was defined ("storage is (re)initializing").
    Raises ApiRefused for another status, ApiUnreachable, DeadlineExceeded with the last answer.
    """
    return retry(lambda: request(api, "GET", path, query=query), deadline, passes=is_not_yet)


def list_objects(
    api: ApiClient, path: str, part: Literal["items", "resources"], deadline: Deadline | None = None
) -> list[dict[str, Any]]:
    """Return the objects at `path`, or the kinds of a group; empty if there is no such kind or group.

    With a deadline, 429 and 503 are retried as by `read`. Raises ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    try:
        return (read(api, path, deadline) if deadline else request(api, "GET", path))[part] or []
    except ApiRefused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return []


def find_path(api: ApiClient, kind: str, namespace: str = "") -> str:
    """Return the URL that lists all objects of a kind ("Pod"), in its group's preferred version.

    They are those of all namespaces, or of one, if the kind has namespaces. Asks the core group first, then the others
    in the server's order. Raises BadScenario if no group has the kind.
    """
    groups = request(api, "GET", "/apis")["groups"]
    for version in ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]:
        root = _root(version)
        for resource in request(api, "GET", root)["resources"]:
            if resource["kind"] == kind and "/" not in resource["name"]:
                scope = f"/namespaces/{namespace}" if namespace and resource["namespaced"] else ""
                return f"{root}{scope}/{resource['name']}"
    raise BadScenario(f"the API server has no kind {kind!r}; see `kubectl api-resources`")


def list_path(api: ApiClient, manifest: Mapping[str, Any], deadline: Deadline, *, namespace: str = "") -> str:
    """Return the URL of the list to which an object belongs, by discovery.

    That is the list of its namespace, or of `namespace` if it says none (a patch need not have metadata) and its kind
    has one; without both, of all of its kind. Waits 5 s for a kind whose definition was just established. Raises
    ApiRefused if it does not appear, ApiUnreachable.
    """
    own = (manifest.get("metadata") or {}).get("namespace")
    return _Paths(api).of(manifest["apiVersion"], manifest["kind"], own, deadline, otherwise=namespace)


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


class _Paths:
    """Finds the URL of an object's kind; it asks the API server for each group as rarely as possible."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._groups: dict[str, dict[str, Mapping[str, Any]]] = {}

    def of(self, version: str, kind: str, namespace: str | None, deadline: Deadline, *, otherwise: str = "") -> str:
        for _ in deadline.within(_SERVED_SECONDS, f"{kind} of {version} to be served").attempts():
            if kind in self._groups.get(version, {}):
                break
            self._groups[version] = self._kinds(version)
        if kind not in self._groups.get(version, {}):
            raise ApiRefused(HTTPStatus.NOT_FOUND, f"no kind {kind} in {version}")
        resource = self._groups[version][kind]
        namespace = namespace or (otherwise if resource.get("namespaced") else "")
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{_root(version)}{scope}/{resource['name']}"

    def _kinds(self, version: str) -> dict[str, Mapping[str, Any]]:
        resources = list_objects(self._api, _root(version), "resources")
        return {resource["kind"]: resource for resource in resources if "/" not in resource["name"]}
