"""Parity: the check that the webhook and the generated policies of the API server decide alike."""

from collections.abc import Iterable
from dataclasses import dataclass

from harness.checks import Checked
from harness.history import Recorded
from harness.history.admissions import Admission, answers
from harness.verdict import Verdict

__all__ = ["enforcement_parity"]

_WEBHOOK, _POLICY = "deny by cel (webhook)", "deny by cel (vap)"
_ASKED = "create violating pod"
_DENIED = ("denied by webhook", "denied by policy")
_ENOUGH = 50
_SHOWN = 5


@dataclass
class Disagreement:
    """A run of rounds in which the two decided differently, from the last agreement before to the next after."""

    begin: float
    end: float
    rounds: int
    said: str

    def words(self) -> str:
        """Tell it in one line."""
        return f"{self.begin:.1f} s to {self.end:.1f} s ({self.rounds} times): {self.said}"


def enforcement_parity(
    seconds: float = 0.0, *, webhook: str = _WEBHOOK, policy: str = _POLICY, enough: int = _ENOUGH
) -> Checked:
    """Return the check that `webhook` and `policy` never decide differently for longer than `seconds` at a time.

    They are compared round by round: in one round the canary asks both the same. A round in which one gave
    no answer is not compared. How long a disagreement lasted is told from the agreement before to that after.
    Inconclusive: they agree, but fewer than `enough` rounds can be compared.
    """

    def check(recorded: Recorded) -> Verdict:
        rounds, found = _compare(answers(recorded), webhook, policy)
        longest = max((each.end - each.begin for each in found), default=0.0)
        figures = {
            "compared_rounds": float(rounds),
            "different_rounds": float(sum(each.rounds for each in found)),
            "longest_difference_seconds": round(longest, 3),
        }
        words = (
            f"{int(figures['different_rounds'])} of {rounds} decisions differ, for at most {longest:.1f} s at a time"
        )
        evidence = tuple(each.words() for each in found[:_SHOWN])
        first = next((each.begin + seconds for each in found if each.end - each.begin > seconds), None)
        if first is None and rounds < enough:
            return Verdict("inconclusive", f"{rounds} rounds can be compared, {enough} are needed to judge")
        return Verdict("holds" if first is None else "violated", words, evidence, figures, first)

    check.__name__ = f"{webhook} and {policy} decide alike"
    return Checked(check)


def _compare(asked: Iterable[Admission], webhook: str, policy: str) -> tuple[int, list[Disagreement]]:
    """Return how many rounds could be compared, and the runs of those that differ."""
    rounds, agreed = 0, 0.0
    found: list[Disagreement] = []
    open_: Disagreement | None = None
    first: Admission | None = None
    for each in asked:
        if each.f != _ASKED or each.policy not in (webhook, policy):
            continue
        if first is None or first.round != each.round or first.policy == each.policy:
            first = each
            continue
        one, other, first = first, each, None
        if "info" in (one.kind, other.kind):
            continue
        rounds += 1
        if (one.outcome in _DENIED) == (other.outcome in _DENIED):
            agreed = min(one.asked, other.asked)
            if open_:
                open_.end, open_ = max(one.answered, other.answered), None
            continue
        if open_ is None:
            open_ = Disagreement(
                agreed, each.answered, 0, f"{one.policy}: {one.outcome}, {other.policy}: {other.outcome}"
            )
            found.append(open_)
        open_.rounds += 1
        open_.end = max(one.answered, other.answered)
    return rounds, found
