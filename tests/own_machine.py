"""Own machine: what tests without an engine change on it is journalled beside nothing that is real.

Nor does it look like a CI service's, whose logs have other lines.
"""

from collections.abc import Iterator

import pytest

__all__ = ["own_machine"]


@pytest.fixture(scope="session", autouse=True)
def own_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the journal of what is changed on the machine in a place of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI"):
            patch.delenv(name, raising=False)
        patch.setattr("chaos_harness.clusters.machine.traces.HOME", tmp_path_factory.mktemp("machine"))
        yield
