"""Excuses: which bad answers do not count, because a claim excuses their cause, and for which that is unknown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from re import compile as pattern
from typing import Literal

from chaos_harness.harness.history.admissions import Admission
from chaos_harness.harness.history.webhook_failures import NOT_LOGGED, Why

__all__ = ["BadAnswers", "standing", "weighed"]

Standing = Literal["counted", "excused", "unread"]

_TIMED_OUT = "timed out"
_TIMEOUT = pattern(r"[?&]timeout=(\d+)s")
_LONG_SECONDS = {"check-ignore-label.gatekeeper.sh": 3.0}
_USUAL_SECONDS = 1.0
_ABOUT_SECONDS = 0.1


@dataclass(frozen=True)
class BadAnswers:
    """Bad answers, by whether they count: certainly (`counted`), not at all (`excused`), or unknown (`unread`)."""

    counted: tuple[Admission, ...]
    excused: tuple[Admission, ...] = ()
    unread: tuple[Admission, ...] = ()

    def among(self, chosen: Collection[Admission]) -> "BadAnswers":
        """Return only those that are among the `chosen` ones."""
        counted, excused, unread = (
            tuple(admission for admission in part if admission in chosen)
            for part in (self.counted, self.excused, self.unread)
        )
        return BadAnswers(counted, excused, unread)


def weighed(
    whys: Mapping[Admission, Why], alone: Collection[Admission], causes: Collection[str], *, trusted: bool = True
) -> BadAnswers:
    """Return which bad answers of one policy count if these `causes` are excused.

    Only isolated bad answers (`alone`) are excused, because requests to a webhook that is down time out, too. If the
    logs are not `trusted`, nothing is excused, and a cause that was not logged may have existed.
    """
    if not causes:
        return BadAnswers(tuple(whys))
    parts: dict[Standing, list[Admission]] = {"counted": [], "excused": [], "unread": []}
    for admission, why in whys.items():
        took = admission.answered - admission.asked
        how = standing(why, admission.webhook, took, causes, trusted=trusted) if admission in alone else "counted"
        parts[how].append(admission)
    return BadAnswers(*(tuple(parts[how]) for how in ("counted", "excused", "unread")))


def standing(why: Why, webhook: str, took: float, causes: Collection[str], *, trusted: bool) -> Standing:
    """Return whether an isolated bad answer counts; `took` is its duration in seconds, as the client measured it.

    It is excused if its cause is known and one of `causes`; a time-out must have lasted as long as the API server
    waits. An unknown cause counts unless it could be excused.
    """
    waits = _waits(why, webhook)
    lasted = min(took, took if why.took is None else why.took) >= waits - _ABOUT_SECONDS
    excusing = [name for name in causes if name != _TIMED_OUT or lasted]
    open_ = not why.known or (not trusted and NOT_LOGGED in why.names)
    fit = [open_ or name in excusing for name in why.names]
    if not excusing or not any(fit):
        return "counted"
    return "excused" if all(fit) and not open_ and trusted else "unread"


def _waits(why: Why, webhook: str) -> float:
    """Return for how many seconds the API server waits for the webhook; its error message may contain that."""
    said = _TIMEOUT.search(why.said)
    return float(said[1]) if said else _LONG_SECONDS.get(webhook, _USUAL_SECONDS)
