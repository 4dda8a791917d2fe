"""Faults on objects that are refused before a cluster is touched; what becomes of the others is in tests/api."""

from typing import Any

import pytest

from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.errors import BadScenario

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("delete_crd", {"name": "--all"}, "name: expected the name of an object"),
    ("delete_crd", {"name": "assign"}, "expected a name such as assign.mutations.gatekeeper.sh"),
    ("delete_crd", {"name": "assign.mutations.gatekeeper.sh", "most": 0}, "expected at least 1, found 0"),
    ("revoke_rule", {"role": "../r", "verb": "list", "resource": "pods"}, "name: expected the name of an object"),
    ("revoke_rule", {"role": "r", "verb": "LIST", "resource": "pods"}, "verb: expected a verb such as list"),
    ("revoke_rule", {"role": "r", "verb": "list", "resource": "a/b/c"}, "resource: expected a resource such as pods"),
    ("revoke_rule", {"role": "r", "verb": "list", "resource": "pods", "group": "a b"}, "group: expected a group"),
    ("revoke_rule", {"role": "r", "verb": "list", "resource": "pods", "namespace": "N"}, "the name of a namespace"),
    ("revoke_binding", {"name": "a/b"}, "name: expected the name of an object"),
]


@pytest.mark.parametrize(("fault", "values", "words"), REFUSED, ids=str)
def test_what_is_refused(fault: str, values: dict[str, Any], words: str) -> None:
    """A wrong parameter is told by its name, and what was expected of it."""
    with pytest.raises(BadScenario, match=words):
        entries("fault")[fault].make(values)
