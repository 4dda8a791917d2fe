"""Quiescence: the check that nobody writes Gatekeeper's objects, or what it generates, while nothing is asked for."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.in_service import covers
from chaos_harness.harness.history.rest import Rest
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.writes import ObjectWrite
from chaos_harness.harness.verdict import Verdict

__all__ = ["nobody_writes_at_rest"]

_MINUTE = 60.0
_LEAST_REST_SECONDS = 10.0
_SHOWN = 5


@identified
def nobody_writes_at_rest(seconds: float = _MINUTE, at_most: int = 0) -> Check:
    """Return the check that at rest nobody writes an object of Gatekeeper's, or what it generates.

    At rest is a cluster `seconds` after the last thing that was done: a policy was applied or removed, a fault was
    under way, the experiment or a person wrote such an object, or a pod of Gatekeeper changed or was not Ready. Then no
    object may be written more than `at_most` times in a minute: no template, no constraint, no generated policy or
    binding, no webhook configuration. What audits report in the status of constraints does not count, nor do Leases,
    Events, pods and endpoints.

    A write that changes nothing is none for the API server either. Who wrote is told by the object itself, in the
    newest of its field managers: the audit log does not keep what controllers do. A write that nobody signed, as each
    deletion, may be the experiment's: it violates nothing, and leaves it undecided. Also inconclusive: one of these
    lists was not watched all the time, or lines are missing; it was at rest for less than 10 s.
    """

    def check(recorded: History) -> Verdict:
        return _judge(Rest(recorded, seconds), at_most)

    check.__name__ = f"at rest, {seconds:g} s after anything was done, nobody writes" + (
        f" an object more than {at_most} times a minute" if at_most else ""
    )
    return Check(check)


def _judge(rest: Rest, at_most: int) -> Verdict:
    others = [write for write in rest.writes if not write.asked]
    signed = [write for write in others if write.asked is False]
    certain = [write for write in signed if covers(rest.sure, write.earliest, write.latest)]
    possible = [write for write in others if _touches(rest.maybe, write)]
    lasted = rest.sure.total
    figures = {"rest_seconds": round(lasted, 3), "writes_at_rest": float(len(certain))}
    words = f"{len(certain)} writes in {lasted:.1f} s of rest"
    surely = [(write.latest, often) for writes in _by_object(certain) for write, often in _often(writes)]
    if too_often := sorted(moment for moment, often in surely if often > at_most):
        figures["most_writes_a_minute"] = float(max(often for _, often in surely))
        return Verdict("violated", words, tuple(_lines(certain)), figures, too_often[0])
    lines = tuple(_lines(possible))
    if any(_at_most_often(writes) > at_most for writes in _by_object(possible)):
        perhaps = "it is not known who wrote, or whether it was at rest"
        words = f"{words}, and perhaps {len(possible) - len(certain)} more: {perhaps}"
        return Verdict("inconclusive", words, lines, figures)
    if rest.coverage.lost:
        return Verdict("inconclusive", f"{words}; lines are missing from {rest.coverage.lost}", lines, figures)
    for process, spans in rest.unseen().items():
        return Verdict("inconclusive", f"{words}; {unseen_words(rest.coverage, [process], spans)}", lines, figures)
    if lasted < _LEAST_REST_SECONDS:
        words = f"it was at rest for {lasted:.1f} s, less than {_LEAST_REST_SECONDS:g} s"
        return Verdict("inconclusive", words, lines, figures)
    return Verdict("holds", words, lines, figures)


def _touches(spans: Spans, write: ObjectWrite) -> bool:
    return any(begin <= write.latest and write.earliest < end for begin, end in spans)


def _by_object(writes: Sequence[ObjectWrite]) -> list[list[ObjectWrite]]:
    """Return the writes of each object, in the order of their reports."""
    objects: dict[str, list[ObjectWrite]] = {}
    for write in writes:
        objects.setdefault(write.object, []).append(write)
    return list(objects.values())


def _often(writes: Sequence[ObjectWrite]) -> Iterator[tuple[ObjectWrite, int]]:
    """Yield each write of an object, with how many there surely were in the minute that ends with it."""
    earliest: list[float] = []
    for write in sorted(writes, key=lambda one: one.latest):
        insort(earliest, write.earliest)
        yield write, len(earliest) - bisect_left(earliest, write.latest - _MINUTE)


def _at_most_often(writes: Sequence[ObjectWrite]) -> int:
    """Return how many writes of an object there may have been in one minute."""
    earliest, latest = sorted(write.earliest for write in writes), sorted(write.latest for write in writes)
    return max(bisect_right(earliest, write.latest) - bisect_left(latest, write.earliest - _MINUTE) for write in writes)


def _lines(writes: Sequence[ObjectWrite]) -> Iterator[str]:
    """Yield of the objects that were written most often how often, from when to when, and by whom."""
    objects = sorted(_by_object(writes), key=len, reverse=True)[:_SHOWN]
    for of_one in objects:
        who = dict.fromkeys(" or ".join(write.by) or "nobody who signs" for write in of_one)
        when = f"from {of_one[0].latest:.1f} to {of_one[-1].latest:.1f} s"
        yield f"{of_one[0].object}: written {len(of_one)} times {when}, by {', '.join(who)}"
