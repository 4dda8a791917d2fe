"""Page: the overview as one HTML file, which asks nobody, needs no script, and is read from the top to the bottom."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.history.losses import LossKind
from chaos_harness.harness.redaction import redact
from chaos_harness.reports.allure.categories import issue_url
from chaos_harness.reports.overview import words
from chaos_harness.reports.overview.effects import KINDS, FaultEffect
from chaos_harness.reports.overview.look import style_sheet
from chaos_harness.reports.overview.run import STANDINGS, ExperimentOverview, RunOverview, Standing, claims_of, standing
from chaos_harness.reports.picture import svg
from chaos_harness.reports.picture.colours import PATTERNS
from chaos_harness.reports.truth.verdict_lines import VerdictLine

__all__ = ["render_page"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_MOST_EVIDENCE, _MOST_LETTERS = 6, 300
_KEY = (
    ("fault", "fault, proved"),
    ("unproved", "not proved yet, or perhaps lost"),
    ("lost", "certainly lost"),
    ("good", "good answers"),
    ("silent", "no conclusive answer"),
    ("waiting", "not seen"),
)
_TITLES: dict[Standing, tuple[str, str]] = {
    "surprise": ("Surprises", "These came out otherwise than expected on this version."),
    "broken": ("Broken by the harness", "These say nothing about Gatekeeper: the harness did not come to a verdict."),
    "inconclusive": ("Inconclusive, and why", "Too little was seen to decide. That is no pass."),
    "known": ("Known defects that reproduced", "Violated as expected: policy did fail here, and the issue says why."),
    "predicted": ("Violated as predicted", "Policy did fail here, as the scenario predicts; there is no issue for it."),
}
_READING = {
    "Bypassed": "a request that violates a policy was admitted, or a mutation is missing.",
    "Refused": "a request that complies was denied, or a webhook that fails closed did not answer.",
    "Seconds": (
        "from the first such answer to the last one, as long as good answers between them last less than 5 s: at least "
        "and at most, since questions are asked a few times a second. Of several policies the worst stands first."
    ),
    "Requests": (
        "those of the admission probe, which asks at a fixed rate. Perhaps: lost when another fault, or this machine, "
        "may be to blame."
    ),
    "Answers": (
        "the time to an answer: half of them came within the first number (p50), 99 of 100 within the second (p99). "
        "Before the fault; during it, until it is healed and nothing is lost any more; after that. Requests without a "
        "conclusive answer are not among them."
    ),
    "Not seen": "the probes could not look then. It is no zero: what happened then is not known.",
    "Faults that overlap": "stand together, since a loss cannot be attributed to one of them alone.",
}


def render_page(run: RunOverview, allure: str = "") -> str:
    """Return the page; `allure` is the address of Allure's report, or "" if there is none."""
    numbers = {id(experiment): number for number, experiment in enumerate(run.experiments, start=1)}
    title = _html(f"Overview of {run.name}")
    body = [
        _top(run, allure, numbers),
        *(_claims_section(run, which, numbers) for which in ("surprise", "broken")),
        _faults(run, numbers),
        *(_claims_section(run, which, numbers) for which in ("known", "inconclusive", "predicted")),
        *(["<h2 id='experiments'>Experiments</h2>", _key()] if run.experiments else []),
        *(_experiment(experiment, numbers[id(experiment)]) for experiment in run.experiments),
        _reading(),
    ]
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title>{style_sheet()}</head><body>"
        f'<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>{PATTERNS}</defs></svg>'
        f"<main>{''.join(filter(None, body))}</main></body></html>\n"
    )


def _top(run: RunOverview, allure: str, numbers: dict[int, int]) -> str:
    """Return the first screen: what was tried on what, what was lost, and how the claims came out."""
    link = f'<a href="{escape(allure)}">Every test, in Allure</a>' if allure else ""
    number = len(run.experiments)
    tried = f"{number} experiment{'' if number == 1 else 's'}, {run.tests} tests, {len(claims_of(run.lines))} claims"
    ending = words.describe_ending(run)
    parts = [
        f"<nav><span class='muted'>{_html(f'{run.name} · {words.when(run)}')}</span>{link}</nav>",
        f"<h1>{_html(words.headline(run))}.</h1>",
        f"<p class='alert'>{_html(ending)}.</p>" if ending else "",
        *(_worst(run, kind, numbers) for kind in KINDS),
        f"<p class='muted'>{_html('; '.join(words.describe_shapes(run)) or 'No experiment')} · {_html(tried)}.</p>",
    ]
    tiles = []
    for which in STANDINGS:
        count, (mark, one, many) = len(run.of(which)), words.STANDING_WORDS[which]
        target = which if which in _TITLES else "experiments"
        inner = f"<b>{mark} {count}</b>{_html(one if count == 1 else many)}"
        inner = f'<a href="#{target}">{inner}</a>' if count else inner
        tiles.append(f"<li class='{which}{'' if count else ' none'}'>{inner}</li>")
    return "".join([*parts, f"<ul class='counts'>{''.join(tiles)}</ul>"])


def _worst(run: RunOverview, kind: LossKind, numbers: dict[int, int]) -> str:
    worst = words.worst_loss(run, kind)
    if worst is None:
        return ""
    said = _html(f"{words.describe_worst(run, kind)}.")
    return f"<p>{said} <small>In {_link(worst[0], numbers)}, with the command that runs it again.</small></p>"


def _claims_section(run: RunOverview, which: Standing, numbers: dict[int, int]) -> str:
    pairs = run.of(which)
    if not pairs:
        return ""
    title, meaning = _TITLES[which]
    groups: dict[str, list[tuple[ExperimentOverview | None, VerdictLine]]] = {}
    for experiment, line in pairs:
        groups.setdefault((line.issue or "") if which == "known" else line.test + line.claim, []).append(
            (experiment, line)
        )
    entries = [
        _known(group, numbers) if which == "known" else _claim_entry(group, which, numbers) for group in groups.values()
    ]
    inner = f"<ul class='claims'>{''.join(entries)}</ul>"
    if which == "predicted":
        inner = f"<details><summary>{len(pairs)} claims</summary>{inner}</details>"
    return f"<h2 id='{which}'>{_html(title)}</h2><p class='muted'>{_html(meaning)}</p>{inner}"


def _known(group: Sequence[tuple[ExperimentOverview | None, VerdictLine]], numbers: dict[int, int]) -> str:
    """Return a known defect: its issue, where it reproduced, and what was seen of it first."""
    line = group[0][1]
    owners = list({id(owner): owner for owner, _ in group if owner}.values())
    places = ", ".join(_link(owner, numbers) for owner in owners)
    because = f" because of {' or '.join(line.because)}" if line.because else ""
    more = f"; and {len(group) - 1} claims more" if len(group) > 1 else ""
    return (
        f"<li class='known'><h3>{_issue(line)}</h3>"
        f"<p>{_html(f'{line.claim}: {_short(line.summary)}{because}{more}')}</p>"
        f"<small>In {places or _html(line.test)}</small></li>"
    )


def _claim_entry(
    group: Sequence[tuple[ExperimentOverview | None, VerdictLine]], which: Standing, numbers: dict[int, int]
) -> str:
    experiment, line = group[0]
    place = _link(experiment, numbers) if experiment else _html(line.test)
    said = f"expected {_expected(line)}, seen {line.outcome}" if line.claim else "the test broke"
    issue = f" {_issue(line)}" if line.issue else ""
    evidence = "".join(f"<li>{_html(one)}</li>" for one in line.evidence[:_MOST_EVIDENCE])
    again = words.replay_command([line])
    times = f" ({len(group)} times)" if len(group) > 1 else ""
    return (
        f"<li class='{which}'><h3>{_html(line.claim or line.test)}{times}</h3>"
        f"<p>{_html(f'{said}: {_short(line.broken or line.summary)}')}{issue}</p>"
        + (f"<ul>{evidence}</ul>" if evidence else "")
        + f"<small>In {place}</small>"
        + (f"<pre>{_html(again)}</pre>" if again and which != "predicted" else "")
        + "</li>"
    )


def _expected(line: VerdictLine) -> str:
    return f"{line.expected} by {' or '.join(line.because)}" if line.surprise else line.expected


def _faults(run: RunOverview, numbers: dict[int, int]) -> str:
    """Return the faults, worst first; those after which all was seen and nothing lost are folded."""
    if not run.effects:
        return ""
    bad = [(owner, effect) for owner, effect in run.effects if effect.losses or words.describe_unseen(effect)]
    good = [pair for pair in run.effects if pair not in bad]
    parts = ["<h2 id='faults'>What each fault cost, worst first</h2>"]
    if bad:
        parts.append(_table(bad, numbers))
    if good:
        summary = f"{len(good)} faults after which nothing was lost and everything was seen"
        parts.append(f"<details class='skip'><summary>{summary}</summary>{_table(good, numbers)}</details>")
    return "".join(parts)


def _table(pairs: Iterable[tuple[ExperimentOverview, FaultEffect]], numbers: dict[int, int]) -> str:
    heads = ("Fault", "Bypassed", "Refused", "Answers, p50 / p99", "Enforced again")
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    rows = "".join(_row(experiment, effect, numbers) for experiment, effect in pairs)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(experiment: ExperimentOverview, effect: FaultEffect, numbers: dict[int, int]) -> str:
    badges = "".join(
        f"<span class='badge known'>known: {_issue(line)}</span>"
        for line in {line.issue: line for line in experiment.lines if standing(line) == "known"}.values()
    )
    for which in ("surprise", "inconclusive", "broken"):
        count = sum(standing(line) == which for line in experiment.lines)
        badges += (
            f"<span class='badge {which}'>{count} {words.STANDING_WORDS[which][1 + (count != 1)]}</span>"
            if count
            else ""
        )
    times = "".join(
        f"<dt>{name}</dt><dd>{_html(words.describe_times(answered))}</dd>"
        for name, answered in (("before", effect.before), ("during", effect.during), ("after", effect.after))
    )
    unseen = words.describe_unseen(effect)
    why = f"<p><small>Why: {_html(words.describe_causes(effect.causes))}</small></p>" if effect.causes else ""
    return (
        f"<tr><th scope='row'>{_html(' + '.join(effect.names))}<br>"
        f"<small>{_link(experiment, numbers)}</small> {badges}</th>"
        f"<td data-label='Bypassed'>{_lost(effect, 'bypassed')}</td>"
        f"<td data-label='Refused'>{_lost(effect, 'refused')}</td>"
        f"<td data-label='Answers, p50 / p99'><dl class='times'>{times}</dl></td>"
        f"<td data-label='Enforced again'>{_html(words.describe_recovery(effect))}{why}"
        + (f"<p class='unseen'>{_html(unseen)}</p>" if unseen else "")
        + "</td></tr>"
    )


def _lost(effect: FaultEffect, kind: LossKind) -> str:
    losses = effect.of(kind)
    if not losses:
        if not effect.asked:
            return "nobody asked"
        return "none seen" if words.describe_unseen(effect) else f"0 of {effect.asked:,} requests"
    first, *others = losses
    seconds, requests = words.describe_loss(first)
    rows = [f"<b>{_html(seconds)}</b><small>{_html(f'{requests}: {first.policy}')}</small>"]
    for loss in others:
        seconds, requests = words.describe_loss(loss)
        rows.append(f"<small class='more'>{_html(f'{seconds}, {requests}: {loss.policy}')}</small>")
    return "".join(rows)


def _experiment(experiment: ExperimentOverview, number: int) -> str:
    counts = {which: sum(standing(line) == which for line in experiment.lines) for which in STANDINGS}
    badges = "".join(
        f"<span class='badge {which}'>{words.STANDING_WORDS[which][0]} {count} "
        f"{_html(words.STANDING_WORDS[which][1 + (count != 1)])}</span>"
        for which, count in counts.items()
        if count
    )
    if not experiment.lines:
        badges = "<span class='badge inconclusive'>? no verdict: its test did not come to its end</span>"
    parts = [
        f"<article id='e{number}'><div class='title'><h3>{_html(experiment.title)}</h3>{badges}</div>",
        f"<p class='unseen'>{_html(f'Its history cannot be read: {experiment.problem}')}</p>"
        if experiment.problem
        else "",
        "<p class='unseen'>The history is cut off: what happened after it is not known.</p>"
        if experiment.cut_off
        else "",
        _timeline(experiment, number),
        _claims(experiment),
    ]
    again = words.replay_command(experiment.lines)
    if again:
        parts.append(f"<small>Run it again:</small><pre>{_html(again)}</pre>")
    return "".join([*parts, "</article>"])


def _timeline(experiment: ExperimentOverview, number: int) -> str:
    if not experiment.strips:
        return ""
    rows = "".join(
        f"<span title='{_html(strip.words)}'>{_html(strip.label)}</span>"
        f"<div title='{_html(strip.words)}'>{strip.picture}</div>"
        for strip in experiment.strips
    )
    ticks = "".join(f"<i>{share * experiment.seconds:.0f} s</i>" for share in (0, 0.5, 1))
    axis = f"<span></span><div class='axis'>{ticks}</div>"
    described = _html("; ".join(strip.words for strip in experiment.strips))
    small = f"<div class='strips' role='img' aria-label='{described}'>{rows}{axis}</div>"
    if not experiment.picture:
        note = "<small>The page has no room for the whole timeline; Allure's report has it.</small>"
        return f"<figure>{small}{note}</figure>"
    address = base64.b64encode(experiment.picture.encode()).decode()
    return (
        f"<figure><a href='#w{number}' style='color:inherit;text-decoration:none'>{small}</a></figure>"
        f"<details class='skip'><summary>The whole timeline</summary><div class='whole' id='w{number}'>"
        f"<img loading='lazy' alt='Timeline of {_html(experiment.title)}' src='data:image/svg+xml;base64,{address}'>"
        "</div></details>"
    )


def _claims(experiment: ExperimentOverview) -> str:
    """Return the claims of an experiment: those that did not simply hold, and the others folded."""
    entries: dict[bool, list[str]] = {True: [], False: []}
    for line in sorted(claims_of(experiment.lines), key=lambda one: STANDINGS.index(standing(one))):
        which = standing(line)
        issue = f" {_issue(line)}" if line.issue else ""
        expected = "as expected" if which in ("known", "predicted", "held") else f"expected {_expected(line)}"
        entries[which == "held"].append(
            f"<li class='{which}'>{words.STANDING_WORDS[which][0]} {_html(line.claim)}: <b>{_html(line.outcome)}</b>, "
            f"{_html(expected)}{issue}<br><small>{_html(_short(line.summary))}</small></li>"
        )
    shown = f"<ul class='claims'>{''.join(entries[False])}</ul>" if entries[False] else ""
    if entries[True]:
        held = f"{len(entries[True])} claim{'' if len(entries[True]) == 1 else 's'} held"
        shown += (
            f"<details class='skip'><summary>{held}</summary><ul class='claims'>{''.join(entries[True])}</ul></details>"
        )
    return shown


def _key() -> str:
    entries = "".join(f"<i class='k-{name}'></i>{meaning}" for name, meaning in _KEY)
    return f"<p class='key muted'>Small timelines; a click opens the whole one.{entries}</p>"


def _reading() -> str:
    entries = "".join(f"<li><b>{_html(name)}</b>: {_html(meaning)}</li>" for name, meaning in _READING.items())
    return f"<h2 id='reading'>How to read the figures</h2><ul class='muted'>{entries}</ul>"


def _short(text: str) -> str:
    return svg.shortened(redact(text), _MOST_LETTERS)


def _link(experiment: ExperimentOverview, numbers: dict[int, int]) -> str:
    return f"<a href='#e{numbers[id(experiment)]}'>{_html(experiment.title)}</a>"


def _issue(line: VerdictLine) -> str:
    address, name = issue_url(line.issue or ""), _html(words.short_issue(line))
    return f'<a href="{escape(address)}">{name}</a>' if address else name


def _html(text: str) -> str:
    return escape(escape_controls(redact(text), lines=True))
