"""Fixtures that several unit tests share because they take seconds to make."""

import pytest
from hypothesis import settings

from tests.sessions import SCENARIOS, Session, run

settings.register_profile("busy machine", deadline=None)  # clusters of other runs may take all the time there is
settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Run one session with a test of every kind, whose output is not a terminal."""
    return run(tmp_path_factory.mktemp("session"), SCENARIOS, "--tb=no")
