"""The world of the experiments here."""

import pytest

from tests.fakes.world import World


@pytest.fixture
def world() -> World:
    """Return a world in which one pod runs."""
    return World.inhabited()
