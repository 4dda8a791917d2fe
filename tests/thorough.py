"""Thorough: how many examples a test tries, which are fewer in the quick loop."""

from hypothesis import settings

__all__ = ["PROFILES", "examples"]

_QUICK_SHARE = 4
PROFILES = {"busy": 100, "quick": 100 // _QUICK_SHARE}
"""The examples of a test that names no number, by Hypothesis' profile; noxfile.py asks for `quick`."""


def examples(number: int) -> int:
    """Return how many of so many examples are tried: a quarter with `--hypothesis-profile quick`, otherwise all."""
    return max(1, number // _QUICK_SHARE) if settings.get_current_profile_name() == "quick" else number
