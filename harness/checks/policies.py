"""Policies: checks that Gatekeeper generated what templates and constraints ask for."""

from collections import Counter

from chaos_harness.harness.causes import Cause, known_causes
from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.differences import Difference
from chaos_harness.harness.history.generated_policies import GeneratedPolicies, read_generated
from chaos_harness.harness.history.spans import Spans, longer_than
from chaos_harness.harness.policies.generation_rules import Rules
from chaos_harness.harness.verdict import Verdict

__all__ = ["NO_GATEKEEPER", "lacking", "policies_match"]

NO_GATEKEEPER = Verdict("inconclusive", "no Gatekeeper was seen that generates policies by the field generateVAP")

_LATE_SECONDS = 60.0
_SHOWN = 8


@identified
def policies_match(late: float = _LATE_SECONDS, *, gatekeeper: str = "") -> Check:
    """Return the check that policies and bindings are those that templates and constraints ask for.

    They are compared by name and by what Gatekeeper takes over word for word: expressions, actions, parameters. What
    is asked for depends on Gatekeeper's version and flags: those of its Deployments at each moment of the history, or
    the defaults of the version `gatekeeper`. While those that generate are upgraded, either version may be right.
    They may be `late` seconds late: from v3.18 on a binding waits 30 s for the definition of its constraint. Violated:
    an orphan, something missing or something altered was there for longer; in a part of a history that is limited by
    `within`, also what is there at its end. Inconclusive: it may have been, while a list was not seen; the history
    ends with a younger one; a list was not watched; nothing was ever asked for. Raises BadScenario for a version that
    does not generate by the field `generateVAP`.
    """
    given = Rules.of(gatekeeper) if gatekeeper else None

    def check(recorded: History) -> Verdict:
        generated = read_generated(recorded, given)
        if generated is None:
            return NO_GATEKEEPER
        return _judge(generated, late, limited=recorded.until is not None)

    check.__name__ = f"generated policies match, at most {late:g} s late"
    return Check(check)


def lacking(generated: GeneratedPolicies, late: float) -> str:
    """Return which lists were not watched, or not seen for longer than `late` seconds, or ""."""
    if generated.unwatched:
        return f"{', '.join(generated.unwatched)} were not watched"
    unseen = generated.unseen(longer_than=late)
    never = [f"{process} was never seen" for process in generated.never_seen() if process not in unseen]
    return ", ".join(
        (*never, *(unseen_words(generated.coverage, [process], spans) for process, spans in unseen.items()))
    )


def _judge(generated: GeneratedPolicies, late: float, *, limited: bool) -> Verdict:
    differences = generated.differences
    seen = [difference for difference in differences if difference.certain]
    standing = [difference for difference in seen if not difference.over]
    figures = {
        "longest_difference_seconds": round(
            max((_finite(difference, generated.coverage) for difference in seen), default=0.0), 3
        ),
        "orphans": float(sum(difference.kind.orphan for difference in standing)),
        "missing": float(sum(difference.kind.missing for difference in standing)),
        "altered": float(sum(difference.kind.altered for difference in standing)),
    }
    long = [(difference, longer_than(difference.certain, late, generated.coverage.blind)) for difference in seen]
    if old := [difference for difference, spans in long if spans]:
        first = min(spans.parts[0][0] for _, spans in long if spans) + late
        words = f"{_counted(old)} for more than {late:g} s"
        return Verdict("violated", words, _told(old), figures, first, _causes(old))
    if limited and (still := [difference for difference in seen if difference.stands]):
        at = generated.window[1]
        return Verdict(
            "violated",
            f"{_counted(still)} when the time limit was reached",
            _told(still),
            figures,
            at,
            _causes(still),
        )
    words, doubted = _doubts(generated, late)
    if words:
        return Verdict("inconclusive", words, _told(doubted), figures)
    longest = figures["longest_difference_seconds"]
    summary = f"{len(generated.asked)} policies and bindings were as asked for, at most {longest:.1f} s late"
    return Verdict("holds", summary, (), figures)


def _doubts(generated: GeneratedPolicies, late: float) -> tuple[str, list[Difference]]:
    """Return why it is uncertain that no difference lasted too long, and which differences may have."""
    unseen = lacking(generated, late)
    if doubtful := [difference for difference in generated.differences if difference.certain and difference.age > late]:
        words = f"{_counted(doubtful)}, perhaps for {late:g} s"
        return "; ".join(filter(None, (words, unseen))), doubtful
    if young := [difference for difference in generated.differences if difference.certain and not difference.over]:
        return f"{_counted(young)}, too young to judge", young
    if unseen or (unseen := _at_the_end(generated)):
        return unseen, []
    if possible := [difference for difference in generated.differences if difference.age > late or not difference.over]:
        return f"perhaps {_counted(possible)} for {late:g} s, or at the end", possible
    return "" if generated.asked else "no template ever asked for a policy, and no policy existed", []


def _at_the_end(generated: GeneratedPolicies) -> str:
    """Return which lists were not seen at the end, where a difference may be too young to judge, or ""."""
    unseen = {process: Spans(spans.parts[-1:]) for process, spans in generated.unseen().items()}
    end = generated.window[1]
    words = [
        unseen_words(generated.coverage, [process], last) for process, last in unseen.items() if last.parts[0][1] == end
    ]
    return ", ".join(words)


def _finite(difference: Difference, coverage: Coverage) -> float:
    """Return how long a difference lasted at most, in seconds, as far as is recorded."""
    return min(difference.until, coverage.until) - difference.since


def _causes(differences: list[Difference]) -> tuple[Cause, ...]:
    return known_causes(difference.kind.cause for difference in differences)


def _counted(differences: list[Difference]) -> str:
    kinds = {difference.kind.cause: difference.kind for difference in differences}
    counts = Counter(difference.kind.cause for difference in differences)
    return ", ".join(kind.counted(counts[cause]) for cause, kind in kinds.items())


def _told(differences: list[Difference]) -> tuple[str, ...]:
    lines = [str(difference) for difference in sorted(differences, key=lambda difference: -difference.age)]
    more = len(lines) - _SHOWN
    return (*lines[:_SHOWN], f"and {more} more") if more > 0 else tuple(lines)
