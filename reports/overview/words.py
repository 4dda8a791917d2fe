"""Words: the sentences and figures of the overview, the same on its page, in Markdown and in the terminal."""

import time
from collections import Counter
from collections.abc import Sequence
from math import isfinite

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.history.losses import LossKind
from chaos_harness.reports.overview.answer_times import AnswerTimes
from chaos_harness.reports.overview.effects import KINDS, FaultEffect, PolicyLoss
from chaos_harness.reports.overview.run import ExperimentOverview, RunOverview, Standing, claims_of, standing
from chaos_harness.reports.picture.summary_text import reproduction_command
from chaos_harness.reports.truth.verdict_lines import VerdictLine

__all__ = [
    "STANDING_WORDS",
    "describe_causes",
    "describe_duration",
    "describe_ending",
    "describe_loss",
    "describe_recovery",
    "describe_shapes",
    "describe_times",
    "describe_unseen",
    "describe_worst",
    "headline",
    "replay_command",
    "short_issue",
    "sum_up_claims",
    "when",
    "worst_loss",
]

STANDING_WORDS: dict[Standing, tuple[str, str, str]] = {
    "surprise": ("✗", "surprise", "surprises"),
    "broken": ("!", "broken by the harness", "broken by the harness"),
    "inconclusive": ("?", "inconclusive", "inconclusive"),
    "known": ("▲", "known defect reproduced", "known defects reproduced"),
    "predicted": ("▲", "violated as predicted", "violated as predicted"),
    "held": ("✓", "held", "held"),
}
"""Mark, singular and plural of each standing of a claim."""

_MOST_CAUSES = 3
_WHAT: dict[LossKind, tuple[str, str]] = {
    "bypassed": ("policy was bypassed", "no policy was bypassed"),
    "refused": ("compliant requests were refused", "no compliant request was refused"),
}
_SHAPE = {"gatekeeper": "Gatekeeper {}", "install": "installed by {}", "kubernetes": "Kubernetes {}"}
_BASELINE = {"gatekeeper": "no Gatekeeper", "kubernetes": "Kubernetes {}"}


def headline(run: RunOverview) -> str:
    """Return the one sentence that says for how long policy was off, or that this was not seen."""
    number = len(run.experiments)
    among = f"{number} experiment{'' if number == 1 else 's'}"
    if not number:
        return "No experiment left a history, so nothing is known about enforcement"
    if all(experiment.problem for experiment in run.experiments):
        return f"The history of {among} cannot be read, so nothing is known about enforcement"
    if not any(effect.asked for _, effect in run.effects):
        return f"No fault was tried on admission in {among}"
    lost = {kind: worst_loss(run, kind) for kind in KINDS}
    but = "" if _is_all_seen(run) else ", as far as was seen"
    if not any(lost.values()):
        return f"No policy was bypassed and no compliant request was refused in {among}{but}"
    parts = [
        f"{_WHAT[kind][0]} for {_brief(worst[1])} at worst" if worst else f"{_WHAT[kind][1]}{but}"
        for kind, worst in lost.items()
    ]
    return _capital(", and ".join(parts))


def worst_loss(run: RunOverview, kind: LossKind) -> tuple[ExperimentOverview, PolicyLoss, FaultEffect] | None:
    """Return the longest loss of one kind, and where it was; None if there was none."""
    losses = [(owner, loss, effect) for owner, effect in run.effects for loss in effect.of(kind)]
    return min(losses, key=lambda one: one[1].badness, default=None)


def describe_worst(run: RunOverview, kind: LossKind) -> str:
    """Return in how many experiments something was lost in one way, and how many requests, after what, and why."""
    worst = worst_loss(run, kind)
    if worst is None:
        return ""
    experiment, loss, effect = worst
    hit = sum(any(effect.of(kind) for effect in one.effects) for one in run.experiments)
    number = len(run.experiments)
    known = [line for line in experiment.lines if standing(line) == "known"]
    issues = dict.fromkeys(map(short_issue, known))
    return (
        f"{_capital(kind)} in {hit} of {number} experiment{'' if number == 1 else 's'}; at worst "
        f"{describe_loss(loss)[1]} about {loss.policy}, after {' + '.join(effect.names)}, because of "
        f"{describe_causes(loss.causes)}" + (f"; known: {', '.join(issues)}" if issues else "")
    )


def sum_up_claims(run: RunOverview) -> str:
    """Return how the claims came out, what a reader must see first coming first."""
    counts = {name: len(run.of(name)) for name in STANDING_WORDS}
    parts = [
        f"{counts[name]} {words[1 + (counts[name] != 1)]}" for name, words in STANDING_WORDS.items() if counts[name]
    ]
    number = len(claims_of(run.lines))
    surprises = [] if counts["surprise"] else ["no surprise"]
    return f"{number} claim{'' if number == 1 else 's'}: {', '.join([*surprises, *parts])}"


def describe_ending(run: RunOverview) -> str:
    """Return what is missing because the run did not come to its end; "" if it did."""
    done = run.tests - len(run.unfinished)
    of = f" of {run.chosen}" if run.chosen else ""
    running = f"; it stopped in {', '.join(run.unfinished)}" if run.unfinished else ""
    match run.ending:
        case "interrupted":
            return f"The run was interrupted: {done}{of} tests came to their end{running}"
        case "killed":
            return f"The run was killed: {done}{of} tests came to their end{running}"
        case "running":
            return f"The run is not over: {done}{of} tests came to their end"
    return f"Not finished: {', '.join(run.unfinished)}" if run.unfinished else ""


def describe_loss(loss: PolicyLoss) -> tuple[str, str]:
    """Return for how long a policy was lost, and in how many requests."""
    perhaps = f", perhaps {loss.perhaps:,} more" if loss.perhaps else ""
    return describe_duration(loss.least, loss.most), f"{loss.lost:,} of {loss.decided:,} requests{perhaps}"


def describe_duration(least: float, most: float) -> str:
    """Return a duration between two bounds, in seconds."""
    if not isfinite(most):
        return f"at least {least:.1f} s"
    low, high = f"{least:.1f}", f"{most:.1f}"
    if low == high:
        return f"{high} s"
    return f"{low} to {high} s" if low != "0.0" else f"up to {high} s"


def describe_recovery(effect: FaultEffect) -> str:
    """Return when what was lost was enforced again, after the fault's begin and after its end."""
    if not effect.losses:
        return "no loss was seen" if describe_unseen(effect) else "nothing was lost"
    if effect.recovered is None:
        return f"not until the end, {effect.end - effect.begin:.1f} s after the fault" if effect.lasted else "not seen"
    after = f"{effect.recovered - effect.begin:.1f} s after the fault"
    if effect.stopped is None or effect.recovered <= effect.stopped:
        return f"{after}, while it lasted"
    if effect.stopped == effect.begin:
        return after
    return f"{effect.recovered - effect.stopped:.1f} s after it was undone ({after})"


def describe_times(times: AnswerTimes) -> str:
    """Return the median and the 99th percentile of answers, or that none was seen."""
    median, late = times.percentile(0.5), times.percentile(0.99)
    return "no answer seen" if median is None or late is None else f"{_time(median)} / {_time(late)}"


def describe_causes(causes: Counter[Cause]) -> str:
    """Return the most frequent causes, with the number of requests that each lost."""
    parts = [f"{name} ({count:,})" for name, count in causes.most_common(_MOST_CAUSES)]
    rest = len(causes) - len(parts)
    return ", ".join(parts) + (f" and {rest} more" if rest > 0 else "")


def describe_unseen(effect: FaultEffect) -> str:
    """Return what of the time of a fault was not seen, or not asked; "" if all was."""
    parts = []
    if effect.unseen:
        seconds = effect.unseen.within(effect.begin, effect.end).total
        parts.append(
            f"{seconds:.1f} s were not seen ({effect.unseen})" if seconds else f"not seen from {effect.unseen}"
        )
    if effect.unanswered:
        parts.append(f"{effect.unanswered:,} requests without a conclusive answer")
    if effect.unasked:
        parts.append(f"nobody asked about {', '.join(effect.unasked)}")
    return "; ".join(parts)


def describe_shapes(run: RunOverview) -> list[str]:
    """Return on which versions the experiments ran, and how many on each, the most frequent first."""
    shapes: Counter[str] = Counter()
    for experiment in run.experiments:
        known = _SHAPE if experiment.shape.get("gatekeeper", True) else _BASELINE
        parts = [words.format(experiment.shape[name]) for name, words in known.items() if name in experiment.shape]
        own = experiment.shape.get("own")
        parts += [f"with changes of your own ({own['digest']})"] if own else []
        shapes[", ".join(parts) or "unknown versions: no verdict names them"] += 1
    many = len(shapes) > 1
    return [f"{words} ({count})" if many else words for words, count in shapes.most_common()]


def replay_command(lines: Sequence[VerdictLine]) -> str:
    """Return the command that runs again the tests of these verdicts, which share an experiment; "" without one."""
    if not lines:
        return ""
    return reproduction_command(dict.fromkeys(line.test for line in lines), lines[0].seed, lines[0].shape)


def short_issue(line: VerdictLine) -> str:
    """Return the issue of a claim without its owner: "gatekeeper#3839"."""
    return (line.issue or "").rpartition("/")[2]


def when(run: RunOverview) -> str:
    """Return when the run began and how long it took."""
    if run.started is None:
        return "at an unknown time"
    begun = time.strftime("%d %b %Y, %H:%M UTC", time.gmtime(run.started))
    return begun if run.ended is None else f"{begun}, {_minutes(run.ended - run.started)}"


def _brief(loss: PolicyLoss) -> str:
    return f"{loss.least:.0f} s" if loss.least >= 1 else describe_duration(loss.least, loss.most)


def _is_all_seen(run: RunOverview) -> bool:
    if any(experiment.cut_off or experiment.problem for experiment in run.experiments):
        return False
    return not any(describe_unseen(effect) for _, effect in run.effects)


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"  # noqa: PLR2004 - an hour


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
