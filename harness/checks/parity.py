"""Parity: the check that the webhook and the generated policies of the API server decide alike."""

from collections.abc import Sequence

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import bounded, unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import Coverage, asked
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.rounds import Disagreement, Rounds
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.verdict import Verdict

__all__ = ["enforcement_parity"]

_WEBHOOK, _POLICY = "deny by cel (webhook)", "deny by cel (vap)"
_ENOUGH = 50
_SHOWN = 5


@identified
def enforcement_parity(
    seconds: float = 0.0, *, webhook: str = _WEBHOOK, policy: str = _POLICY, enough: int = _ENOUGH
) -> Check:
    """Return the check that `webhook` and `policy` never decide differently for longer than `seconds` at a time.

    They are compared round by round: in one round the canary asks both the same. A round in which one gave no answer is
    not compared. A disagreement lasted at least from its first round to its last one, at most from the agreement before
    to that after; with 0 `seconds`, a single round is one too many, unless both changed their decision in it. What is
    asked after claims were judged does not count.

    Inconclusive: they were not seen for longer than that (with 0 s: than from one round to the next) while both were in
    force, they differ only in rounds in which this machine was starved, or they agree, but fewer than `enough` rounds
    can be compared.
    """
    streams = [asked(webhook), asked(policy)]

    def check(recorded: History) -> Verdict:
        coverage, rounds = Coverage(recorded), Rounds(webhook, policy)
        follow(recorded, rounds, coverage)
        apart = max(coverage.of(stream).tolerance for stream in streams)
        differ = [one.until(coverage.until) for one in rounds.disagreements if one.times[0][1] < coverage.until]
        seen = [one.until(coverage.surely_until).outside(coverage.blind) for one in differ]
        surely = [one.surely(apart) for one in seen]
        longest = max((one.before - one.after for one in differ), default=0.0)
        unseen = _unseen(coverage, rounds, streams)
        figures = {
            "compared_rounds": float(rounds.compared),
            "different_rounds": float(sum(len(one.times) for one in differ)),
            "longest_difference_seconds": round(longest, 3),
        }
        words = f"{int(figures['different_rounds'])} of {rounds.compared} decisions differ, for at most"
        words, lines = f"{words} {longest:.1f} s at a time", tuple(map(_told, differ[:_SHOWN]))
        outcome = bounded(max(surely, default=0.0), _worst(differ, unseen, seconds), seconds)
        for one, sure in zip(seen, surely, strict=True):
            if sure > seconds or (not seconds and one.times and one.within_one_mind):
                return Verdict("violated", words, lines, figures, one.times[0][0] + seconds)
        if outcome == "holds" and rounds.compared < enough:
            words = f"{rounds.compared} rounds can be compared, {enough} are needed to judge"
            return Verdict("inconclusive", words, lines, figures)
        if outcome == "inconclusive":
            why = unseen_words(coverage, streams, unseen.longer_than(seconds))
            return Verdict("inconclusive", "; ".join(filter(None, [words, why])), lines, figures)
        tolerance = "" if seconds else f"; gaps of up to {apart:.1f} s count as seen"
        return Verdict("holds", words + tolerance, lines, figures)

    check.__name__ = f"{webhook} and {policy} decide alike"
    return Check(check)


def _worst(differ: Sequence[Disagreement], unseen: Spans, seconds: float) -> float:
    """Return the longest disagreement in seconds, if they differed in all time that was not seen."""
    lasting = [Spans.of([(one.after, one.before)]) for one in differ if seconds or not one.passing]
    return max((unseen | span).longest for span in [Spans(), *lasting])


def _unseen(coverage: Coverage, rounds: Rounds, streams: list[str]) -> Spans:
    """Return when, while both were in force, not both were asked and answered."""
    unseen = Spans()
    for begin, end in rounds.asked_of(coverage.until):
        unseen |= coverage.unseen(streams, begin, end)
    if not coverage.ended:
        unseen |= coverage.unseen(streams, coverage.until, float("inf"))
    return unseen


def _told(one: Disagreement) -> str:
    return f"{one.after:.1f} s to {one.before:.1f} s ({len(one.times)} times): {one.said}"
