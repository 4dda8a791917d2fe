"""Live API: it is the real one, as a kind cluster has it, and a test finds nothing of another."""

import subprocess
import sys
from pathlib import Path

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import list_objects, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused
from chaos_harness.clusters.known_versions import DEFAULT_KUBERNETES
from tests.live_api.forgotten import deny_maps
from tests.live_api.server import ApiServer


def test_it_is_the_version_that_nodes_have(api: ApiClient) -> None:
    """It says so itself."""
    assert request(api, "GET", "/version")["gitVersion"] == DEFAULT_KUBERNETES


def test_a_reset_takes_back_what_was_written(server: ApiServer, api: ApiClient) -> None:
    """Objects that were made are gone, those that were deleted or changed are as they were, and the server knows it."""
    before = [list_objects(api, path, "items") for path in ("/api/v1/namespaces", "/api/v1/configmaps")]
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

    after = [list_objects(api, path, "items") for path in ("/api/v1/namespaces", "/api/v1/configmaps")]
    assert [names(objects) for objects in after] == [names(objects) for objects in before]


POLICIES, BINDINGS = "validatingadmissionpolicies", "validatingadmissionpolicybindings"


@pytest.mark.parametrize("taken_away", [False, True])
def test_a_reset_ends_the_enforcement_of_policies(server: ApiServer, api: ApiClient, taken_away: bool) -> None:
    """The next test is not denied by a policy of this one, which the server reads anew only once a second."""
    maps = "/api/v1/namespaces/default/configmaps"
    deny_maps(api, "never", unless="false")
    with pytest.raises(ApiRefused, match="'never' with binding 'never' denied request"):
        request(api, "POST", maps, query={"dryRun": "All"}, body={"metadata": {"name": "a"}})
    if taken_away:
        server.had_policies = True
        request(api, "DELETE", f"/apis/admissionregistration.k8s.io/v1/{BINDINGS}/never")
        request(api, "DELETE", f"/apis/admissionregistration.k8s.io/v1/{POLICIES}/never")
    server.reset()
    assert request(api, "POST", maps, body={"metadata": {"name": "a"}})["metadata"]["name"] == "a"


def test_it_lives_on_after_it_was_killed_or_stopped(server: ApiServer, api: ApiClient) -> None:
    """The next test finds it answering."""
    server.kill()
    server.reset()
    server.freeze()
    server.reset()
    assert request(api, "GET", "/version")


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.live_api.binaries import here
from tests.live_api.server import ApiServer

with ApiServer.started(here(), Path(sys.argv[1])) as server, server.controllers():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def running(folder: Path) -> list[str]:
    """Return what runs that was told of a folder."""
    commands = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if str(folder) in command and _KILLED not in command:
            commands.append(command.replace("\0", " "))
    return commands


def test_it_dies_with_the_process_of_the_tests(tmp_path: Path) -> None:
    """However that ends."""
    done = subprocess.run([sys.executable, "-c", _KILLED, tmp_path], check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert (tmp_path / "0" / "kube-controller-manager.log").exists()
    for _ in Deadline.after(20, "the end").attempts():
        if not running(tmp_path):
            return
    raise AssertionError(running(tmp_path))
