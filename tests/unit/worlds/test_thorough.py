"""Thorough: all examples are tried unless the quick loop asks for fewer."""

import pytest
from hypothesis import settings

from tests.thorough import PROFILES, examples


@pytest.mark.parametrize(("profile", "tried"), [("busy", 40), ("quick", 10)])
def test_only_the_quick_loop_tries_fewer(profile: str, tried: int) -> None:
    """A quarter, with the profile that noxfile.py names in the quick loop."""
    before = settings.get_current_profile_name()
    try:
        settings.load_profile(profile)
        assert examples(40) == tried
        assert settings().max_examples == PROFILES[profile] == 100 * tried // 40
    finally:
        settings.load_profile(before)
