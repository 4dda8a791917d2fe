"""Tests of benchmarks.samples: figures are told with their number and their range, ratios are of medians."""

import json

import pytest

from benchmarks.samples import Limit, Ratio, Samples, table, time_block, to_json

_OURS = Samples("ours", figures=[1.0, 2.0, 9.0])
_PLAIN = Samples("plain", figures=[10.0, 8.0, 40.0])
_NOTHING = Samples("nothing", note="not installed")


def test_a_ratio_is_of_medians() -> None:
    """One slow round does not decide."""
    assert Ratio("r", _OURS, _PLAIN).value == 0.2


def test_what_was_not_measured_has_no_ratio() -> None:
    """It is told as missing, for people and machines."""
    ratio = Ratio("r", _NOTHING, _PLAIN, 0.5)
    assert ratio.value is None
    assert "r        not measured" in table([_NOTHING, _PLAIN], [ratio], [])
    assert json.loads(to_json([_NOTHING], [ratio], [], {}))["ratios"][0]["value"] is None


def test_a_table_tells_number_median_range_and_whether_aims_are_met() -> None:
    """A reader sees how much a figure is worth."""
    lines = table(
        [_OURS], [Ratio("good", _OURS, _PLAIN, 0.4), Ratio("bad", _OURS, _PLAIN, 0.1)], [Limit("l", _OURS, 2)]
    )
    assert lines.splitlines()[1].split() == ["ours", "3", "2", "1", "to", "9", "s"]
    assert "good  0.200  ✓ at most 0.4" in lines
    assert "bad   0.200  ✗ at most 0.1" in lines
    assert "l     2.000  ✓ at most 2" in lines


def test_machines_get_the_same() -> None:
    """Number, median, range and what the ratios were made of."""
    document = json.loads(to_json([_OURS], [Ratio("r", _OURS, _PLAIN)], [Limit("l", _OURS, 2)], {"cores": 2}))
    assert document["samples"][0] | {"n": 3, "median": 2.0, "low": 1.0, "high": 9.0} == document["samples"][0]
    assert (document["ratios"][0]["n"], document["limits"][0]["value"], document["about"]) == (
        [3, 3],
        2.0,
        {"cores": 2},
    )


def test_what_failed_is_no_figure() -> None:
    """A block that raises was not measured."""
    samples = Samples("s")
    with pytest.raises(OSError, match="x"), time_block(samples):
        raise OSError("x")
    with time_block(samples):
        pass
    assert len(samples.figures) == 1


def test_a_limit_may_be_for_the_slowest() -> None:
    """The 99th percentile is the figure that one in a hundred exceeds; of few, the highest."""
    many = Samples("many", figures=[float(number) for number in range(200)])
    assert Limit("l", many, 2, "p99").value == 198
    assert Limit("l", _OURS, 2, "p99").value == 9.0
    assert Limit("l", _NOTHING, 2, "p99").value is None
