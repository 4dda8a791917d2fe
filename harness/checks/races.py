"""Races: how often, of all repetitions, an orphan was left behind when all was decided."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from harness.checks import Checked
from harness.checks.differences import Difference, Differences
from harness.checks.generated import Rules, generates, policy_name
from harness.history import Recorded
from harness.seen import seen_by_all
from harness.statistics import wilson
from harness.verdict import Verdict

__all__ = ["DECIDED", "RACE", "never_orphaned", "no_orphan_stays"]

RACE, DECIDED = "race", "decided"
"""Marks of this process, in a history: from here on nothing more is asked to change in this repetition."""


# The watch of a history, as harness.probes.objects calls it; a test holds it equal.
_TEMPLATES = "watch constrainttemplates"
_UNKNOWN = "no Gatekeeper was seen that generates policies by the field generateVAP"


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
            return Verdict("inconclusive", _UNKNOWN)
        found = Differences(recorded, rules)
        decided = [each.at for each in recorded.entries if each.process == RACE and each.f == DECIDED]
        short = sum(after - before < late for before, after in pairwise([*decided, found.end]))
        if not decided or short or found.began is None or found.unwatched or found.longest_gap > late:
            return Verdict("inconclusive", f"{len(decided)} repetitions were decided, {short} watched too briefly")
        left = {moment: orphans for moment in decided if (orphans := _orphans(found, moment, late))}
        ages = [each.until - moment for moment, orphans in left.items() for each in orphans]
        words, figures = _counted(len(left), len(decided), ages)
        evidence = tuple(str(each) for orphans in left.values() for each in orphans)
        if left:
            return Verdict("violated", words, evidence, figures, min(left) + late)
        return Verdict("holds", words, evidence, figures)

    check.__name__ = f"no race leaves an orphan for {late:g} s"
    return Checked(check)


def no_orphan_stays(late: float = 15.0, *, gatekeeper: str = "") -> Checked:
    """Return the check that no policy or binding is left of a template that refuses one, once all pods have seen it.

    A repetition is a time in which a template refuses a policy and all pods tell of its newest generation; one of less
    than `late` seconds is none. An orphan is what is there for `late` seconds of it: whoever generates has nothing
    left to do, so nothing takes it away. Figures as of `never_orphaned`. Inconclusive: there was no such time, or not
    all was watched.
    """
    given = Rules.of(gatekeeper) if gatekeeper else None

    def check(recorded: Recorded) -> Verdict:
        rules = given or Rules.read(recorded)
        if rules is None:
            return Verdict("inconclusive", _UNKNOWN)
        found = Differences(recorded, rules)
        times = [each for each in _decided(recorded, rules, found.end) if each.until - each.since > late]
        if not times or found.began is None or found.unwatched or found.longest_gap > late:
            return Verdict("inconclusive", f"{len(times)} times a template that refuses a policy was seen by all pods")
        left = [(each, orphan) for each in times for orphan in found.all if each.overlap(orphan) > late]
        ages = [each.overlap(orphan) for each, orphan in left]
        words, figures = _counted(len({each for each, _ in left}), len(times), ages)
        evidence = tuple(f"{orphan}; all pods had seen that by {each.since:.1f} s" for each, orphan in left)
        first = min((max(each.since, orphan.since) + late for each, orphan in left), default=None)
        return Verdict("violated" if left else "holds", words, evidence, figures, first)

    check.__name__ = f"no orphan stays for {late:g} s of a policy that nobody asks for"
    return Checked(check)


def _counted(orphaned: int, repetitions: int, ages: Iterable[float]) -> tuple[str, dict[str, float]]:
    """Return how many repetitions left an orphan, in words and in figures."""
    rate = wilson(orphaned, repetitions)
    figures = {
        "repetitions": float(repetitions),
        "orphaned": float(orphaned),
        "orphan_rate": rate.estimate,
        "orphan_rate_low": rate.low,
        "orphan_rate_high": rate.high,
        "oldest_orphan_seconds": round(max(ages, default=0.0), 3),
    }
    return f"{orphaned} of {repetitions} repetitions left an orphan: {rate.percent()}", figures


@dataclass(frozen=True)
class _Decided:
    """A time in which a template refuses its policy, and all pods have seen that."""

    policy: str
    since: float
    until: float

    def overlap(self, found: Difference) -> float:
        """Return how long, of this time, something of the template's was there that nobody asked for."""
        if not found.orphan or found.kind.name.rpartition(" of ")[2] != self.policy:
            return 0.0
        return min(self.until, found.until) - max(self.since, found.since)


def _decided(recorded: Recorded, rules: Rules, end: float) -> Iterator[_Decided]:
    """Yield these times of all templates that could generate a policy, in the order of their ends."""
    since: dict[str, float] = {}
    for entry in recorded.entries:
        if entry.process != _TEMPLATES or "object" not in entry.value or not generates(entry.value["object"]):
            continue
        template = entry.value["object"]
        name = template["metadata"]["name"]
        settled = entry.f != "DELETED" and not rules.template_asks(template) and seen_by_all(template)
        if settled:
            since.setdefault(name, entry.at)
        elif name in since:
            yield _Decided(policy_name(name), since.pop(name), entry.at)
    yield from (_Decided(policy_name(name), at, end) for name, at in since.items())


def _orphans(found: Differences, decided: float, late: float) -> list[Difference]:
    """Return what was there and not asked for all the time from a moment on until `late` seconds after it."""
    return [each for each in found.at(decided) if each.orphan and each.until - decided > late]
