"""Figures: what the names of a verdict's figures say: in which unit they are, and whether more of them is worse."""

from typing import Literal

__all__ = ["is_time_or_share", "least_difference", "unit", "worse_if"]

_UNITS = (("_seconds", "s"), ("_percent", "%"), ("_bytes", "B"))
_FLOORS = {"s": 1.0, "%": 1.0, "": 1.0, "B": 2.0**20}
_SHARE = 0.1
_TIMES_AND_SHARES = ("_seconds", "_percent")
_WORSE_IF_LESS = ("first_lost_seconds",)
_CHOSEN = ("asked_seconds", "cut_seconds")
_BOUNDS = ("_low_", "_high_")
_COUNTS = ("_lost_requests", "_refused_requests", "_changes", "_denied", "_not_renewed")
_COUNTED = (
    *("altered", "different_rounds", "late_pods", "late_pods_without_image", "missing", "orphaned", "orphans"),
    *("unmutated", "unmutated_pods"),
)


def unit(figure: str) -> str:
    """Return the unit of a figure, by the end of its name: "s", "%", "B", or "" for a count."""
    return next((unit for ending, unit in _UNITS if figure.endswith(ending)), "")


def least_difference(figure: str, usual: float) -> float:
    """Return the smallest difference of a figure, whose usual value this is, that is called worse or better.

    That is 1 s, 1 %, 1 or 1 MiB, or a tenth of the usual value if that is more.
    """
    return max(_FLOORS[unit(figure)], _SHARE * abs(usual))


def is_time_or_share(figure: str) -> bool:
    """Return whether a figure is a duration, or a share of requests or Pods."""
    return figure.endswith(_TIMES_AND_SHARES)


def worse_if(figure: str) -> Literal["more", "less"] | None:
    """Return whether more of a figure is worse, or less of it; None if neither can be said.

    More is worse of durations, of shares of lost requests, and of counts of what was lost, refused or left behind;
    less of the time that went well before the first loss. Neither can be said of values that the scenario chooses, of
    sample sizes, and of the ends of confidence intervals.
    """
    if figure in _WORSE_IF_LESS:
        return "less"
    if figure in _CHOSEN or any(bound in figure for bound in _BOUNDS):
        return None
    return "more" if is_time_or_share(figure) or figure in _COUNTED or figure.endswith(_COUNTS) else None
