"""Fail open: the check on how long, and for how many requests, policies were not enforced."""

import math
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from harness.checks import Checked
from harness.checks.admissions import Admission, Answers, Scene, Span
from harness.checks.causes import UNREAD, inexcusable, named, told, unknown, unless, webhook_of
from harness.history import Recorded
from harness.verdict import Outcome, Verdict

__all__ = ["Loss", "doubted", "evidence", "fail_open_window", "judged", "losses"]

_ENOUGH_PER_SECOND = 0.5
_SILENT_SECONDS = 5.0
_SHOWN = 2
_LATEST = 20


@dataclass
class Window:
    """A run of bad answers of one policy, without a good one in between; moments are seconds of the history.

    Each decision fell between question and answer. So it is `certain` from the first bad answer to the last bad
    question that there was a loss, and `possible` from the last good question before to the first good answer after.
    """

    good_before: float
    first_answered: float
    last_asked: float
    good_after: float | None = None
    lost: list[Admission] = field(default_factory=list)

    @property
    def certain(self) -> tuple[float, float]:
        """From when to when it lasted for certain."""
        return self.first_answered, max(self.first_answered, self.last_asked)

    @property
    def possible(self) -> tuple[float, float]:
        """From when to when it may have lasted; for ever if no good answer came any more."""
        return self.good_before, math.inf if self.good_after is None else self.good_after


@dataclass
class Loss:
    """What one policy lost after one fault had begun, until another one did after its healing.

    `asked` counts answers by the whole second, since the begin, in which they were asked for; `latest` are the last
    ones, and `before_healing` the last ones that were there before healing began. Of those that were `missed`, the
    `excused` do not count.
    """

    policy: str
    fault: str
    begin: float
    end: float = 0.0
    asked: Counter[int] = field(default_factory=Counter)
    missed: list[Admission] = field(default_factory=list)
    excused: set[Admission] = field(default_factory=set)
    unread: set[Admission] = field(default_factory=set)
    windows: list[Window] = field(default_factory=list)
    latest: deque[Admission] = field(default_factory=lambda: deque(maxlen=_LATEST))
    before_healing: deque[Admission] = field(default_factory=lambda: deque(maxlen=_LATEST))

    @property
    def lost(self) -> list[Admission]:
        """What was lost and counts."""
        return [each for each in self.missed if self.counts(each)]

    @property
    def least(self) -> float:
        """Seconds without enforcement, for certain."""
        return _covered(each.certain for each in self.windows)

    @property
    def most(self) -> float:
        """Seconds without enforcement, at most."""
        return _covered(each.possible for each in self.windows)

    def counts(self, each: Admission) -> bool:
        """Whether an answer is neither excused nor of a cause that is not known."""
        return each not in self.excused and each not in self.unread

    def take(self, each: Admission, span: Span) -> None:
        """Take one more answer after the fault `span` had begun."""
        self.end = max(self.end, each.answered)
        if each.kind != "info":
            self.asked[int(each.asked - self.begin)] += 1
            self.latest.append(each)
            if span.healing is None or each.answered <= span.healing:
                self.before_healing.append(each)

    def words(self) -> str:
        """Tell it in one line."""
        but = f"; {len(self.excused)} more are excused by their cause" if self.excused else ""
        but += f"; of {len(self.unread)} more the cause is not known" if self.unread else ""
        lost = self.lost
        if not lost:
            return f"{self.policy}: none of {self.asked.total()} requests after {self.fault}{but}"
        most = f"{self.most:.1f}" if math.isfinite(self.most) else "ever"
        return (
            f"{self.policy}: lost for {self.least:.1f} to {most} s, {len(lost)} of {self.asked.total()} requests, "
            f"{lost[0].asked - self.begin:.1f} s to {lost[-1].answered - self.begin:.1f} s after {self.fault}{but}"
        )

    def figures(self) -> dict[str, float]:
        """Return it in numbers."""
        name = "".join(each if each.isalnum() else "_" for each in self.policy).strip("_").replace("__", "_")
        figures = {f"{name}_lost_requests": float(len(self.lost)), f"{name}_asked_requests": float(self.asked.total())}
        figures[f"{name}_lost_least_seconds"] = round(self.least, 3)
        if math.isfinite(self.most):
            figures[f"{name}_lost_most_seconds"] = round(self.most, 3)
        return figures

    def excuse(self, scene: Scene, causes: Collection[str]) -> None:
        """Leave out what was lost by one of these causes or an `unread` one, and windows of nothing else."""
        names = dict(zip(self.missed, named(self.missed, scene, webhook_of(self.policy)), strict=True))
        self.unread = {each for each, name in names.items() if name == UNREAD}
        self.excused = {each for each, name in names.items() if name in causes}
        self.windows = [window for window in self.windows if any(map(self.counts, window.lost))]


def losses(
    recorded: Recorded, fault: str, policies: Iterable[str] = (), excused: Collection[str] = ()
) -> tuple[list[Loss], Answers]:
    """Return what each policy lost after each fault `fault`: those `policies`, or all that were asked about.

    What was lost by a cause that is `excused` (see `harness.checks.causes`) is left out.
    """
    answers = Answers(recorded)
    wanted, found, flow = set(policies), dict[tuple[str, float], Loss](), dict[str, _Flow]()
    for each in answers:
        if wanted and each.policy not in wanted:
            continue
        if each.policy not in flow:
            flow[each.policy] = _Flow()
        span = answers.scene.during(fault, each.answered)
        loss = None
        if span:
            key = each.policy, span.injected
            if key not in found:
                found[key] = Loss(each.policy, fault, span.injected)
            loss = found[key]
            loss.take(each, span)
        flow[each.policy].take(each, loss)
    for loss in found.values() if excused else ():
        loss.excuse(answers.scene, excused)
    return list(found.values()), answers


def fail_open_window(
    seconds: float, *, fault: str, policies: Iterable[str] = (), excused: Collection[str] = ()
) -> Checked:
    """Return the check that each policy is without enforcement for at most `seconds` after the fault `fault` began.

    Lost is a request that was answered otherwise than the policy demands; how long that lasted is known up
    to the rate of asking, and figures have both bounds, `least` and `most`. Holds if `most` is within
    `seconds`, violated if `least` is not, or, if no second is allowed, any request was lost.

    Inconclusive: in between; the fault is not proved, too few were asked, or the canary fell behind.
    """

    def check(found: list[Loss], scene: Scene) -> Verdict:
        return _verdict(found, scene, seconds)

    name = f"enforcement is lost for at most {seconds:g} s after {fault}{unless(excused)}"
    return judged(name, check, fault, policies, excused)


def judged(
    name: str,
    check: Callable[[list[Loss], Scene], Verdict],
    fault: str,
    policies: Iterable[str],
    excused: Collection[str],
    doubt: Callable[[list[Loss]], str] = lambda _: "",
) -> Checked:
    """Return the check `name` of what was lost after `fault`; inconclusive if nothing, or with `doubt`, can be said."""
    chosen = tuple(policies)

    def judge(recorded: Recorded) -> Verdict:
        found, answers = losses(recorded, fault, chosen, excused)
        problem = _doubts(found, answers, fault, chosen) or doubt(found)
        if problem:
            return Verdict("inconclusive", problem, tuple(each.words() for each in found))
        return check(found, answers.scene)

    judge.__name__ = name
    return Checked(judge)


class _Flow:
    """The answers of one policy, one after the other."""

    def __init__(self) -> None:
        self._good = 0.0
        self._window: Window | None = None

    def take(self, each: Admission, loss: Loss | None) -> None:
        if each.kind == "ok":
            self._good = each.asked
            if self._window:
                self._window.good_after = each.answered
                self._window = None
        elif each.kind == "fail":
            if loss:
                loss.missed.append(each)
            if self._window is None:
                self._window = Window(self._good, each.answered, each.asked)
                if loss:
                    loss.windows.append(self._window)
            self._window.lost.append(each)
            self._window.last_asked = max(self._window.last_asked, each.asked)


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return how long it is that at least one span covers: those of answers that came late lie one upon another."""
    total, until = 0.0, -math.inf
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def _doubts(found: list[Loss], answers: Answers, fault: str, policies: tuple[str, ...]) -> str:
    """Return why nothing can be said of what was lost, or ""."""
    spans = [span for span in answers.scene.spans if span.name == fault]
    if not spans or any(span.proved is None for span in spans):
        return f"{fault} was not proved"
    if answers.fell_behind:
        return answers.fell_behind
    silent = sorted(set(policies) - {each.policy for each in found})
    if silent or not found:
        return f"nobody asked about {', '.join(silent) or 'any policy'} after {fault}"
    for each in found:
        lasted, heard = _watched_until(each, answers.scene) - each.begin, each.end - each.begin
        asked = each.asked.total()
        if asked < max(lasted, heard) * _ENOUGH_PER_SECOND or heard < lasted - _SILENT_SECONDS:
            return (
                f"{each.policy}: {asked} requests were answered in the {lasted:.0f} s after {fault}, "
                f"the last one after {heard:.0f} s: too few to judge"
            )
    return ""


def _watched_until(loss: Loss, scene: Scene) -> float:
    """Return up to when there must be answers: the fault is healed, or policies are removed, or nothing is recorded."""
    ends = [span.healing for span in scene.spans if span.injected == loss.begin]
    ends += [each.until for each in scene.enforced if each.until is not None and each.until > loss.begin]
    return min(end for end in (*ends, scene.end) if end is not None)


def evidence(found: Iterable[Loss], scene: Scene) -> tuple[tuple[str, ...], dict[str, float]]:
    """Return what was lost, in lines and in figures; of one figure of several losses the largest."""
    figures: dict[str, float] = {}
    for each in found:
        for name, value in each.figures().items():
            figures[name] = max(value, figures.get(name, value))
    lines = [each.words() for each in found]
    for each in found:
        lines += told(each.missed, scene, webhook_of(each.policy), _SHOWN)
    return tuple(lines), figures


def doubted(excused: Collection[Admission], unread: Collection[Admission], asked: int) -> str:
    """Return why it is not known that nothing was lost that counts, or ""."""
    return inexcusable(len(excused), asked) or unknown(len(unread))


def _verdict(found: list[Loss], scene: Scene, seconds: float) -> Verdict:
    worst = max(found, key=lambda each: (each.least, len(each.lost)))
    outcome: Outcome = "inconclusive"
    over = [each.lost[0].asked for each in found if each.least > seconds or (each.lost and not seconds)]
    if over:
        outcome = "violated"
    elif all(each.most <= seconds for each in found):
        outcome = "holds"
    doubt = next(filter(None, (doubted(each.excused, each.unread, each.asked.total()) for each in found)), "")
    if outcome == "holds" and doubt:
        return Verdict("inconclusive", f"{doubt}; {worst.words()}", *evidence(found, scene))
    return Verdict(outcome, worst.words(), *evidence(found, scene), min(over, default=None))
