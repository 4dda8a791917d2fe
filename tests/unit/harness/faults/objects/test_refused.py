"""Faults on objects that are refused before a cluster is touched; what becomes of the others is in tests/api."""

from typing import Any

import pytest

from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.faults.objects.definition import delete_crd
from chaos_harness.harness.faults.objects.delete import delete_object
from chaos_harness.harness.faults.objects.finalizers import hold_deletion
from chaos_harness.harness.faults.objects.flip import flip_field
from chaos_harness.harness.faults.objects.put import put_object
from chaos_harness.harness.faults.objects.quota import exhaust_quota
from chaos_harness.harness.faults.objects.rights import revoke_binding


def _named(kind: str, name: str, **more: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **more}}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("delete_crd", {"name": "--all"}, "name: expected the name of an object"),
    ("delete_crd", {"name": "assign"}, "expected a name such as assign.mutations.gatekeeper.sh"),
    ("delete_crd", {"name": "assign.mutations.gatekeeper.sh", "most": 0}, "expected at least 1, found 0"),
    ("delete_object", {"kind": "Secret", "name": "a"}, "Secret: its content would stand in the journal"),
    ("delete_object", {"kind": "Node", "name": "a"}, "say remove_node"),
    ("delete_object", {"kind": "ConfigMap", "name": "a/b"}, "name: expected the name of an object"),
    ("delete_object", {"kind": "ConfigMap"}, "expected either a name or a selector"),
    ("delete_object", {"kind": "ConfigMap", "name": "a", "selector": "b=c"}, "expected either a name or a selector"),
    ("delete_object", {"kind": "ConfigMap", "name": "a", "most": 501}, "expected at most 500, found 501"),
    ("recreate_object", {"kind": "Pod", "name": "a"}, "say delete_replicas"),
    ("recreate_object", {"kind": "ConfigMap", "name": ""}, "expected a name"),
    ("hold_deletion", {"kind": "Secret", "name": "a"}, "Secret: its content would stand in the journal"),
    ("hold_deletion", {"kind": "ConfigMap", "name": "a", "namespace": "n/m"}, "the name of a namespace"),
    ("strip_finalizers", {"kind": "--all", "name": "a"}, "a kind such as ConfigMap"),
    ("flip_field", {"kind": "Secret", "name": "a", "patch": {"data": {}}}, "a patch, and of no Secret"),
    ("flip_field", {"kind": "ConfigMap", "name": "a", "patch": {}}, "a patch, and of no Secret"),
    ("flip_field", {"kind": "ConfigMap", "name": "a", "patch": {"b": 1}, "every": 61.0}, "expected 1 to 100 times"),
    ("put_object", {"manifest": {"kind": "ConfigMap"}}, "expected an object with apiVersion, kind and metadata.name"),
    (
        "put_object",
        {"manifest": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}},
        "and no Secret, found v1 Secret a",
    ),
    (
        "put_object",
        {"manifest": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "--all"}}},
        "metadata.name: expected the name of an object",
    ),
    (
        "put_object",
        {"manifest": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": 3}},
        "expected an object with apiVersion, kind and metadata.name",
    ),
    ("put_object", {"manifest": _named("ConfigMap", "a"), "contents": [_named("Pod", "b")]}, "of a Namespace alone"),
    (
        "put_object",
        {"manifest": _named("Namespace", "n"), "contents": [_named("Pod", "b"), _named("Pod", "c", namespace="n")]},
        "expected contents with metadata.namespace n, found Pod b in none",
    ),
    (
        "put_object",
        {"manifest": _named("Namespace", "n"), "contents": [_named("Secret", "s", namespace="n")]},
        "and no Secret, found v1 Secret s",
    ),
    ("exhaust_quota", {"namespace": ""}, "expected a namespace"),
    ("exhaust_quota", {"namespace": "--all"}, "the name of a namespace"),
    ("revoke_rule", {"role": "../r", "verb": "list", "resource": "pods"}, "name: expected the name of an object"),
    ("revoke_rule", {"role": "r", "verb": "LIST", "resource": "pods"}, "verb: expected a verb such as list"),
    ("revoke_rule", {"role": "r", "verb": "list", "resource": "a/b/c"}, "resource: expected a resource such as pods"),
    ("revoke_rule", {"role": "r", "verb": "list", "resource": "pods", "group": "a b"}, "group: expected a group"),
    ("revoke_rule", {"role": "r", "verb": "list", "resource": "pods", "namespace": "N"}, "the name of a namespace"),
    ("revoke_binding", {"name": "a/b"}, "name: expected the name of an object"),
    ("break_ca_bundle", {"how": "expired"}, "expected 'other' or 'none', found 'expired'"),
    ("add_webhook", {"place": "between"}, "expected 'before' or 'after', found 'between'"),
    ("add_webhook", {"timeout": 11}, "expected at most 10, found 11"),
    ("add_webhook", {"namespace": ""}, "and a namespace"),
    ("add_webhook", {"failure_policy": "Fails"}, "expected 'Ignore' or 'Fail', found 'Fails'; did you mean Fail"),
    ("take_lease", {"name": "../l"}, "name: expected the name of an object"),
    ("take_lease", {"name": "l", "namespace": "N"}, "the name of a namespace"),
    ("delete_pods", {"selector": ""}, "expected a selector such as app=web"),
    ("delete_pods", {"selector": "a=b", "grace": 3601}, "expected at most 3600, found 3601"),
    ("delete_pods", {"selector": "a=b", "most": 0}, "expected at least 1, found 0"),
    ("delete_pods", {"selector": "a=b", "namespace": "--all"}, "the name of a namespace"),
]


@pytest.mark.parametrize(("fault", "values", "words"), REFUSED, ids=str)
def test_what_is_refused(fault: str, values: dict[str, Any], words: str) -> None:
    """A wrong parameter is told by its name, and what was expected of it."""
    with pytest.raises(BadScenario, match=words):
        entries("fault")[fault].make(values)


def test_what_histories_call_them() -> None:
    """Each has a name of its own, in plain words, which claims name it by."""
    faults = [
        delete_crd("assign.mutations.gatekeeper.sh"),
        delete_object("ConfigMap", "a", namespace="default"),
        hold_deletion("ConfigMap", "a", namespace="default"),
        flip_field("ConfigMap", "a", {"data": {"a": "b"}}, namespace="default"),
        put_object({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
        exhaust_quota("default"),
        revoke_binding("view"),
    ]
    assert [fault.name for fault in faults] == [
        "delete crd",
        "delete object",
        "hold deletion",
        "flip field",
        "put object",
        "exhaust quota",
        "revoke binding",
    ]
