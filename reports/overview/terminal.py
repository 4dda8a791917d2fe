"""Terminal: the overview in a few lines of at most 80 columns, for the end of a run."""

import textwrap
from collections.abc import Iterator

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.redaction import redact
from chaos_harness.reports.overview import words
from chaos_harness.reports.overview.effects import KINDS, FaultEffect
from chaos_harness.reports.overview.run import ExperimentOverview, RunOverview, Standing

__all__ = ["render_lines"]

COLUMNS = 80
_MOST_EFFECTS, _MOST_CLAIMS, _MOST_LINES = 3, 5, 3
_SHOWN: tuple[Standing, ...] = ("surprise", "broken", "inconclusive")


def render_lines(run: RunOverview) -> list[str]:
    """Return the lines: what was lost, the worst faults, how the claims came out, and what needs a look."""
    ending = words.describe_ending(run)
    said = [*_wrapped(f"{words.headline(run)}."), *(_wrapped(f"{ending}.") if ending else ())]
    worst = [(owner, effect) for owner, effect in run.effects if effect.losses]
    for experiment, effect in worst[:_MOST_EFFECTS]:
        said += _wrapped(_effect(experiment, effect), "  ")
    if len(worst) > _MOST_EFFECTS:
        said.append(f"  and {len(worst) - _MOST_EFFECTS} more")
    said += _wrapped(f"{words.sum_up_claims(run)}.")
    said += _wrapped(f"known: {', '.join(_issues(run))}.", "  ") if run.of("known") else []
    for which in _SHOWN:
        claims = run.of(which)
        for _, line in claims[:_MOST_CLAIMS]:
            mark, one, _ = words.STANDING_WORDS[which]
            said += _wrapped(
                f"{mark} {one}: {line.claim or line.test}: {line.broken or line.summary}", "  ", _MOST_LINES
            )
        if len(claims) > _MOST_CLAIMS:
            said.append(f"  and {len(claims) - _MOST_CLAIMS} more")
    return said


def _effect(experiment: ExperimentOverview, effect: FaultEffect) -> str:
    parts = [
        f"{kind} for {words.describe_duration(loss.least, loss.most)}, {words.describe_loss(loss)[1]} ({loss.policy})"
        for kind in KINDS
        for loss in effect.of(kind)[:1]
    ]
    again = words.describe_recovery(effect)
    return f"{' + '.join(effect.names)}: {'; '.join(parts)}; enforced again {again}; in {experiment.title}"


def _issues(run: RunOverview) -> Iterator[str]:
    """Yield the issues of known defects, and how many claims reproduced each."""
    counts: dict[str, int] = {}
    for _, line in run.of("known"):
        counts[words.short_issue(line)] = counts.get(words.short_issue(line), 0) + 1
    yield from (f"{issue} ({count})" if count > 1 else issue for issue, count in counts.items())


def _wrapped(text: str, indent: str = "", most: int | None = None) -> list[str]:
    clean, further = escape_controls(redact(text)), f"{indent}  " if indent else ""
    return textwrap.wrap(
        clean, COLUMNS, initial_indent=indent, subsequent_indent=further, max_lines=most, placeholder=" …"
    )
