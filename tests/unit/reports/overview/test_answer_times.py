"""Answer times: percentiles that are right to 1 %, of any number of answers, in little memory."""

import pytest

from chaos_harness.reports.overview.answer_times import AnswerTimes


def test_percentiles_are_right_to_one_percent() -> None:
    """However many answers there are, their classes stay few."""
    times = AnswerTimes()
    for number in range(1, 100_001):
        times.add(number / 10_000)

    assert times.percentile(0.5) == pytest.approx(5, rel=0.011)
    assert times.percentile(0.99) == pytest.approx(9.9, rel=0.011)
    assert len(times._classes) < 700


def test_without_an_answer_there_is_no_time() -> None:
    """It is not 0."""
    assert AnswerTimes().percentile(0.5) is None
