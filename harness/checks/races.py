"""Races: in how many repetitions an orphan was left behind after the repetition was decided."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from chaos_harness.harness.causes import known_causes
from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.policies import NO_GATEKEEPER, lacking
from chaos_harness.harness.checks.rule import bounded
from chaos_harness.harness.history import Entry, History
from chaos_harness.harness.history.differences import Difference
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.generated_policies import GeneratedPolicies, read_generated
from chaos_harness.harness.history.spans import Span, Spans, longer_than
from chaos_harness.harness.history.vocabulary import DECIDED, RACE, WATCH_BINDINGS, WATCH_POLICIES, WATCH_TEMPLATES
from chaos_harness.harness.policies.generation_rules import Rules
from chaos_harness.harness.statistics import Interval, wilson
from chaos_harness.harness.verdict import Verdict

__all__ = ["never_orphaned", "no_orphan_stays"]


@identified
def never_orphaned(late: float = 5.0, *, gatekeeper: str = "") -> Check:
    """Return the check that no repetition left a policy or binding that nothing asks for.

    A repetition lasts from its DECIDED mark to the next one, or to the end, or until the policy is asked for again; an
    orphan is what existed for more than `late` seconds of it, whenever it came and went. The figures give the number of
    repetitions and orphans, the rate with its confidence interval (which covers all outcomes of those that were not
    seen), and how long the oldest orphan lasted. Inconclusive: no repetition was decided, or one without an orphan was
    not fully seen. What is asked for is read as in `policies_match`.
    """
    given = Rules.of(gatekeeper) if gatekeeper else None

    def check(recorded: History) -> Verdict:
        marks = _Marks()
        generated = read_generated(recorded, given, marks)
        if generated is None:
            return NO_GATEKEEPER
        end = generated.window[1]
        times = [_Time(generated, *span, span) for span in pairwise([*marks.decided, end])]
        return _judge(times, generated, late, f"{len(times)} repetitions were decided")

    check.__name__ = f"no race leaves an orphan for {late:g} s"
    return Check(check)


@identified
def no_orphan_stays(late: float = 15.0, *, gatekeeper: str = "") -> Check:
    """Return the check that no policy or binding stays whose template refuses it, once all pods observed that.

    A repetition is a time of at least `late` seconds in which a template refuses a policy and all pods report its
    newest generation. An orphan is what exists for `late` seconds of it: the controller has nothing left to do then, so
    nothing will remove it. Figures are those of `never_orphaned`. Inconclusive: there was no such time, or one, or an
    orphan in one, may have been missed.
    """
    given = Rules.of(gatekeeper) if gatekeeper else None

    def check(recorded: History) -> Verdict:
        generated = read_generated(recorded, given)
        if generated is None:
            return NO_GATEKEEPER
        times: list[_Time] = []
        hidden = generated.unseen(WATCH_TEMPLATES, longer_than=late).get(WATCH_TEMPLATES, Spans())
        for policy, known in generated.refused():
            for perhaps in known.possible.within(*generated.window).longer_than(late):
                certain = known.yes.within(*perhaps).longer_than(late)
                times += [_Time(generated, *span, perhaps, policy) for span in certain]
                hidden |= Spans() if certain else Spans.of([perhaps])
        words = f"{len(times)} times a template that refuses a policy was seen by all pods"
        return _judge(times, generated, late, words, hidden=hidden)

    check.__name__ = f"no orphan stays for {late:g} s of a policy that nobody asks for"
    return Check(check)


class _Marks(Reader):
    """When the repetitions were decided; a reader (see `following`)."""

    def __init__(self) -> None:
        self.decided: list[float] = []

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process == RACE else None

    def _take(self, entry: Entry) -> None:
        if entry.f == DECIDED:
            self.decided.append(entry.at)


@dataclass(frozen=True, eq=False)
class _Time:
    """The time of one repetition, certain and possible, of one policy or ("") of all until they are asked for again."""

    generated: GeneratedPolicies
    since: float
    until: float
    perhaps: Span
    policy: str = ""

    @property
    def words(self) -> str:
        """Its description in evidence."""
        return f"; all pods had seen that by {self.since:.1f} s" if self.policy else ""

    def left(self, late: float) -> Iterator[tuple[Difference, Spans]]:
        """Yield the orphans that were seen in it for more than `late` seconds, and when."""
        for orphan in self._orphans():
            there = orphan.certain.within(self.since, self._ends(orphan)[0])
            if seen := longer_than(there, late, self.generated.coverage.blind):
                yield orphan, seen

    def doubt(self, late: float) -> str:
        """Return why it is not known that no orphan stayed for more than `late` seconds of it; "" if it is known."""
        begin, end = self.perhaps
        maybe = (min(orphan.until, self._ends(orphan)[1]) - max(orphan.since, begin) for orphan in self._orphans())
        unseen = self.generated.unseen(WATCH_POLICIES, WATCH_BINDINGS).values()
        if self.until - self.since < late:
            return f"shorter than {late:g} s"
        if min(self.generated.window[0], end) - begin > late:
            return "begun before the first list was read"
        if any(seconds > late for seconds in maybe):
            return f"perhaps with an orphan for more than {late:g} s"
        if any(spans.within(begin, end).longest > late for spans in unseen):
            return f"with policies or bindings not seen for more than {late:g} s"
        return ""

    def _orphans(self) -> Iterator[Difference]:
        return (orphan for orphan in self.generated.orphans if self.policy in ("", orphan.kind.policy))

    def _ends(self, orphan: Difference) -> Span:
        """Return when an orphan no longer counts, perhaps and certainly."""
        if self.policy:
            return self.until, self.perhaps[1]
        perhaps, certainly = self.generated.asked_anew(orphan.kind.policy, self.since)
        return min(perhaps, self.until), min(certainly, self.until)


def _judge(
    times: list[_Time],
    generated: GeneratedPolicies,
    late: float,
    words: str,
    *,
    hidden: Spans = Spans(),  # noqa: B008 - it is frozen
) -> Verdict:
    """Return the verdict on these times; others may exist where changes of templates were `hidden`."""
    unseen = lacking(generated, late)
    if not times:
        return Verdict("inconclusive", "; ".join(filter(None, (words, unseen))))
    left = {time: orphans for time in times if (orphans := list(time.left(late)))}
    doubts = Counter(doubt for time in times if time not in left and (doubt := time.doubt(late)))
    doubtful = doubts.total()
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
    sentences = [f"{orphaned} of {seen} repetitions left an orphan: {rate.percent()}"]
    if doubtful or outcome == "inconclusive":
        undecided = ", ".join(f"{count} {doubt}" for doubt, count in doubts.items())
        sentences += [f"{words}, of which {doubtful} are undecided: {undecided}"] * bool(doubtful)
        sentences += [f"when templates refused theirs is not known from {hidden}"] * bool(hidden)
        sentences.append(unseen)
    causes = known_causes(orphan.kind.cause for orphans in left.values() for orphan, _ in orphans)
    return Verdict(outcome, "; ".join(filter(None, sentences)), evidence, figures, first, causes)
