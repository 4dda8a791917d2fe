"""Pulls: checks on the requests that the registry received, by its own log."""

from collections.abc import Sequence
from math import inf

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.events import STARTED, Events
from chaos_harness.harness.history.faults import Faults, FaultSpan, Names, listed
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.requests import ApiRequest, Requests
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import WATCH_EVENTS
from chaos_harness.harness.verdict import Verdict

__all__ = ["asked_no_registry", "asked_registry", "no_request_during"]

_MANIFESTS = "/manifests/"
_SHOWN = 5
_WHY = "the clock was changed, or lines are missing"


@identified
def asked_registry(repository: str, *, before: Names = "cut registry") -> Check:
    """Return the check that nodes asked the registry for the manifest of `repository` before the fault `before`.

    With `imagePullPolicy: Always` they do so for every container that starts, whether or not they have the image.
    Inconclusive if no container was seen to start then, because the pull may have another cause. Violated: they did
    not, although one started, and the registry's log is fully known.
    """

    def check(recorded: History) -> Verdict:
        return _Log(recorded).asked(repository, listed(before), wanted=True)

    check.__name__ = f"nodes ask the registry for {repository}"
    return Check(check)


@identified
def asked_no_registry(repository: str, *, before: Names = "cut registry") -> Check:
    """Return the check that containers started before the fault `before`, and no node asked the registry for it."""

    def check(recorded: History) -> Verdict:
        return _Log(recorded).asked(repository, listed(before), wanted=False)

    check.__name__ = f"nodes start {repository} without asking the registry"
    return Check(check)


@identified
def no_request_during(fault: Names = "cut registry") -> Check:
    """Return the check that the registry answered no request while the fault lasted: a cut is a cut.

    For faults that stop the registry or drop its packets; of several ones, or a repeated one, each is judged. The
    figure is their total duration. Inconclusive: one was not proved or not healed, the registry's log was not read to
    its end, or the clock was set, so that it is unknown when a request was answered.
    """

    def check(recorded: History) -> Verdict:
        return _Log(recorded).silent(listed(fault))

    check.__name__ = f"the registry answers nothing during {' and '.join(listed(fault))}"
    return Check(check)


class _Log:
    """The registry's log, read once, with the faults around it."""

    def __init__(self, recorded: History) -> None:
        self._coverage, self._faults = Coverage(recorded), Faults()
        self._requests, self._events = Requests(self._coverage.clocks), Events()
        follow(recorded, self._coverage, self._faults, self._requests, self._events)

    def asked(self, repository: str, names: Sequence[str], *, wanted: bool) -> Verdict:
        """Return the verdict whether it was asked for the manifest of a repository before the first of these faults."""
        name, faults = " and ".join(names), self._faults.named(*names)
        if not faults or faults[0].proved is None:
            return Verdict("inconclusive", f"the fault {name} was not proved, so 'before the fault' is undefined")
        begin = faults[0].injected
        headless = any(one.injected == -inf for one in faults[1:])  # may be the first only if lines are missing there
        if begin == -inf or (headless and self._coverage.lost.within(0.0, begin)):
            return Verdict(
                "inconclusive", f"the line that says when {name} began is missing, so 'before the fault' is undefined"
            )
        manifests = [
            one
            for one in self._requests.all
            if one.method in ("HEAD", "GET") and f"/{repository}{_MANIFESTS}" in one.path and one.perhaps(-inf, begin)
        ]
        asked = [one for one in manifests if one.surely(-inf, begin)]
        words, lines = f"the registry was asked {len(asked)} times for {repository} before {name}", _shown(asked)
        started = any(event.reason == STARTED and event.at < begin for event in self._events.all)
        if asked and started and not self._coverage.lost.within(0.0, asked[0].latest):
            return Verdict("holds", words, lines) if wanted else Verdict("violated", words, lines, at=asked[0].latest)
        if manifests and started:
            words = f"it is not known when the registry was asked, or {name} began: {_WHY}"
            return Verdict("inconclusive", words, _shown(manifests))
        if why := self._unseen(name, begin, started=started):
            return Verdict("inconclusive", why)
        return Verdict("violated", words, at=begin) if wanted else Verdict("holds", words)

    def _unseen(self, name: str, begin: float, *, started: bool) -> str:
        """Return why the lack of requests up to a moment proves nothing, or ""."""
        if unknown := self._requests.unknown(self._coverage, 0.0, begin):
            return f"the registry's log was not read up to {name}: requests may be missing from {unknown}"
        if started:
            return ""
        unseen = self._coverage.unknown([WATCH_EVENTS], 0.0, begin)
        why = unseen_words(self._coverage, [WATCH_EVENTS], unseen)
        return f"no container was seen to start before {name}{f': {why}' if why else ''}"

    def _unknown(self, fault: FaultSpan) -> Spans:
        """Return the moments of a fault at which a request, or its own proof, may be missing."""
        proved, healing = fault.proved or 0.0, min(fault.healing or 0.0, self._coverage.until)
        missing = self._requests.unknown(self._coverage, proved, healing)
        return missing | self._coverage.lost.within(fault.injected, proved)

    def silent(self, names: Sequence[str]) -> Verdict:
        """Return the verdict whether it answered no request while these faults lasted."""
        name, faults = " and ".join(names), self._faults.named(*names)
        over = [one for one in faults if one.proved is not None and one.healing is not None]
        proved = [(one.proved or 0.0, min(one.healing or 0.0, self._coverage.until)) for one in over]
        lost, requests = self._coverage.lost, self._requests.all
        answered = [
            one
            for begin, end in proved
            for one in requests
            if one.surely(begin, end) and not lost.within(begin, one.latest)
        ]
        if answered:
            words = f"the registry answered {len(answered)} requests meanwhile"
            return Verdict("violated", words, _shown(answered), at=answered[0].latest)
        if not over or len(over) < len(faults):
            return Verdict("inconclusive", f"{name} was not proved, or not healed")
        doubted = [one for begin, end in proved for one in requests if one.perhaps(begin, end)]
        if doubted:
            words = f"it is not known when the registry answered: {_WHY}"
            return Verdict("inconclusive", words, _shown(doubted))
        for one in over:
            if unknown := self._unknown(one):
                words = f"the registry's log was not read up to the end of {name}: requests may be missing from"
                return Verdict("inconclusive", f"{words} {unknown}")
        if not self._coverage.ended and set(names) != {one.id for one in faults}:
            return Verdict("inconclusive", f"the history is cut off: {name} may have been repeated")
        lasted = sum(end - begin for begin, end in proved)
        return Verdict("holds", f"the registry answered no request for {lasted:.1f} s", (), {"cut_seconds": lasted})


def _shown(requests: Sequence[ApiRequest]) -> tuple[str, ...]:
    more = len(requests) - _SHOWN
    return (*map(str, requests[:_SHOWN]), f"and {more} more") if more > 0 else tuple(map(str, requests))
