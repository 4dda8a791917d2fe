"""Unmutated: the check that nothing comes into being without the mutation that a policy demands."""

from collections.abc import Collection

from harness.checks import Checked
from harness.checks.admissions import Admission, Answers, Created
from harness.checks.causes import MUTATION, UNREAD, inexcusable, named, told, unknown, unless
from harness.history import Recorded
from harness.statistics import Interval, wilson
from harness.verdict import Outcome, Verdict

__all__ = ["never_unmutated"]

_ENOUGH = 100
_SHOWN = 5


def never_unmutated(
    policy: str = "mutate pods",
    *,
    during: str = "",
    at_most: float = 0.0,
    excused: Collection[str] = (),
    enough: int = _ENOUGH,
) -> Checked:
    """Return the check that no pod was created without its mutation, neither by a canary nor in the workload.

    It looks at what was created while `policy` was in force and, with `during`, from the begin of that fault until
    another one begins after its healing. `at_most` is the share that may be: it holds if the whole confidence
    interval is below it, and is violated if the whole interval is above; by default one is too many. Misses of the
    canary whose cause is one of `excused` (see `harness.checks.causes`) are told but do not count: "timed out" is
    what a busy machine makes.

    Inconclusive: the fault is not proved, more than a quarter is excused, the canary fell behind, the watch on the
    workload was blind meanwhile, or causes that are not known, since the API server's log was not read to the end,
    decide. Fewer than `enough` that were asked do not prove that it holds, but they can prove that it does not.
    """

    def check(recorded: Recorded) -> Verdict:
        found = _Found(recorded, policy, during, excused)
        return found.problem() or found.verdict(at_most, enough)

    among = f" during {during}" if during else ""
    share = f"at most {100 * at_most:g} % of pods are" if at_most else "no pod is"
    check.__name__ = f"{share} created unmutated{among}{unless(excused)}"
    return Checked(check)


class _Found:
    """What of a history is to be judged."""

    def __init__(self, recorded: Recorded, policy: str, during: str, excused: Collection[str]) -> None:
        self._answers = answers = Answers(recorded)
        self._policy = policy
        self._during = during
        self.asked = 0
        self.missed: list[Admission] = []
        # Which fault a moment belongs to is known before the answers of that moment come.
        for each in answers:
            if each.policy == policy and self._counts(each.asked, each.answered):
                self.asked += each.outcome in ("mutated", "unmutated")
                if each.outcome == "unmutated":
                    self.missed.append(each)
        self.created = [each for each in answers.scene.created if self._counts(each.at, each.at)]
        self.strangers = [each for each in self.created if not each.mutated]
        names = named(self.missed, answers.scene, MUTATION) if excused else []
        self.excused = sum(name in excused for name in names)
        self.unread = names.count(UNREAD)

    def problem(self) -> Verdict | None:
        """Return why nothing can be judged, if so."""
        spans = [span for span in self._answers.scene.spans if span.name == self._during]
        if self._during and not any(span.proved is not None for span in spans):
            return Verdict("inconclusive", f"{self._during} was not proved")
        behind = self._answers.fell_behind
        if behind:
            return Verdict("inconclusive", behind, (), self._figures())
        begin = spans[0].injected if spans else 0.0
        if any(at >= begin for at in self._answers.scene.blind) and not self._bad:
            return Verdict("inconclusive", "the watch on the workload was blind for a while: pods may be missing")
        return None

    def verdict(self, at_most: float, enough: int) -> Verdict:
        """Return the verdict on what can be judged."""
        told_of = [_whose(each) for each in self.strangers[:_SHOWN]]
        evidence = (*told_of, *told(self.missed, self._answers.scene, MUTATION, _SHOWN))
        rate = wilson(self._bad, self._all)
        but = f"; {self.excused} more are excused by their cause" if self.excused else ""
        words = f"{self._bad} of {self._all} pods were created unmutated: {rate.percent()}{but}"
        first = min((*(each.asked for each in self.missed), *(each.at for each in self.strangers)), default=None)
        outcome, doubt = _outcome(self._bad, rate, at_most), inexcusable(self.excused, self.asked)
        if outcome == "violated":
            known = self._bad - self.unread
            doubt = unknown(self.unread) if _outcome(known, wilson(known, self._all), at_most) != outcome else ""
        elif self.asked < enough:
            doubt = f"{self.asked} pods were asked for, {enough} are needed to judge"
        if doubt:
            return Verdict("inconclusive", f"{doubt}; {words}", evidence, self._figures())
        return Verdict(outcome, words, evidence, self._figures(), first if outcome == "violated" else None)

    @property
    def _bad(self) -> int:
        return len(self.missed) + len(self.strangers) - self.excused

    @property
    def _all(self) -> int:
        return self.asked + len(self.created)

    def _figures(self) -> dict[str, float]:
        rate = wilson(self._bad, self._all)
        return {
            "unmutated_pods": float(self._bad),
            "excused_pods": float(self.excused),
            "created_pods": float(self._all),
            "unmutated_percent": round(100 * rate.estimate, 3),
            "unmutated_low_percent": round(100 * rate.low, 3),
            "unmutated_high_percent": round(100 * rate.high, 3),
        }

    def _counts(self, begin: float, end: float) -> bool:
        """Whether a decision between these moments counts: the policy is in force, and the fault meant has begun."""
        scene = self._answers.scene
        if not (scene.in_force(self._policy, begin) and scene.in_force(self._policy, end)):
            return False
        return not self._during or scene.during(self._during, end) is not None


def _outcome(bad: int, rate: Interval, at_most: float) -> Outcome:
    if not at_most:
        return "violated" if bad else "holds"
    if rate.high <= at_most:
        return "holds"
    return "violated" if rate.low > at_most else "inconclusive"


def _whose(pod: Created) -> str:
    seen = "seen after a gap" if pod.in_gap else "seen"
    return f"{pod.at:.2f} s: pod {pod.name} of {pod.owner} {seen} without the mutation"
