"""Fields: what is recorded of a field of one object, and what a claim about it says."""

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import delete, merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.checks.fields import field_stays
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.history.vocabulary import EXPERIMENT, JUDGE
from chaos_harness.harness.probes.fields import watch_field
from tests.recording import wait_for_entries

_MAPS = "/api/v1/namespaces/default/configmaps"
_REPORTS = 3


def _found(entries: list[Entry]) -> list[tuple[str, list[object]]]:
    return [(entry.f, entry.value["object"]["found"]) for entry in entries if (entry.value or {}).get("object")]


def test_each_value_of_one_object_is_recorded(cluster: Cluster, api: ApiClient, history: HistoryWriter) -> None:
    """From before it is there until it is gone, nothing of its neighbours, and nothing else of it."""
    probe = watch_field(cluster, history, field="colour", kind="ConfigMap", name="mine", path="{.data.colour}")
    probe.start()
    wait_for_entries(history, lambda entries: any(entry.f == "LISTED" for entry in entries))
    for name in ("mine", "another"):
        body = {"metadata": {"name": name}, "data": {"colour": "red", "size": "large"}}
        request(api, "POST", _MAPS, body=body)
    merge_patch(api, f"{_MAPS}/mine", {"data": {"colour": "green"}})
    merge_patch(api, f"{_MAPS}/mine", {"data": {"colour": None}})
    delete(api, f"{_MAPS}/mine")
    entries = wait_for_entries(history, lambda entries: any(entry.f == "DELETED" for entry in entries))
    probe.stop()
    assert _found(entries) == [("ADDED", ["red"]), ("MODIFIED", ["green"]), ("MODIFIED", []), ("DELETED", [])]
    assert "large" not in history.path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("value", "outcome"), [("red", "violated"), ("!= blue", "holds")])
def test_a_claim_on_it(value: str, outcome: str, cluster: Cluster, api: ApiClient, history: HistoryWriter) -> None:
    """A real watch has seen all that the claim needs, from its first sign on."""
    request(api, "POST", _MAPS, body={"metadata": {"name": "mine"}, "data": {"colour": "red"}})
    probe = watch_field(cluster, history, field="colour", kind="ConfigMap", name="mine", path="{.data.colour}")
    probe.start()
    wait_for_entries(history, lambda entries: any(entry.f == "LISTED" for entry in entries))
    merge_patch(api, f"{_MAPS}/mine", {"data": {"colour": "green"}})
    wait_for_entries(history, lambda entries: ("MODIFIED", ["green"]) in _found(entries))
    history.append("mark", EXPERIMENT, JUDGE)
    merge_patch(api, f"{_MAPS}/mine", {"data": {"size": "large"}})
    wait_for_entries(history, lambda entries: len(_found(entries)) == _REPORTS)
    probe.stop()
    history.finish()
    verdict = field_stays("colour", value)(read(history.path))
    assert verdict.outcome == outcome, verdict.summary


def test_an_object_without_a_namespace(cluster: Cluster, api: ApiClient, history: HistoryWriter) -> None:
    """A namespace, for one, is of none: the default counts only for kinds that have namespaces."""
    probe = watch_field(cluster, history, field="phase", kind="Namespace", name="default", path="{.status.phase}")
    probe.start()
    entries = wait_for_entries(history, lambda entries: bool(_found(entries)))
    probe.stop()
    assert _found(entries) == [("LISTED", ["Active"])]


def test_a_kind_that_there_is_not(cluster: Cluster, history: HistoryWriter, api: ApiClient) -> None:
    """It is refused before anything is watched."""
    with pytest.raises(BadScenario, match="no kind 'Pood'"):
        watch_field(cluster, history, field="a", kind="Pood", name="x", path="{.a}")


def test_what_looks_like_a_secret_is_not_recorded(cluster: Cluster, api: ApiClient, history: HistoryWriter) -> None:
    """What is removed from an object is removed from what is found in it, too."""
    container = {"name": "a", "image": "b", "env": [{"name": "TOKEN", "value": "hunter-two"}]}
    labels = {"app": "mine"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    body = {"metadata": {"name": "mine"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    request(api, "POST", "/apis/apps/v1/namespaces/default/deployments", body=body)
    path = "{.spec.template.spec.containers[0].env[0].value}"
    probe = watch_field(cluster, history, field="token", kind="Deployment", name="mine", path=path)
    probe.start()
    wait_for_entries(history, lambda entries: bool(_found(entries)))
    probe.stop()
    assert "hunter-two" not in history.path.read_text(encoding="utf-8")
