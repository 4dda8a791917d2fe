"""Figures: what their names say of unit and of better and worse."""

from typing import Literal

import pytest

from chaos_harness.harness.figures import is_time_or_share, unit, worse_if


@pytest.mark.parametrize(
    ("figure", "worse", "of"),
    [
        ("mutate_pods_lost_least_seconds", "more", "s"),
        ("mutate_pods_lost_requests", "more", ""),
        ("mutate_pods_refused_requests", "more", ""),
        ("mutate_pods_asked_requests", None, ""),
        ("first_lost_seconds", "less", "s"),
        ("cut_seconds", None, "s"),
        ("unmutated_percent", "more", "%"),
        ("unmutated_low_percent", None, "%"),
        ("unmutated_pods", "more", ""),
        ("created_pods", None, ""),
        ("ready_p95_high_seconds", None, "s"),
        ("orphans", "more", ""),
        ("repetitions", None, ""),
    ],
)
def test_names(figure: str, worse: Literal["more", "less"] | None, of: str) -> None:
    """More of what was lost is worse, less of what went well before is, and of a sample size neither."""
    assert worse_if(figure) == worse
    assert unit(figure) == of
    assert is_time_or_share(figure) == (of in ("s", "%"))
