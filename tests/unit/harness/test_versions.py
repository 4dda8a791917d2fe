"""Versions: which versions a range has in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.versions import Versions

VERSIONS = st.builds("3.{}.{}".format, st.integers(15, 25), st.integers(0, 3))
BOUNDS = st.builds("{}{}".format, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), VERSIONS | st.just("3.20"))


@given(VERSIONS, st.lists(BOUNDS, max_size=3).map(",".join))
def test_ranges_mean_what_they_mean_elsewhere(version: str, text: str) -> None:
    """A range has the versions in it that Python's packaging says, with or without the v."""
    assert (f"v{version}" in Versions(text)) == (version in SpecifierSet(text))
    assert (version in Versions(text)) == (f"v{version}" in Versions(text))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("<3.22.1", "v3.22.0", "v3.22.1"),
        (">=v3.18, <3.23", "v3.22.9", "v3.17.1"),
        (">=3.24", "v3.24.0-beta.0", "v3.23.1"),
    ],
)
def test_bounds(text: str, inside: str, outside: str) -> None:
    """All bounds must be kept; a pre-release counts as its release."""
    assert inside in Versions(text)
    assert outside not in Versions(text)


def test_every_version() -> None:
    """A range without bounds has every version in it, and says so."""
    assert "v0" in Versions()
    assert str(Versions()) == "every version"
    assert str(Versions("<3.22.1")) == "<3.22.1"


def test_all_problems_of_a_range_are_told() -> None:
    """What is no bound is refused before anything is judged, each of them."""
    with pytest.raises(BadScenario) as caught:
        Versions("<3.22.1, ~3.1, new")
    assert len(caught.value.problems) == 2
    assert "'~3.1'" in caught.value.problems[0]


def test_what_is_no_version_is_in_no_range() -> None:
    """To ask for something else than a version is an error, not an answer."""
    with pytest.raises(BadScenario, match="'latest'"):
        assert "latest" in Versions("<3.22.1")
