"""Pulls: checks on what the registry was asked, as its own log tells."""

from harness.checks import Checked
from harness.checks.reading import Reading, Request
from harness.history import Recorded
from harness.verdict import Verdict

__all__ = ["asked_no_registry", "asked_registry", "no_request_during"]

_MANIFESTS = "/manifests/"
_SHOWN = 5


def asked_registry(repository: str, *, before: str = "cut registry") -> Checked:
    """Return the check that nodes asked the registry for the manifest of `repository` before the fault `before`.

    With `imagePullPolicy: Always` they do for every container that starts, whether or not they have the image.
    """

    def check(recorded: Recorded) -> Verdict:
        return _asked(Reading(recorded), repository, before, wanted=True)

    check.__name__ = f"nodes ask the registry for {repository}"
    return Checked(check)


def asked_no_registry(repository: str, *, before: str = "cut registry") -> Checked:
    """Return the check that containers started before the fault `before`, and no node asked the registry for it."""

    def check(recorded: Recorded) -> Verdict:
        return _asked(Reading(recorded), repository, before, wanted=False)

    check.__name__ = f"nodes start {repository} without asking the registry"
    return Checked(check)


def no_request_during(fault: str = "cut registry") -> Checked:
    """Return the check that the registry answered no request while the fault lasted: a cut is a cut.

    For a fault that stops the registry or drops its packets; inconclusive if its log was not read to the end.
    """

    def check(recorded: Recorded) -> Verdict:
        reading = Reading(recorded)
        span = next(iter(reversed(reading.spans_of(fault))), None)
        if span is None or span.proved is None or span.healing is None:
            return Verdict("inconclusive", f"{fault} was not proved, or not healed")
        if reading.log_read_until is None or reading.log_read_until < span.healing:
            return Verdict("inconclusive", f"the registry's log was not read up to the end of {fault}")
        answered = [each for each in reading.requests if span.proved <= each.at < span.healing]
        lasted = span.healing - span.proved
        if answered:
            words = f"the registry answered {len(answered)} requests meanwhile"
            return Verdict("violated", words, _told(answered), at=answered[0].at)
        return Verdict("holds", f"the registry answered no request for {lasted:.1f} s", (), {"cut_seconds": lasted})

    check.__name__ = f"the registry answers nothing during {fault}"
    return Checked(check)


def _asked(reading: Reading, repository: str, before: str, *, wanted: bool) -> Verdict:
    spans = reading.spans_of(before)
    if not spans:
        return Verdict("inconclusive", f"{before} was not proved: there is no before")
    begin = spans[0].injected
    if reading.log_read_until is None or reading.log_read_until < begin:
        return Verdict("inconclusive", f"the registry's log was not read up to {before}")
    if not any(each.tells("Started", each.uid, 0.0) and each.at < begin for each in reading.events):
        return Verdict("inconclusive", f"no container was seen to start before {before}")
    asked = [
        each
        for each in reading.requests
        if each.at < begin and each.method in ("HEAD", "GET") and f"/{repository}{_MANIFESTS}" in each.path
    ]
    words = f"the registry was asked {len(asked)} times for {repository} before {before}"
    if bool(asked) == wanted:
        return Verdict("holds", words, _told(asked))
    return Verdict("violated", words, _told(asked), at=asked[0].at if asked else begin)


def _told(requests: list[Request]) -> tuple[str, ...]:
    lines = [f"{each.at:.1f} s: {each.remote} {each.method} {each.path} {each.status}" for each in requests[:_SHOWN]]
    more = len(requests) - _SHOWN
    return (*lines, f"and {more} more") if more > 0 else tuple(lines)
