"""Races: how often, of all repetitions that a scenario marked, an orphan was left behind."""

from itertools import pairwise

from harness.checks import Checked
from harness.checks.differences import Difference, Differences
from harness.checks.generated import Rules
from harness.history import Recorded
from harness.statistics import wilson
from harness.verdict import Verdict

__all__ = ["DECIDED", "RACE", "never_orphaned"]

RACE, DECIDED = "race", "decided"
"""Marks of this process, in a history: from here on nothing more is asked to change in this repetition."""


def never_orphaned(late: float = 5.0, *, gatekeeper: str = "") -> Checked:
    """Return the check that no repetition left a policy or binding that nobody asks for.

    An orphan is one that was there for `late` seconds after its repetition was decided, also if it went afterwards. The
    figures tell how many of how many, the rate with its confidence interval, and how long the oldest lasted.
    Inconclusive: no repetition was decided, one was not watched for so long, or not all was watched. What is asked
    for is read as by `policies_match`.
    """
    given = Rules.of(gatekeeper) if gatekeeper else None

    def check(recorded: Recorded) -> Verdict:
        rules = given or Rules.read(recorded)
        if rules is None:
            return Verdict("inconclusive", "no Gatekeeper was seen that generates policies by the field generateVAP")
        found = Differences(recorded, rules)
        decided = [each.at for each in recorded.entries if each.process == RACE and each.f == DECIDED]
        short = sum(after - before < late for before, after in pairwise([*decided, found.end]))
        if not decided or short or found.began is None or found.unwatched or found.longest_gap > late:
            return Verdict("inconclusive", f"{len(decided)} repetitions were decided, {short} watched too briefly")
        orphans = [left for moment in decided if (left := _orphans(found, moment, late))]
        rate = wilson(len(orphans), len(decided))
        ages = [each.until - moment for moment in decided for each in _orphans(found, moment, late)]
        figures = {
            "repetitions": float(len(decided)),
            "orphaned": float(len(orphans)),
            "orphan_rate": rate.estimate,
            "orphan_rate_low": rate.low,
            "orphan_rate_high": rate.high,
            "oldest_orphan_seconds": round(max(ages, default=0.0), 3),
        }
        words = f"{len(orphans)} of {len(decided)} repetitions left an orphan: {rate.percent()}"
        evidence = tuple(str(each) for left in orphans for each in left)
        return Verdict("violated" if orphans else "holds", words, evidence, figures)

    check.__name__ = f"no race leaves an orphan for {late:g} s"
    return Checked(check)


def _orphans(found: Differences, decided: float, late: float) -> list[Difference]:
    """Return what was there and not asked for all the time from a moment on until `late` seconds after it."""
    return [each for each in found.at(decided) if each.orphan and each.until - decided > late]
