"""Generation: a check on how long Gatekeeper takes to generate the binding that a new constraint asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial, reduce
from math import inf
from operator import and_
from typing import Any

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import LAG, Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.lists import KnownSpans, Lists, any_of
from chaos_harness.harness.history.spans import Span, Spans, when_passed
from chaos_harness.harness.history.vocabulary import CONSTRAINTS, WATCH_BINDINGS
from chaos_harness.harness.policies.generation_rules import Rules
from chaos_harness.harness.verdict import Verdict

__all__ = ["generated_within"]

Object = Mapping[str, Any]

_RULES = [Rules(templates=True, constraints=True, named_by_kind=by_kind) for by_kind in (True, False)]


@identified
def generated_within(seconds: float, constraint: str) -> Check:
    """Return the check that the binding of `constraint` is seen within `seconds` of the constraint itself.

    A binding seen up to 1 s before its constraint counts as generated with it: two watches report one moment in any
    order. A binding that existed before and stays counts at once. A constraint that is deleted sooner needs none. If it
    is created more than once, each time counts, except the last one if its time is not over and there is another. The
    figure `generation_seconds` is how long it took.

    Inconclusive if the constraint never existed for so long or existed before it was watched, if bindings were not seen
    all the time until then, or if the constraint was not seen for longer than `seconds`, so that it may have been
    created once more.
    """

    def check(recorded: History) -> Verdict:
        coverage = Coverage(recorded)
        lists = Lists(coverage, lambda process: process == WATCH_BINDINGS or process.startswith(CONSTRAINTS))
        follow(recorded, coverage, lists)
        limited = recorded.until is not None
        processes = [
            process for process in lists.all if process.startswith(CONSTRAINTS) and constraint in lists[process].turns
        ]
        lives = [life for process in processes for life in _lives(coverage, lists, process, constraint)]
        lasting = [life for life in lives if not life.ends_before(seconds)]
        old = [life for life in lasting if limited or not life.young(seconds)]
        verdicts = [life.judge(seconds, limited=limited) for life in old or lasting]
        if not verdicts:
            return Verdict("inconclusive", f"constraint {constraint} was never seen for {seconds:g} s")
        verdict = reduce(and_, verdicts)
        if verdict.outcome == "holds":
            return _unseen(coverage, lists, processes, constraint, seconds) or verdict
        return verdict

    check.__name__ = f"the binding of {constraint} is generated within {seconds:g} s"
    return Check(check)


@dataclass(frozen=True)
class _Life:
    """One constraint, from when it is known to exist: when it exists (`itself`), and when its `binding` does."""

    name: str
    coverage: Coverage
    span: Span
    itself: KnownSpans
    binding: KnownSpans

    def appears(self, seconds: float) -> Span | None:
        """Return between which moments its binding appeared; one that existed before and stays counts at once."""
        begin, end = self.span
        later = (span for span in self.binding.yes if span[1] > begin and span[0] < end)
        return next((span for span in later if span[0] >= begin - LAG or span[1] >= begin + seconds), None)

    def ends_before(self, seconds: float) -> bool:
        """Whether it was certainly deleted before its time, and no binding came before that."""
        end = self.span[1]
        deleted = any(gone <= end < until for gone, until in self.itself.no)
        return deleted and end < self.made + seconds and self.appears(seconds) is None

    @property
    def made(self) -> float:
        """Until when it certainly did not exist before, in seconds; -inf if that was not seen."""
        return max((gone for _, gone in self.itself.no if gone <= self.span[0]), default=-inf)

    def young(self, seconds: float) -> bool:
        """Whether it was certainly created too late for a binding to be due, and none came in time."""
        appears = self.appears(seconds)
        came = appears is not None and appears[0] - self.made <= seconds
        return self.coverage.ended and self.coverage.until < self.made + seconds and not came

    def judge(self, seconds: float, *, limited: bool) -> Verdict:
        """Return the verdict on it; `limited`: the history ends by choice, and the binding must exist at its end."""
        begin, late = self.span[0], self.span[0] + seconds
        end = self.coverage.until if self.coverage.ended else inf
        due = when_passed(begin, seconds, self.coverage.blind)
        last = end if limited and end < late else due
        appears = self.appears(seconds)
        made = self.made
        old = [span for span in self.binding.yes if made == begin and span[0] < begin - LAG and span != appears]
        absent = not Spans.of([(made, last)]) - (self.binding.no | Spans.of(old))
        absent = absent and not Spans.of([(begin, last)]) - self.itself.yes and end >= last
        figures = {}
        words = f"no binding of {self.name} for {min(end, self.span[1]) - begin:.1f} s"
        if appears is not None:
            took = round(max(0.0, appears[0] - begin), 3)
            figures = {"generation_seconds": took}
            words = f"the binding of {self.name} was generated {took:.1f} s after the constraint was made"
            if appears[0] - made <= seconds:
                return Verdict("holds", words, (), figures)
        if absent:
            return Verdict("violated", words, (), figures, last)
        if end < late:
            return Verdict("inconclusive", f"bindings were watched for only {end - begin:.1f} of {seconds:g} s")
        unseen = self.coverage.unknown([WATCH_BINDINGS], begin, late)
        lacking = unseen_words(self.coverage, [WATCH_BINDINGS], unseen)
        if due > late and not lacking:
            return Verdict("inconclusive", f"{words}, and this machine was starved meanwhile", (), figures)
        return Verdict(
            "inconclusive", lacking or f"when constraint {self.name} or its binding was created was not seen"
        )


def _lives(coverage: Coverage, lists: Lists, process: str, constraint: str) -> list[_Life]:
    itself, bindings = lists[process].known(constraint), lists[WATCH_BINDINGS]
    names = {rules.named(process.removeprefix(CONSTRAINTS), constraint) for rules in _RULES}
    binding = any_of(bindings.known(name, partial(_binds, policy)) for name, policy in names)
    return [_Life(constraint, coverage, span, itself, binding) for span in itself.yes]


def _binds(policy: str, binding: Object) -> bool:
    return bool((binding.get("spec") or {}).get("policyName", policy) == policy)


def _unseen(coverage: Coverage, lists: Lists, processes: list[str], constraint: str, seconds: float) -> Verdict | None:
    """Return an inconclusive verdict if a constraint of this name may have existed unseen for long enough."""
    begin = min((listed.begun for listed in lists.all.values() if listed.begun is not None), default=0.0)
    end = coverage.until if coverage.ended else inf
    for process in processes:
        known = lists[process].known(constraint)
        unseen = Spans.of([(begin, end)]) - known.yes - known.no
        if any(until - since > seconds for since, until in unseen):
            return Verdict("inconclusive", unseen_words(coverage, [process], unseen))
    return None
