"""Brisk: unit tests, whose fakes answer at once, do not sit through the pauses that real clusters need."""

from collections.abc import Iterator

import pytest

from chaos_harness.clusters.deadline import Deadline

__all__ = ["brisk_pauses", "real_pauses"]

_SHARE = 0.1
_LEAST_SECONDS = 0.01
_attempts = Deadline.attempts


def _attempt_briskly(deadline: Deadline, first: float = 0.05, most: float = 1.0) -> Iterator[int]:
    return _attempts(deadline, _shorten(first), _shorten(most))


def _shorten(seconds: float) -> float:
    return min(seconds, max(_SHARE * seconds, _LEAST_SECONDS))


@pytest.fixture(scope="session", autouse=True)
def brisk_pauses() -> Iterator[None]:
    """Let all pauses between attempts be a tenth of what they are; deadlines stay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deadline, "attempts", _attempt_briskly)
        yield


@pytest.fixture
def real_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pauses be as long as they are, for tests of how long that is."""
    monkeypatch.setattr(Deadline, "attempts", _attempts)
