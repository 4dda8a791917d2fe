"""Own machine: what tests without an engine change on it is journalled beside nothing that is real.

Nor does it look like a CI service's, whose logs have other lines.
"""

from collections.abc import Iterator

import pytest

__all__ = ["own_machine"]


@pytest.fixture(scope="session", autouse=True)
def own_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep private files of runs, and the journal of what is changed on the machine, in places of the tests' own."""
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI"):
            patch.delenv(name, raising=False)
        patch.setenv("XDG_STATE_HOME", str(state))
        patch.setattr("chaos_harness.clusters.machine.traces.HOME", tmp_path_factory.mktemp("machine"))
        yield
    left = [run.name for run in state.glob("*/runs/*")]
    assert not left, f"runs of tests left private files behind: {', '.join(left)}"
