"""Generators: a check that some pod of Gatekeeper generates policies, as long as a template asks for one."""

from math import inf

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.policies import NO_GATEKEEPER
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.lists import KnownSpans, Lists, any_of
from chaos_harness.harness.history.rules_by_time import DeployedRules, RulesByTime
from chaos_harness.harness.history.spans import Spans, longer_than
from chaos_harness.harness.history.vocabulary import WATCH_DEPLOYMENTS, WATCH_TEMPLATES
from chaos_harness.harness.verdict import Verdict

__all__ = ["has_generator"]

_LATE_SECONDS = 60.0


@identified
def has_generator(late: float = _LATE_SECONDS) -> Check:
    """Return the check that one of Gatekeeper's Deployments generates, whenever a template asks for a policy.

    From v3.18 on that is an operation of a pod (`--operation=generate`; a pod that is told of no operation has all).
    Without it nothing is missing at first: what was generated stays, and nobody looks after it (gatekeeper#4442).
    Violated if that lasted for more than `late` seconds. Inconclusive: it may have, because Deployments or templates
    were not seen; it is younger than that at the end; no template ever asked.
    """

    def check(recorded: History) -> Verdict:
        coverage = Coverage(recorded)
        deployed, lists = DeployedRules(coverage), Lists(coverage, lambda process: process == WATCH_TEMPLATES)
        follow(recorded, coverage, deployed, lists)
        by_time = deployed.by_time()
        if by_time is None:
            return NO_GATEKEEPER
        asked = _asked(lists, by_time)
        return _judge(coverage, lists, asked, asked & ~deployed.generating(), late)

    check.__name__ = f"a template that asks for a policy has a generator within {late:g} s"
    return Check(check)


def _asked(lists: Lists, by_time: RulesByTime) -> KnownSpans:
    """Return when any template asked for a policy."""
    templates = lists[WATCH_TEMPLATES]
    asking = any_of(
        by_time.known(lambda rules, name=name: templates.known(name, rules.template_asks))  # type: ignore[misc]
        for name in templates.turns
    )
    return KnownSpans(asking.yes, asking.no - templates.unknown)


def _judge(coverage: Coverage, lists: Lists, asked: KnownSpans, lacking: KnownSpans, late: float) -> Verdict:
    listed = lists[WATCH_TEMPLATES]
    end = coverage.until if coverage.ended else inf
    window = (listed.begun or 0.0, end)
    certain, possible = lacking.yes.within(*window), lacking.possible.within(*window)
    figures = {"without_generator_seconds": round(certain.within(-inf, coverage.until).total, 3)}
    if spans := longer_than(certain, late, coverage.blind):
        words = f"no pod generated for more than {late:g} s, from {spans} while a template asked for a policy"
        return Verdict("violated", words, (), figures, spans.parts[0][0] + late)
    doubtful = possible.longer_than(late)
    if doubtful or (possible and possible.parts[-1][1] == end):
        unseen = coverage.unknown([WATCH_DEPLOYMENTS, WATCH_TEMPLATES], *window)
        words = unseen_words(coverage, [WATCH_DEPLOYMENTS, WATCH_TEMPLATES], unseen)
        perhaps = f"whether a pod generated is not known from {doubtful or Spans(possible.parts[-1:])}"
        return Verdict("inconclusive", "; ".join(filter(None, (perhaps, words))), (), figures)
    if not asked.yes.within(*window):
        return Verdict("inconclusive", "no template ever asked for a policy", (), figures)
    return Verdict("holds", "a pod generated whenever a template asked for a policy", (), figures)
