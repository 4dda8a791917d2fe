"""Deleted pods: what cannot be deleted so is refused before a cluster is asked."""

from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.faults.workloads.delete_pods import delete_pods


@pytest.mark.parametrize(
    "given",
    [
        {"selector": ""},
        {"selector": "a=b", "grace": -1},
        {"selector": "a=b", "most": 0},
        {"selector": "a=b", "namespace": "../x"},
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any]) -> None:
    """Nobody deletes all pods by leaving out which."""
    with pytest.raises(BadScenario):
        delete_pods(**given)
