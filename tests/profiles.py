"""Profiles: how many examples Hypothesis tries, and which: the same in every run, or others each time with `explore`.

What decides whether a change lands gives the same answer twice, also for another change: a test's examples depend on
its own source alone. `nox -s explore`, which runs at night, finds what no run before has drawn.
"""

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

__all__ = ["BUSY", "EXAMPLES", "EXPLORE", "QUICK", "load_profiles"]

BUSY, QUICK, EXPLORE = "busy", "quick", "explore"
EXAMPLES = {BUSY: 100, QUICK: 25, EXPLORE: 1000}
"""The examples of a test that names no number, by Hypothesis' profile; noxfile.py asks for `quick` and `explore`."""

_read_constants = providers._get_local_constants
"""Reads all imported modules of ours: half a second of processor, in each process that collects tests."""

_NOT_CHECKED = [HealthCheck.too_slow]
"""What a busy machine decides."""


def load_profiles() -> None:
    """Register all profiles, load `busy`, and let no draw depend on which modules happen to be imported.

    Of itself Hypothesis also draws the numbers and words that it reads in the source of all imported modules of ours:
    another worker, path or change elsewhere would mean other examples.
    """
    for name, number in EXAMPLES.items():
        is_explored = name == EXPLORE
        settings.register_profile(
            name,
            deadline=None,
            derandomize=not is_explored,
            max_examples=number,
            print_blob=is_explored,
            suppress_health_check=_NOT_CHECKED,
        )
    settings.load_profile(BUSY)
    providers._get_local_constants = _constants


def _constants() -> Constants:
    is_explored = settings.get_current_profile_name() == EXPLORE
    return _read_constants() if is_explored else Constants()
