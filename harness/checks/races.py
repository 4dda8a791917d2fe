"""Races: how often, of all repetitions, an orphan was left behind when all was decided."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from harness.checks import Checked
from harness.checks.policies import NO_GATEKEEPER, lacking
from harness.checks.rule import bounded
from harness.generation_rules import Rules
from harness.history import Entry, Recorded
from harness.history.differences import Difference
from harness.history.following import Take
from harness.history.generated_policies import Generated, read_generated
from harness.history.spans import Spans
from harness.history.vocabulary import DECIDED, RACE, WATCH_BINDINGS, WATCH_POLICIES, WATCH_TEMPLATES
from harness.statistics import Interval, wilson
from harness.verdict import Verdict

__all__ = ["never_orphaned", "no_orphan_stays"]


def never_orphaned(late: float = 5.0, *, gatekeeper: str = "") -> Checked:
    """Return the check that no repetition left a policy or binding that nobody asks for.

    The time of a repetition is from the mark that it was decided to the next such mark, or to the end, and of one
    policy until that is asked for anew; an orphan is what was there for more than `late` seconds of it, whenever it
    came and went. The figures tell how many of how many, the rate with its confidence interval (which reaches from none
    to all of those that were not seen), and how long the oldest lasted. Inconclusive: no repetition was decided, or one
    that was not seen to leave an orphan was not seen for so long. What is asked for is read as by `policies_match`.
    """
    given = Rules.of(gatekeeper) if gatekeeper else None

    def check(recorded: Recorded) -> Verdict:
        marks = _Marks()
        generated = read_generated(recorded, given, marks)
        if generated is None:
            return NO_GATEKEEPER
        end = generated.window[1]
        times = [_Time(*span, anew=generated.asked_anew(span[0])) for span in pairwise([*marks.decided, end])]
        return _judge(times, generated, late, f"{len(times)} repetitions were decided")

    check.__name__ = f"no race leaves an orphan for {late:g} s"
    return Checked(check)


def no_orphan_stays(late: float = 15.0, *, gatekeeper: str = "") -> Checked:
    """Return the check that no policy or binding is left of a template that refuses one, once all pods have seen it.

    A repetition is a time in which a template refuses a policy and all pods tell of its newest generation; one of less
    than `late` seconds is none. An orphan is what is there for `late` seconds of it: whoever generates has nothing
    left to do, so nothing takes it away. Figures as of `never_orphaned`. Inconclusive: there was no such time, or
    there may have been one, or an orphan in one, that was not seen.
    """
    given = Rules.of(gatekeeper) if gatekeeper else None

    def check(recorded: Recorded) -> Verdict:
        generated = read_generated(recorded, given)
        if generated is None:
            return NO_GATEKEEPER
        times = [
            _Time(*span, policy, f"; all pods had seen that by {span[0]:.1f} s")
            for policy, spans in generated.refused()
            for span in spans.longer_than(late)
        ]
        words = f"{len(times)} times a template that refuses a policy was seen by all pods"
        return _judge(times, generated, late, words, hidden=generated.unseen(WATCH_TEMPLATES, longer_than=late))

    check.__name__ = f"no orphan stays for {late:g} s of a policy that nobody asks for"
    return Checked(check)


class _Marks:
    """When the repetitions were decided; a reader (see `following`)."""

    def __init__(self) -> None:
        self.decided: list[float] = []

    def takes(self, process: str) -> Take | None:
        """Return what takes the entries of a process."""
        return self._take if process == RACE else None

    def close(self, end: float) -> None:
        """Take notice of the end."""

    def _take(self, entry: Entry) -> None:
        if entry.f == DECIDED:
            self.decided.append(entry.at)


@dataclass(frozen=True, eq=False)
class _Time:
    """The time of one repetition, of one policy or ("") of all; `anew` says when which was asked for again."""

    since: float
    until: float
    policy: str = ""
    words: str = ""
    anew: dict[str, float] = field(default_factory=dict)

    @property
    def shortest(self) -> float:
        """How many seconds of it there are for each policy, at least."""
        return min((self.until, *self.anew.values())) - self.since

    def of(self, orphan: Difference, when: Spans) -> Spans:
        """Return which of some moments of an orphan lie in it."""
        if self.policy not in ("", orphan.kind.policy):
            return Spans()
        return when.within(self.since, min(self.until, self.anew.get(orphan.kind.policy, self.until)))

    def left(self, generated: Generated, late: float) -> Iterator[tuple[Difference, Spans]]:
        """Yield the orphans that were seen in it for more than `late` seconds, and when."""
        for orphan in generated.orphans:
            if seen := self.of(orphan, orphan.certain).longer_than(late):
                yield orphan, seen

    def doubtful(self, generated: Generated, late: float) -> bool:
        """Whether there may have been another, or whether it was too short to see one."""
        maybe = (self.of(orphan, Spans.of([(orphan.since, orphan.until)])) for orphan in generated.orphans)
        unseen = generated.unseen(WATCH_POLICIES, WATCH_BINDINGS).values()
        return (
            self.shortest < late
            or any(spans.longest > late for spans in maybe)
            or any(spans.within(self.since, self.until).longest > late for spans in unseen)
        )


def _judge(times: list[_Time], generated: Generated, late: float, words: str, *, hidden: object = None) -> Verdict:
    """Return the verdict on these times; with `hidden` there may have been others."""
    unseen = lacking(generated, late)
    if not times:
        return Verdict("inconclusive", "; ".join(filter(None, (words, unseen))))
    left = {time: orphans for time in times if (orphans := list(time.left(generated, late)))}
    doubtful = sum(time.doubtful(generated, late) for time in times if time not in left)
    total, orphaned, seen = len(times), len(left), len(times) - doubtful
    low, high = wilson(orphaned, total).low, wilson(orphaned + doubtful, total).high
    rate = Interval(wilson(orphaned, seen).estimate, low, high)
    lasted = [spans.longest for orphans in left.values() for _, spans in orphans]
    figures = {
        "repetitions": float(total),
        "orphaned": float(orphaned),
        "orphan_rate": rate.estimate,
        "orphan_rate_low": rate.low,
        "orphan_rate_high": rate.high,
        "oldest_orphan_seconds": round(max(lasted, default=0.0), 3),
    }
    evidence = tuple(f"{orphan}{time.words}" for time, orphans in left.items() for orphan, _ in orphans)
    first = min((spans.parts[0][0] + late for orphans in left.values() for _, spans in orphans), default=None)
    outcome = "inconclusive" if hidden and not left else bounded(orphaned, orphaned + doubtful, 0)
    told = [f"{orphaned} of {seen} repetitions left an orphan: {rate.percent()}"]
    if doubtful or outcome == "inconclusive":
        told += [f"{doubtful} more were not seen for long enough: {words}", unseen]
    return Verdict(outcome, "; ".join(filter(None, told)), evidence, figures, first)
