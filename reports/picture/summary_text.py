"""Summary: what was done, what was lost, how long it took and why, as text above any picture."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from chaos_harness.clusters.checkout import OPTION, command_line
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.harness.redaction import redact
from chaos_harness.reports.picture.story import ChainLink, Story
from chaos_harness.reports.picture.svg import shortened

__all__ = ["render_page", "reproduction_command", "shorten_message", "summarise"]

_MOST_LINKS, _MOST_EVIDENCE, _MOST_LETTERS, _MOST_BRIEF = 30, 12, 95, 3
_VERSIONS = ("kubernetes", "gatekeeper")


def summarise(record: Record, story: Story | None) -> str:
    """Return in a few plain sentences what a test did and what the outcome was."""
    return redact(" ".join(filter(None, _sentences(record, story))))


def render_page(record: Record, story: Story | None, nodeid: str, *, fact: str = "", picture: str = "") -> str:
    """Return the top of a test's report, as HTML.

    It has the summary, the `picture` (an image's URL), the unexpected claims with their evidence, the chain of events,
    the duration of each phase, and the command that runs the test again. `fact` is the test's docstring.
    """
    parts = [f"<p><em>{_html(fact)}</em></p>"] if fact else []
    done, lost, verdicts = _sentences(record, story)
    parts += [
        f"<p><strong>{_html(verdicts)}</strong></p>",
        *(f"<p>{_html(words)}</p>" for words in (done, lost) if words),
    ]
    if picture and story is not None:
        parts.append(f'<p><img src="{picture}" alt="{_html(summarise(record, story))}" width="1000"></p>')
    parts += [_evidence(claim) for claim in record.claims if not claim.as_expected or claim.issue]
    if story is not None:
        parts.append(_chain(story))
    parts += [_phases(record), _figures(record.claims)]
    again = reproduction_command([nodeid], record.seed, record.cluster.get("shape", {}))
    parts.append(f"<p>Run it again:</p><pre>{_html(again)}</pre>")
    return "\n".join(filter(None, parts))


def shorten_message(message: str, claims: Iterable[ClaimRecord]) -> str:
    """Return an error's message without most of the claims' evidence, which is shown further down."""
    evidence_lines = {line.strip() for claim in claims for line in claim.evidence}
    lines = message.splitlines()
    evidence = [number for number, line in enumerate(lines) if number and line.strip() in evidence_lines]
    if len(evidence) <= _MOST_BRIEF + 1:
        return message
    dropped = set(evidence[_MOST_BRIEF:])
    kept = [line for number, line in enumerate(lines) if number not in dropped]
    kept.insert(evidence[_MOST_BRIEF], f"  and {len(dropped)} lines more, in the description and the claim's step")
    return "\n".join(kept)


def reproduction_command(nodeids: Iterable[str], seed: int, shape: Mapping[str, Any]) -> str:
    """Return the command that runs these tests again: on the same versions, with the same seed."""
    versions = [part for name in _VERSIONS if shape.get(name) for part in (f"{OPTION}{name}", str(shape[name]))]
    return f"{command_line('chaos --')} {shlex.join([*nodeids, f'{OPTION}seed', str(seed), *versions])}"


def _sentences(record: Record, story: Story | None) -> tuple[str, str, str]:
    return _describe_actions(record, story), _describe_losses(story), _verdicts(record.claims)


def _describe_actions(record: Record, story: Story | None) -> str:
    shape = record.cluster.get("shape", {})
    known = {name: shape[name] for name in ("gatekeeper", "kubernetes", "install", "workers") if name in shape}
    on = "".join(
        (
            _describe_gatekeeper(known),
            f" on Kubernetes {known['kubernetes']}" if "kubernetes" in known else "",
            f" with {known['workers']} workers" if "workers" in known else "",
        )
    )
    if story is None:
        names = ", ".join(fault.name for fault in record.faults)
        return f"{on}: {names or 'no fault was injected'}; there is no history to read."
    faults = [_fault(band.name, band.begun, band.proved, band.ended, one_shot=band.one_shot) for band in story.faults]
    harmed = Counter(mark.how for mark in story.harms)
    counted = ", ".join(f"{number} {how}" for how, number in harmed.items())
    done = "; ".join([*faults, *([f"harmed: {counted}"] if counted else [])])
    return f"{on}: {done or 'no fault was injected'}, in {story.end:.0f} s."


def _describe_gatekeeper(known: Mapping[str, Any]) -> str:
    if known.get("gatekeeper", True) is None:
        return "No Gatekeeper"
    installed = f" ({known['install']})" if "install" in known else ""
    version = f" {known['gatekeeper']}" if "gatekeeper" in known else ""
    return f"Gatekeeper{version}{installed}"


def _fault(name: str, begun: float, proved: float | None, ended: float | None, *, one_shot: bool) -> str:
    if proved is None:
        return f"{name} at {begun:.1f} s was never proved"
    if one_shot:
        return f"{name} at {begun:.1f} s, proved"
    return f"{name} from {begun:.1f} s, proved, " + ("never healed" if ended is None else f"healed at {ended:.1f} s")


def _describe_losses(story: Story | None) -> str:
    if story is None or not story.canaries:
        return ""
    tallies = story.canaries
    asked = sum(tally.total.asked for tally in tallies.values())
    lost = {question: tally for question, tally in tallies.items() if tally.total.lost}
    silent = sum(tally.total.silent for tally in tallies.values())
    unanswered = f"; {silent:,} got no answer" if silent else ""
    if not lost:
        return f"Of {asked:,} canary requests none was lost{unanswered}."
    first = min(tally.first_lost for tally in lost.values() if tally.first_lost is not None)
    last = max(tally.last_lost for tally in lost.values() if tally.last_lost is not None)
    number = sum(tally.total.lost for tally in lost.values())
    what = ", ".join(f"{tally.total.lost:,} {question.asked!r}" for question, tally in lost.items())
    when = f"at {first:.1f} s" if first == last else f"between {first:.1f} and {last:.1f} s"
    return (
        f"Of {asked:,} canary requests {number:,} {'was' if number == 1 else 'were'} lost, {when} ({what}){unanswered}."
    )


def _verdicts(claims: Sequence[ClaimRecord]) -> str:
    if not claims:
        return "No claim was judged."
    known = [claim for claim in claims if claim.issue and claim.as_expected]
    parts = [f"{sum(claim.as_expected for claim in claims)} of {len(claims)} claims came out as expected"]
    parts += [f"known upstream defect {(claim.issue or '').rpartition('/')[2]} reproduces" for claim in known]
    parts += [f"{_verdict(claim)}: {claim.summary}" for claim in claims if not claim.as_expected]
    return "; ".join(parts) + "."


def _verdict(claim: ClaimRecord) -> str:
    if claim.outcome == "inconclusive":
        return f"“{claim.name}” is inconclusive"
    if claim.surprise:
        return f"“{claim.name}” is violated, but not by what is known to violate it ({' or '.join(claim.because)})"
    if claim.expected == "violated":
        return f"“{claim.name}” holds though it is known to be violated ({claim.issue or 'no issue'})"
    return f"“{claim.name}” is violated"


def _evidence(claim: ClaimRecord) -> str:
    known = f", known upstream as {claim.issue}" if claim.issue else ""
    when = f" at {claim.at:.1f} s" if claim.outcome == "violated" and claim.at is not None else ""
    head = f"{claim.name}: {claim.outcome}{when} (expected {claim.expectation}{known}): {claim.summary}"
    lines = [f"<li>{_html(line)}</li>" for line in claim.evidence[:_MOST_EVIDENCE]]
    more = len(claim.evidence) - _MOST_EVIDENCE
    lines += [f"<li>and {more} more, in the claim's step</li>"] if more > 0 else []
    return f"<p>{_html(head)}</p>" + (f"<ul>{''.join(lines)}</ul>" if lines else "")


def _chain(story: Story) -> str:
    """Describe what happened since the first fault, as a table, so that times can be compared."""
    begun = min((band.begun for band in story.faults), default=0.0)
    links = [link for link in story.chain if link.at >= begun]
    rows = [f"<tr><td>{link.at:.1f} s</td><td>{_html(_link(link))}</td></tr>" for link in links[:_MOST_LINKS]]
    if len(links) > _MOST_LINKS:
        rows.append(f"<tr><td></td><td>and {len(links) - _MOST_LINKS} more, in the attached events</td></tr>")
    return f"<details open><summary>What happened</summary><table>{''.join(rows)}</table></details>" if rows else ""


def _link(link: ChainLink) -> str:
    what = shortened(link.what, _MOST_LETTERS)  # a page's tables do not wrap
    return f"{what} ({link.times} times, last at {link.until:.1f} s)" if link.times > 1 else what


def _phases(record: Record) -> str:
    rows = []
    for phase in record.phases:
        took = "not ended" if phase.stop is None else f"{phase.stop - phase.start:.1f} s"
        rows.append(f"<tr><td>{_html(phase.name)}</td><td>{took}</td><td>{_html(phase.status)}</td></tr>")
    return _table("How long each phase took", rows)


def _figures(claims: Iterable[ClaimRecord]) -> str:
    rows = [
        f"<tr><td>{_html(claim.name)}</td><td>{_html(name.replace('_', ' '))}</td><td>{value:.4g}</td></tr>"
        for claim in claims
        for name, value in claim.figures.items()
    ]
    return _table("Figures", rows)


def _table(title: str, rows: Sequence[str]) -> str:
    return f"<details><summary>{title}</summary><table>{''.join(rows)}</table></details>" if rows else ""


def _html(words: str) -> str:
    return escape(escape_controls(redact(words), lines=True))
