"""Strips: a small timeline of one experiment, one strip a subject, which has any width; its labels stand beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from chaos_harness.harness.history.spans import Spans
from chaos_harness.reports.overview.effects import KINDS, FaultEffect
from chaos_harness.reports.picture import svg
from chaos_harness.reports.picture.counts import Bin
from chaos_harness.reports.picture.story import Band, Story

__all__ = ["Strip", "draw_strips"]

_WIDTH = 1000.0
_NARROW, _HIGH = 12.0, 26.0
_LEAST_WIDTH = 4.0
"""A blow, or a loss of one request, is still seen on a telephone."""
_MOST_FAULTS = 6


@dataclass(frozen=True)
class Strip:
    """One strip: what it is about, its picture as SVG, and what the picture shows in words."""

    label: str
    picture: str
    words: str


def draw_strips(story: Story, effects: Sequence[FaultEffect]) -> list[Strip]:
    """Return the strips: faults, when each kind of enforcement was lost, what was not seen, and all answers."""
    length = max(story.end, 1.0)
    strips = [_fault(band, length) for band in story.faults[:_MOST_FAULTS]]
    if len(story.faults) > _MOST_FAULTS:
        strips.append(_others(story.faults[_MOST_FAULTS:], length))
    for kind in KINDS:
        losses = [loss for effect in effects for loss in effect.of(kind)]
        if losses:
            certain, possible = (
                Spans.of(span for loss in losses for span in getattr(loss, name)) for name in ("certain", "possible")
            )
            parts = [*_bars(possible, length, "unproved"), *_bars(certain, length, "lost")]
            strips.append(_strip(kind, parts, _NARROW, f"{kind} {possible}"))
    unseen = Spans.of(span for effect in effects for span in effect.unseen)
    if unseen:
        strips.append(_strip("not seen", _bars(unseen, length, "waiting", "stripes"), _NARROW, f"not seen {unseen}"))
    if story.canaries:
        strips.append(_answers(story, length))
    return strips


def _fault(band: Band, length: float) -> Strip:
    end = inf if band.ended is None else band.ended
    if band.one_shot:
        end = band.begun if band.proved is None else band.proved
    parts = _bars([(band.begun, end)], length, "unproved")
    if band.proved is not None:
        healing = end if band.healing is None or band.one_shot else band.healing
        parts += _bars([(band.proved, max(healing, band.proved))], length, "fault")
    ended = (
        "struck once" if band.one_shot else "never healed" if band.ended is None else f"healed at {band.ended:.1f} s"
    )
    proved = "never proved" if band.proved is None else f"proved at {band.proved:.1f} s"
    return _strip(band.name, parts, _NARROW, f"{band.name} from {band.begun:.1f} s, {proved}, {ended}")


def _others(bands: Sequence[Band], length: float) -> Strip:
    spans = Spans.of((band.begun, band.begun + 1e-3 if band.ended is None else band.ended) for band in bands)
    return _strip(
        f"{len(bands)} faults more", _bars(spans, length, "fault"), _NARROW, f"{len(bands)} faults more: {spans}"
    )


def _answers(story: Story, length: float) -> Strip:
    """Draw how many questions were asked at each time: good answers below, lost ones on them, and no answer on top."""
    tallies = list(story.canaries.values())
    width = max(tally.bins.width for tally in tallies)
    joined: dict[int, Bin] = {}
    for tally in tallies:
        for index, part in tally.bins.bins.items():
            into = joined.setdefault(int(index * tally.bins.width / width), Bin())
            into.good, into.lost, into.silent = into.good + part.good, into.lost + part.lost, into.silent + part.silent
    most = max(part.asked for part in joined.values())
    parts = []
    for index, part in sorted(joined.items()):
        left, right = index * width / length * _WIDTH, (index + 1) * width / length * _WIDTH
        top = _HIGH
        for style in ("good", "lost", "silent"):
            high = _HIGH * getattr(part, style) / most
            top -= high
            if high:
                parts.append(svg.rect(left, top, right - left, high, style))
    total = [sum(getattr(part, name) for part in joined.values()) for name in ("good", "lost", "silent")]
    words = f"{total[0]:,} good answers, {total[1]:,} lost, {total[2]:,} without a conclusive answer"
    return _strip("answers", parts, _HIGH, words)


def _bars(spans: Iterable[tuple[float, float]], length: float, style: str, pattern: str = "") -> list[str]:
    bars = []
    for begin, end in spans:
        left, right = max(0.0, begin) / length * _WIDTH, min(end, length) / length * _WIDTH
        width = max(right - left, _LEAST_WIDTH)
        bars.append(svg.rect(min(left, _WIDTH - width), 1, width, _NARROW - 2, style, pattern=pattern))
    return bars


def _strip(label: str, parts: Iterable[str], height: float, words: str) -> Strip:
    picture = (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" preserveAspectRatio="none" height="{height:.0f}" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )
    return Strip(label, picture, words)
