"""Recovery: checks on how pods come back, in phases: harmed, pull asked, started, Ready, serving admission again."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from operator import and_

from harness.checks import Checked
from harness.checks.reading import Harm, Life, Reading, Review, Span
from harness.history import Recorded
from harness.verdict import Verdict

__all__ = ["Recovery", "recoveries", "recovers_after", "recovers_within", "undisturbed"]

_CANARIES_PER_SECOND = 0.5
_LONGEST_SILENCE_SECONDS = 10.0
_UNASKED_SECONDS = 5.0
_MOMENT_SECONDS = 1.0


@dataclass(frozen=True)
class Recovery:
    """How one harmed pod, or the one that replaced it, came back; moments are seconds of the history.

    `asked`: the kubelet told that it pulls the image. `started`: a new container runs. `ready`: the pod is
    Ready with it. `serving`: the Service sends it requests and, asked by itself, it denied what it must;
    for a pod that is no webhook this is `ready`. None: that was never seen. `waited_for` are the reasons
    that the kubelet gave meanwhile, `error` what it said of the first pull that failed.
    """

    harm: Harm
    pod: str
    node: str
    asked: float | None
    started: float | None
    ready: float | None
    serving: float | None
    waited_for: tuple[str, ...]
    error: str = ""

    @property
    def phases(self) -> str:
        """The phases in words, in seconds since the harm."""
        moments = {"pull asked": self.asked, "started": self.started, "Ready": self.ready, "serving": self.serving}
        told = [f"{name} {'never' if at is None else f'{at - self.harm.at:.1f} s'}" for name, at in moments.items()]
        reasons = f" ({', then '.join(self.waited_for)})" if self.waited_for else ""
        return f"{self.pod} on {self.node}, {self.harm.how}: {', '.join(told)}{reasons}"

    def figures(self, until: float = math.inf) -> dict[str, float]:
        """Return the phases that were seen `until` then, in seconds since the harm, the last one first."""
        moments = {"serving": self.serving, "ready": self.ready, "started": self.started, "asked": self.asked}
        seen = {name: at for name, at in moments.items() if at is not None and at <= until}
        return {f"{name}_seconds": round(at - self.harm.at, 3) for name, at in seen.items()}


def recoveries(reading: Reading, how: str) -> list[Recovery]:
    """Return how each pod that was harmed in the way `how` came back."""
    taken: set[str] = set()
    found = []
    for harm in (each for each in reading.harms if each.how == how):
        uid = harm.uid
        life = reading.pods.get(uid)
        if how == "rescheduled":
            uid, life = _replacement(reading, harm, taken) or ("", None)
            taken.add(uid)
        found.append(_recovery(reading, harm, uid, life))
    return found


def recovers_within(seconds: float, how: str, *, during: str = "cut registry") -> Checked:
    """Return the check that every pod harmed in the way `how` serves again within `seconds`, while `during` lasts.

    Violated: one does not, though the fault lasted and Gatekeeper was asked all the time. Inconclusive:
    nobody was harmed, the fault is not proved or ended too early, a replacement came to the same node,
    or too few questions were asked.
    """

    def check(recorded: Recorded) -> Verdict:
        reading = Reading(recorded)
        return _all((_within(reading, each, seconds, during) for each in recoveries(reading, how)), f"no pod was {how}")

    check.__name__ = f"pods {how} recover within {seconds:g} s during {during}"
    return Checked(check)


def recovers_after(seconds: float, how: str, *, fault: str = "cut registry") -> Checked:
    """Return the check that pods harmed in the way `how` serve again within `seconds` of the end of `fault`.

    Its figure `after_heal_seconds` is how slow back-off makes that (0: it served before).
    """

    def check(recorded: Recorded) -> Verdict:
        reading = Reading(recorded)
        ends = [span.healing for span in reading.spans_of(fault) if span.healing is not None]
        if not ends:
            return Verdict("inconclusive", f"{fault} was never healed, or never proved")
        return _all(
            (_after(reading, each, seconds, ends[-1]) for each in recoveries(reading, how)), f"no pod was {how}"
        )

    check.__name__ = f"pods {how} recover within {seconds:g} s after {fault}"
    return Checked(check)


def undisturbed(*, during: str = "cut registry") -> Checked:
    """Return the check that pods to which nothing was done stay as they are while `during` lasts.

    They stay Ready, with the same container, and webhook pods among them are never silent for longer
    than 10 s when they are asked, while the API server, through which they are asked, answers others.
    Inconclusive: none was left alone or asked, the fault is not proved, or nobody knows whether one was silent.
    """

    def check(recorded: Recorded) -> Verdict:
        reading = Reading(recorded)
        spans = reading.spans_of(during)
        if not spans or spans[-1].proved is None:
            return Verdict("inconclusive", f"{during} was not proved")
        harmed = {harm.uid for harm in reading.harms}
        left = {
            uid: life
            for uid, life in reading.pods.items()
            if uid not in harmed and (pod := life.at(spans[-1].injected)) and pod.ready and not pod.deleted
        }
        return _all((_left_alone(reading, uid, each, spans[-1]) for uid, each in left.items()), "no pod was left alone")

    check.__name__ = f"pods left alone are undisturbed during {during}"
    return Checked(check)


def _replacement(reading: Reading, harm: Harm, taken: Iterable[str]) -> tuple[str, Life] | None:
    for uid, life in reading.pods.items():
        if life.owner == harm.owner and life.seen[0].at >= harm.at and uid not in taken:
            return uid, life
    return None


def _recovery(reading: Reading, harm: Harm, uid: str, life: Life | None) -> Recovery:
    seen = [each for each in (life.seen if life else ()) if each.at >= harm.at and not each.pod.deleted]
    fresh = [each for each in seen if each.pod.container and each.pod.container not in harm.containers]
    started = fresh[0].at if fresh else None
    ready = next((each.at for each in fresh if each.pod.ready), None)
    serving = ready
    if started is not None and ready is not None and life and life.webhook:
        rotation, answered = reading.in_rotation(uid, ready), reading.answered(uid, started)
        serving = None if rotation is None or answered is None else max(rotation, answered)
    reasons = [each.pod.waiting for each in seen if each.pod.waiting and (ready is None or each.at < ready)]
    return Recovery(
        harm=harm,
        pod=life.name if life else "no replacement",
        node=(life.node if life else "") or "no node",
        asked=reading.asked_to_pull(uid, harm.at),
        started=started,
        ready=ready,
        serving=serving,
        waited_for=tuple(dict.fromkeys(reasons)),
        error=reading.pull_error(uid, harm.at),
    )


def _within(reading: Reading, found: Recovery, seconds: float, during: str) -> Verdict:
    harm, told = found.harm, (found.phases, *filter(None, [found.error]))
    limit = harm.at + seconds
    span, figures = _around(reading, during, harm.at), found.figures(limit)
    if span is None:
        return Verdict("inconclusive", f"{during} was not proved when {harm.pod} was {harm.how}", told, figures)
    if harm.how == "rescheduled" and found.node == harm.node:
        return Verdict("inconclusive", f"{found.pod} came to the node {harm.node}, too, not to another", told, figures)
    lasted = span.healing if span.healing is not None else reading.end
    if found.serving is not None and found.serving <= min(limit, lasted):
        took = found.serving - harm.at
        return Verdict("holds", f"{found.pod} serves again {took:.1f} s after it was {harm.how}", told, figures)
    if lasted < limit:
        watched = lasted - harm.at
        return Verdict(
            "inconclusive", f"{during} lasted only {watched:.1f} of {seconds:g} s after {harm.pod} was {harm.how}", told
        )
    asked = sum(1 for at in reading.canaries if harm.at <= at <= limit)
    if asked < seconds * _CANARIES_PER_SECOND:
        return Verdict("inconclusive", f"Gatekeeper was asked only {asked} times in {seconds:g} s", told)
    return Verdict(
        "violated", f"{found.pod} does not serve {seconds:g} s after {harm.pod} was {harm.how}", told, figures, limit
    )


def _after(reading: Reading, found: Recovery, seconds: float, end: float) -> Verdict:
    if found.serving is not None and found.serving <= end + seconds:
        took = max(0.0, found.serving - end)
        words = f"{found.pod} serves again {took:.1f} s after the end" if took else f"{found.pod} served before the end"
        return Verdict("holds", words, (found.phases,), {"after_heal_seconds": round(took, 3), **found.figures()})
    if reading.end < end + seconds:
        return Verdict(
            "inconclusive", f"{found.pod} was watched for only {reading.end - end:.1f} s after the end", (found.phases,)
        )
    words = f"{found.pod} does not serve {seconds:g} s after the end"
    return Verdict("violated", words, (found.phases,), at=end + seconds)


def _left_alone(reading: Reading, uid: str, life: Life, span: Span) -> Verdict:
    end = span.healing if span.healing is not None else reading.end
    before = life.at(span.injected)
    for sighting in life.seen:
        pod = sighting.pod
        changed = pod.deleted or not pod.ready or (before is not None and pod.container != before.container)
        if span.injected < sighting.at <= end and changed:
            what = "is being deleted" if pod.deleted else "is not Ready" if not pod.ready else "was restarted"
            words = f"{life.name} {what} {sighting.at - span.injected:.1f} s after the fault"
            return Verdict("violated", words, at=sighting.at)
    if not life.webhook:
        return Verdict("holds", f"{life.name} stayed Ready")
    asked = [each for each in reading.reviews if each.uid == uid and span.injected <= each.answered <= end]
    if not asked:
        return Verdict("inconclusive", f"{life.name} was not asked during the fault")
    answers = [span.injected, *(each.answered for each in asked if each.outcome == "ok"), end]
    longest = max(later - earlier for earlier, later in pairwise(answers))
    figures = {"longest_silence_seconds": round(longest, 3)}
    since = _silent(reading, asked, span.injected)
    if since is not None:
        silence = next(at for at in answers if at > since) - since
        words = f"{life.name} stayed Ready but was silent for {silence:.1f} s"
        return Verdict("violated", words, (), figures, since + _LONGEST_SILENCE_SECONDS)
    if longest > _LONGEST_SILENCE_SECONDS:
        words = f"nothing is known of {life.name} for {longest:.1f} s: it was not asked, or nobody was answered"
        return Verdict("inconclusive", words, (), figures)
    return Verdict("holds", f"{life.name} stayed Ready and answered {len(answers) - 2} of {len(asked)}", (), figures)


def _silent(reading: Reading, asked: Iterable[Review], begin: float) -> float | None:
    """Return since when a replica was silent for too long, or None.

    Each question goes through the API server: while that answers nobody, or no question is asked, nothing is known.
    """
    since = last = begin
    for each in asked:
        if each.outcome == "ok" or not reading.heard(min(each.asked, each.answered - _MOMENT_SECONDS), each.answered):
            since = each.answered
        elif each.asked - last > _UNASKED_SECONDS:
            since = each.asked
        elif each.answered - since > _LONGEST_SILENCE_SECONDS:
            return since
        last = each.answered
    return None


def _around(reading: Reading, fault: str, moment: float) -> Span | None:
    """Return the proved fault that was in force at `moment`."""
    for span in reading.spans_of(fault):
        if span.proved is not None and span.proved <= moment and (span.healing is None or moment <= span.healing):
            return span
    return None


def _all(verdicts: Iterable[Verdict], none: str) -> Verdict:
    """Return the verdict on all; of one figure of several pods the largest; inconclusive if there is none."""
    found = list(verdicts)
    if not found:
        return Verdict("inconclusive", none)
    figures: dict[str, float] = {}
    for verdict in found:
        for name, value in verdict.figures.items():
            figures[name] = max(value, figures.get(name, value))
    return replace(reduce(and_, found), figures=figures)
