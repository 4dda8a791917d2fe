"""Tally: counts that stay small and lose nothing."""

from chaos_harness.reports.picture.counts import MOST_LOST, Bins, Tally


def test_bins_widen_instead_of_growing() -> None:
    """However long the history, there are at most 400 bins, and none of the counts is lost."""
    bins = Bins()
    for second in range(100_000):
        bins.add(float(second))

    assert len(bins.bins) <= 400
    assert sum(bin_.good for bin_ in bins.bins.values()) == 100_000
    assert bins.width == 256.0


def test_each_lost_request_is_kept_up_to_the_bound() -> None:
    """Lost requests are kept one by one; those beyond the bound stay in the bins, and are counted."""
    tally = Tally()
    for number in range(MOST_LOST + 5):
        tally.add(number / 10, number / 10 + 0.1, "lost", "refused")
    tally.add(0.5, 5.5, "silent", "timed out")

    assert (len(tally.kept), tally.unkept) == (MOST_LOST + 1, 5), "as many of each outcome"
    assert sum(bin_.lost for bin_ in tally.bins.bins.values()) == tally.total.lost == MOST_LOST + 5
    assert (tally.first_lost, tally.last_lost) == (0.0, (MOST_LOST + 4) / 10)
    assert tally.words == "0 good, 2,005 lost, 1 unanswered"
