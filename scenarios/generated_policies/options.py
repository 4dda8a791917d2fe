"""Options of the races between Gatekeeper's controllers: one run of a race shows little."""

import pytest

__all__ = ["pytest_addoption"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of races."""
    group = parser.getgroup("chaos")
    group.addoption(
        "--repetitions", metavar="N", type=int, default=6, help="how often a race is run in its experiment (default: 6)"
    )
    group.addoption(
        "--race", choices=("trigger", "burst"), default="trigger", help="race at the moment that counts, or at once"
    )
