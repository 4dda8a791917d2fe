"""Objects: what a watch on an API server says of who wrote, which only the server's own field managers show."""

from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import delete, merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.writes import Writes
from chaos_harness.harness.probes.objects import GENERATED, watch_objects
from tests.recording import wait_for_entries

_LIST = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
_RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
_POLICY: dict[str, Any] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "written"},
    "spec": {"matchConstraints": {"resourceRules": [_RULE]}, "validations": [{"expression": "true"}]},
}


def test_each_write_says_who_wrote(cluster: Cluster, api: ApiClient, history: HistoryWriter) -> None:
    """Creation and change are signed by their managers; what changes nothing is no write; a deletion is not signed."""
    _, watched, _ = watch_objects(cluster, history, GENERATED)
    watched.start()
    wait_for_entries(history, lambda entries: any(entry.f == "LISTED" for entry in entries))
    request(api, "POST", _LIST, query={"fieldManager": "one"}, body=_POLICY)
    for labels in ({"a": "b"}, {"a": "b"}, {"a": "c"}):
        merge_patch(api, f"{_LIST}/written", {"metadata": {"labels": labels}}, query={"fieldManager": "two"})
    delete(api, f"{_LIST}/written")
    wait_for_entries(history, lambda entries: any(entry.f == "DELETED" for entry in entries))
    watched.stop()
    recorded = read(history.path, so_far=True)
    coverage = Coverage(recorded)
    writes = Writes(coverage)
    follow(recorded, coverage, writes)
    created, *changed, deleted = writes.all
    assert (created.object, created.by) == ("validatingadmissionpolicies written", ("one",))
    assert ["two" in write.by for write in changed] == [True, True]
    assert (deleted.by, deleted.asked) == ((), None)
