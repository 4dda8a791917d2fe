"""Own machine: what tests without an engine change on it is journalled beside nothing that is real."""

from collections.abc import Iterator

import pytest

__all__ = ["own_machine"]


@pytest.fixture(scope="session", autouse=True)
def own_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the journal of what is changed on the machine in a place of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chaos_harness.clusters.machine.traces.HOME", tmp_path_factory.mktemp("machine"))
        yield
