"""Order: interleaved, balanced, and the same for the same seed."""

import pytest

from chaos_harness.harness.incident.ab.order import slots


@pytest.mark.parametrize("pairs", [1, 2, 5, 10, 99])
@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_balance(pairs: int, seed: int) -> None:
    """Each pair has both arms, each incident once on each, with one seed; each arm is first as often as the other."""
    runs = list(slots(pairs, 3, seed))

    assert [run.number for run in runs] == list(range(1, 6 * pairs + 1))
    for pair in range(1, pairs + 1):
        own = [run for run in runs if run.pair == pair]
        assert sorted((run.arm, run.incident) for run in own) == [(arm, index) for arm in "AB" for index in range(3)]
        assert {run.seed for run in own} == {(seed + pair - 1) % 2**32}
        assert [run.arm for run in own] in (["A"] * 3 + ["B"] * 3, ["B"] * 3 + ["A"] * 3)
    first = [run.arm for run in runs[::6]]
    assert abs(first.count("A") - first.count("B")) == pairs % 2


def test_mirrored() -> None:
    """Two pairs are A B B A or B A A B, so that a drift meets both alike; which of them the seed decides."""
    orders = {"".join(run.arm for run in slots(2, 1, seed)) for seed in range(20)}

    assert orders == {"ABBA", "BAAB"}
    assert list(slots(9, 2, 5)) == list(slots(9, 2, 5))
