"""Fixtures of the generated-policy scenarios: what the options of races say."""

import pytest

from chaos_harness.harness.pytest_plugin.selection import runs_founding


@pytest.fixture(scope="session")
def repetitions(pytestconfig: pytest.Config) -> int:
    """Return how often a race is run in its experiment (--repetitions)."""
    times: int = pytestconfig.option.repetitions
    return times


@pytest.fixture(scope="session")
def race_mode(pytestconfig: pytest.Config) -> str:
    """Return when a race is run (--race): "trigger", at the moment that counts, or "burst", at once."""
    mode: str = pytestconfig.option.race
    return mode


@pytest.fixture(scope="session")
def is_one_orphan_enough(pytestconfig: pytest.Config) -> bool:
    """Return whether a race ends with its first orphan: among the founding incidents, where no rate is measured."""
    return runs_founding(pytestconfig)
