"""Markdown: the overview as a text file, for a pull request, a chat, or a page of CI."""

from collections.abc import Iterator

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.redaction import redact
from chaos_harness.reports.allure.categories import issue_url
from chaos_harness.reports.overview import words
from chaos_harness.reports.overview.effects import KINDS, FaultEffect
from chaos_harness.reports.overview.run import ExperimentOverview, RunOverview, Standing, claims_of, standing
from chaos_harness.reports.truth.verdict_lines import VerdictLine

__all__ = ["render_markdown"]

_TITLES: dict[Standing, str] = {
    "surprise": "Surprises",
    "broken": "Broken by the harness, which says nothing about Gatekeeper",
    "inconclusive": "Inconclusive, which is no pass",
    "known": "Known defects that reproduced",
    "predicted": "Violated as predicted",
}
_MOST_CLAIMS = 20
_SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_[]<>|#"})


def render_markdown(run: RunOverview) -> str:
    """Return the overview as Markdown."""
    ending = words.describe_ending(run)
    parts = [
        f"# {_text(words.headline(run))}",
        f"**{_text(ending)}.**" if ending else "",
        *(f"{_text(words.describe_worst(run, kind))}." for kind in KINDS if words.worst_loss(run, kind)),
        f"{_text(words.sum_up_claims(run))}.",
        " · ".join(map(_text, ["; ".join(words.describe_shapes(run)) or "No experiment", run.name, words.when(run)])),
        *(_section(run, which) for which in _TITLES),
        _faults(run),
        _again(run),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _section(run: RunOverview, which: Standing) -> str:
    pairs = run.of(which)
    if not pairs:
        return ""
    lines = [_claim(experiment, line) for experiment, line in pairs[:_MOST_CLAIMS]]
    lines += [f"- and {len(pairs) - _MOST_CLAIMS} more"] if len(pairs) > _MOST_CLAIMS else []
    return "\n".join([f"## {_TITLES[which]}", "", *lines])


def _claim(experiment: ExperimentOverview | None, line: VerdictLine) -> str:
    where = experiment.title if experiment else line.test
    address = issue_url(line.issue or "")
    issue = f" ([{_text(words.short_issue(line))}]({address}))" if address else ""
    expected = f"expected {line.expected}, seen {line.outcome}: " if standing(line) == "surprise" else ""
    said = f"{expected}{line.broken or line.summary}"
    return f"- {_text(line.claim or line.test)}{issue}: {_text(said)} ({_text(where)})"


def _faults(run: RunOverview) -> str:
    rows = [row for experiment, effect in run.effects for row in _row(experiment, effect)]
    if not rows:
        return ""
    head = "| fault | bypassed | refused | answers before | during | after | enforced again | why | not seen |"
    return "\n".join(["## What each fault cost, worst first", "", head, "|---|---|---|---|---|---|---|---|---|", *rows])


def _row(experiment: ExperimentOverview, effect: FaultEffect) -> Iterator[str]:
    lost = []
    for kind in KINDS:
        losses = [": ".join((loss.policy, ", ".join(words.describe_loss(loss)))) for loss in effect.of(kind)]
        none = (
            "nobody asked"
            if not effect.asked
            else "none seen"
            if words.describe_unseen(effect)
            else f"0 of {effect.asked:,}"
        )
        lost.append("; ".join(losses) or none)
    times = [words.describe_times(answered) for answered in (effect.before, effect.during, effect.after)]
    cells = [
        f"{' + '.join(effect.names)} ({experiment.title})",
        *lost,
        *times,
        words.describe_recovery(effect),
        words.describe_causes(effect.causes),
        words.describe_unseen(effect),
    ]
    yield f"| {' | '.join(map(_text, cells))} |"


def _again(run: RunOverview) -> str:
    blocks = [
        f"- {_text(experiment.title)}\n\n      {_plain(words.replay_command(experiment.lines))}"
        for experiment in run.experiments
        if claims_of(experiment.lines)
    ]
    return "\n".join(["## Run it again", "", *blocks]) if blocks else ""


def _plain(text: str) -> str:
    return escape_controls(redact(text))


def _text(text: str) -> str:
    return _plain(text).translate(_SPECIAL)
