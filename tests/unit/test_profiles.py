"""Profiles: the same examples in every run, but with `explore`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import Verbosity, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

from tests.profiles import BUSY, EXAMPLES, EXPLORE, QUICK

_ODD = 987_654_321_123


@pytest.fixture(params=[BUSY, QUICK, EXPLORE])
def profile(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name the profile with which a test runs; that of this run comes back."""
    before = settings.get_current_profile_name()
    settings.load_profile(request.param)
    yield request.param
    settings.load_profile(before)


def _draw() -> list[int]:
    """Return what is drawn of whole numbers, 400 of them."""
    drawn = []

    @settings(max_examples=400, verbosity=Verbosity.quiet)
    @given(st.integers())
    def keep(number: int) -> None:
        drawn.append(number)

    keep()
    return drawn


def test_examples_are_the_same_in_every_run(profile: str) -> None:
    """Twice the same numbers, unless others are explored."""
    assert (_draw() == _draw()) == (profile != EXPLORE)


@pytest.mark.parametrize("profile", [BUSY], indirect=True)
@pytest.mark.usefixtures("profile")
def test_no_example_comes_from_another_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which modules were imported before, by another test of the same process, decides nothing."""
    path = tmp_path / "odd.py"
    path.write_text(f"ODD = {_ODD}\n", encoding="utf-8")
    module = ModuleType("odd")
    module.__file__ = str(path)
    before = _draw()
    monkeypatch.setitem(sys.modules, "odd", module)
    assert _draw() == before


@pytest.mark.parametrize("profile", [BUSY, QUICK], indirect=True)
@pytest.mark.usefixtures("profile")
def test_no_module_is_read_for_examples() -> None:
    """Hypothesis' plugin would have all imported modules of ours read in each process that collects tests."""
    assert len(providers._get_local_constants()) == 0


def test_who_explores_draws_ten_times_as_many(profile: str) -> None:
    """It prints how to draw a failing example again; how long drawing takes fails no test, whatever the profile."""
    assert settings().max_examples == EXAMPLES[profile]
    assert EXAMPLES[EXPLORE] == 10 * EXAMPLES[BUSY]
    assert settings().print_blob == (profile == EXPLORE)
    assert "too_slow" in {check.name for check in settings().suppress_health_check}
