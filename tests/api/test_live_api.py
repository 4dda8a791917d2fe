"""Live API: it is the real one, as a kind cluster has it, and a test finds nothing of another."""

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import listed, request
from chaos_harness.clusters.versions import DEFAULT_KUBERNETES
from tests.live_api.server import ApiServer


def test_it_is_the_version_that_nodes_have(api: ApiClient) -> None:
    """It says so itself."""
    assert request(api, "GET", "/version")["gitVersion"] == DEFAULT_KUBERNETES


def test_a_reset_takes_back_what_was_written(server: ApiServer, api: ApiClient) -> None:
    """Objects that were made are gone, those that were deleted or changed are as they were, and the server knows it."""
    before = [listed(api, path, "items") for path in ("/api/v1/namespaces", "/api/v1/configmaps")]
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/view"
    rules = request(api, "GET", role)["rules"]
    request(api, "POST", "/api/v1/namespaces", body={"metadata": {"name": "mine"}})
    request(api, "POST", "/api/v1/namespaces/mine/configmaps", body={"metadata": {"name": "mine"}})
    request(api, "PATCH", role, body={"metadata": {"labels": {"a": "b"}}}, content_type="application/merge-patch+json")
    request(api, "DELETE", "/api/v1/namespaces/default/services/kubernetes")
    server.reset()
    assert request(api, "GET", "/api/v1/namespaces/default/services/kubernetes")
    assert "a" not in request(api, "GET", role)["metadata"]["labels"]
    assert request(api, "GET", role)["rules"] == rules

    def names(objects: list[dict[str, object]]) -> list[object]:
        return [entry["metadata"] for entry in objects]

    after = [listed(api, path, "items") for path in ("/api/v1/namespaces", "/api/v1/configmaps")]
    assert [names(objects) for objects in after] == [names(objects) for objects in before]


def test_it_lives_on_after_it_was_killed_or_stopped(server: ApiServer, api: ApiClient) -> None:
    """The next test finds it answering."""
    server.kill()
    server.reset()
    server.freeze()
    server.reset()
    assert request(api, "GET", "/version")
