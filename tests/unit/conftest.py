"""Fixtures that several unit tests share because they take seconds to make."""

import pytest

from tests.sessions import SCENARIOS, Session, run


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Run one session with a test of every kind, whose output is not a terminal."""
    return run(tmp_path_factory.mktemp("session"), SCENARIOS, "--tb=no")
