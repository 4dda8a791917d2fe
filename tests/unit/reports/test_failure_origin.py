"""Blame: a failure's mark follows from the error that was raised, also from a worker of xdist."""

from pathlib import Path

import pytest

from tests.sessions import run

_SCENARIOS = '''
"""Scenarios."""
import pytest
from chaos_harness.harness.errors import CheckBroken, Inconclusive, InvariantViolated

class Lost(InvariantViolated):
    pass

class Undecided(Inconclusive):
    pass

@pytest.fixture
def late():
    yield
    raise Lost("in the end")

def test_lost():
    raise Lost("3 requests")

def test_lost_in_the_end(late):
    pass

def test_asserted():
    assert 1 == 2

def test_failed():
    pytest.fail("no")

def test_undecided():
    raise Undecided("2 samples")

def test_check():
    raise CheckBroken("KeyError")

def test_harness():
    raise OSError("AssertionError: Inconclusive")
'''


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "with xdist"])
def test_the_error_decides_and_no_word_of_it(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """A subclass is what its class is, whatever it is called; a check that broke is ours."""
    output = run(tmp_path, _SCENARIOS, "--tb=no", *workers).output
    rows = [line.split() for line in output[output.rindex("scenario  claim") :].splitlines()]
    marks = [tuple(row[:2]) for row in rows if row and row[0] in "✗?!"]

    assert sorted(marks) == sorted([("✗", "failed")] * 4 + [("?", "inconclusive")] + [("!", "broken")] * 2)
