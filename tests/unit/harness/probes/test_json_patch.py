"""JSON patch: what a webhook's patch makes of an object."""

from typing import Any

import pytest

from chaos_harness.harness.probes.json_patch import patched

POD = {"metadata": {"labels": {"a/b": "1"}}, "spec": {"containers": [{"name": "one"}, {"name": "two"}]}}


@pytest.mark.parametrize(
    ("operation", "place", "value"),
    [
        ({"op": "add", "path": "/metadata/labels/c~1d~0e", "value": "2"}, ("metadata", "labels", "c/d~e"), "2"),
        ({"op": "replace", "path": "/metadata/labels/a~1b", "value": "2"}, ("metadata", "labels", "a/b"), "2"),
        ({"op": "remove", "path": "/metadata/labels/a~1b"}, ("metadata", "labels"), {}),
        ({"op": "add", "path": "/spec/containers/1/image", "value": "x"}, ("spec", "containers", 1, "image"), "x"),
        ({"op": "add", "path": "/spec/containers/0", "value": {}}, ("spec", "containers", 1, "name"), "one"),
        ({"op": "add", "path": "/spec/containers/-", "value": {}}, ("spec", "containers", 2), {}),
        ({"op": "replace", "path": "/spec/containers/0", "value": 1}, ("spec", "containers", 0), 1),
        ({"op": "remove", "path": "/spec/containers/0"}, ("spec", "containers", 0, "name"), "two"),
        ({"op": "replace", "path": "", "value": {"a": 1}}, (), {"a": 1}),
    ],
)
def test_operations(operation: dict[str, Any], place: tuple[str | int, ...], value: Any) -> None:
    """Each changes what its path names; the object that was sent stays as it was."""
    before = repr(POD)
    found: Any = patched(POD, [operation])
    for part in place:
        found = found[part]
    assert found == value
    assert repr(POD) == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "move", "from": "/spec", "path": "/x"},
        {"op": "add", "path": "/status/x", "value": 1},
        {"op": "remove", "path": "/spec/containers/7"},
        {"op": "add", "path": "/spec/containers/x", "value": 1},
    ],
)
def test_what_cannot_be_done_is_an_error(operation: dict[str, Any]) -> None:
    """It is one of those that a malformed answer raises."""
    with pytest.raises((ValueError, KeyError, IndexError, TypeError)):
        patched(POD, [operation])
