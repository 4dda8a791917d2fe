"""Fixtures of tests that start whole programs: nothing that they do to a machine is kept beside what is real."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the journal of what is changed on the machine in a place of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chaos_harness.clusters.machine.traces.HOME", tmp_path_factory.mktemp("machine"))
        yield
