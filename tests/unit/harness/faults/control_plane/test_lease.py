"""Lease fault: names that would be options or paths are refused before a cluster is asked."""

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.faults.control_plane.lease import take_lease


@pytest.mark.parametrize("names", [{"name": "--all"}, {"name": "a/b"}, {"name": "a", "namespace": "../x"}])
def test_what_is_no_name_is_refused(names: dict[str, str]) -> None:
    """Such a name would be another command, or another object."""
    with pytest.raises(BadScenario):
        take_lease(**names)
