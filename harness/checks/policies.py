"""Policies: checks on whether what Gatekeeper generated is what templates and constraints ask for."""

from harness.checks import Checked
from harness.checks.differences import Difference, Differences
from harness.checks.generated import Rules
from harness.history import Recorded
from harness.verdict import Verdict

__all__ = ["policies_match"]

_LATE_SECONDS = 60.0
_SHOWN = 8


def policies_match(late: float = _LATE_SECONDS, *, gatekeeper: str = "") -> Checked:
    """Return the check that policies and bindings are those that templates and constraints ask for.

    What they ask for depends on Gatekeeper's version and flags: those of its Deployments in the history, or the
    defaults of the version `gatekeeper`.
    They may be `late` seconds late: from v3.18 on a binding waits 30 s for the definition of its constraint. Violated:
    an orphan or something missing was there for longer. Inconclusive: it may have been, in a gap of a watch; the
    history ends with a younger one; a list was not watched; nothing was ever asked for. Raises BadScenario for a
    version that does not generate by the field `generateVAP`.
    """
    given = Rules.of(gatekeeper) if gatekeeper else None

    def check(recorded: Recorded) -> Verdict:
        rules = given or Rules.read(recorded)
        if rules is None:
            return Verdict("inconclusive", "no Gatekeeper was seen that generates policies by the field generateVAP")
        return _judge(Differences(recorded, rules), late)

    check.__name__ = f"generated policies match, at most {late:g} s late"
    return Checked(check)


def _judge(found: Differences, late: float) -> Verdict:
    standing = [each for each in found.all if not each.over]
    figures = {
        "longest_difference_seconds": round(max((each.age for each in found.all), default=0.0), 3),
        "orphans": float(sum(each.orphan for each in standing)),
        "missing": float(sum(not each.orphan for each in standing)),
    }
    if old := [each for each in found.all if each.certain > late]:
        first = min(each.since for each in old) + late
        return Verdict("violated", f"{_counted(old)} for more than {late:g} s", _told(old), figures, first)
    if doubtful := [each for each in found.all if each.age > late]:
        return Verdict("inconclusive", f"{_counted(doubtful)}, perhaps for {late:g} s", _told(doubtful), figures)
    if standing:
        return Verdict("inconclusive", f"{_counted(standing)}, too young to judge", _told(standing), figures)
    if unknown := _unknown(found, late):
        return Verdict("inconclusive", unknown, (), figures)
    longest = figures["longest_difference_seconds"]
    summary = f"{len(found.asked)} policies and bindings were as asked for, at most {longest:.1f} s late"
    return Verdict("holds", summary, (), figures)


def _unknown(found: Differences, late: float) -> str:
    """Return why nothing can be said of a history in which no difference was seen, or ""."""
    if found.unwatched:
        return f"{', '.join(sorted(found.unwatched))} were not watched"
    if found.began is None:
        return "templates, constraints, policies and bindings were never all seen at once"
    if found.longest_gap > late:
        return f"nothing could be seen for {found.longest_gap:.1f} s"
    return "" if found.asked else "no template ever asked for a policy, and none was there"


def _counted(differences: list[Difference]) -> str:
    kinds = [each.kind.how for each in differences]
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    return ", ".join(f"{count} {_plural(kind) if count > 1 else kind}" for kind, count in counts.items())


def _plural(kind: str) -> str:
    return f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s"


def _told(differences: list[Difference]) -> tuple[str, ...]:
    lines = [str(each) for each in sorted(differences, key=lambda each: -each.age)]
    more = len(lines) - _SHOWN
    return (*lines[:_SHOWN], f"and {more} more") if more > 0 else tuple(lines)
