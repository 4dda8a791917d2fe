"""Plan picture: the timeline of an incident that was not run yet, as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaos_harness.reports.picture import svg
from chaos_harness.reports.picture.colours import PATTERNS, style
from chaos_harness.reports.picture.lanes import LEFT, RIGHT, WIDTH, Axis

__all__ = ["PlannedBar", "draw_plan"]

_TOP, _LANE, _MOST_TITLE, _MOST_NAME = 48.0, 24.0, 130, 24
_BLOW = 3.0
_LAST_TICK = WIDTH - 18


@dataclass(frozen=True)
class PlannedBar:
    """One step: its name, from when to when (None: its harm does not last), and its details in words."""

    name: str
    begin: float
    end: float | None
    details: str = ""


def draw_plan(title: str, bars: Sequence[PlannedBar], end: float, remarks: Sequence[str] = ()) -> str:
    """Return the picture: a lane for each step, and remarks below; it follows the reader's light or dark screen."""
    axis = Axis(0.0, max(end, 1.0))
    bottom = _TOP + _LANE * len(bars)
    parts = [svg.text(8, 18, svg.shortened(title, _MOST_TITLE), "head", hint=title)]
    parts += [svg.path(f"M{axis.x(at):.1f} {_TOP - 8:.0f}V{bottom:.1f}", "grid") for at in axis.ticks]
    for at in axis.ticks:
        parts.append(svg.text(min(axis.x(at), _LAST_TICK), _TOP - 12, f"{at:g} s", "small", anchor="middle"))
    parts.append(svg.path(f"M{LEFT:.0f} {_TOP - 8:.0f}H{RIGHT:.0f}", "edge"))
    for number, bar in enumerate(bars):
        parts += _lane(bar, axis, _TOP + _LANE * number)
    y = bottom + 8
    for words in remarks:
        y += 18
        parts.append(svg.text(8, y, svg.shortened(words, _MOST_TITLE), "small", hint=words))
    height = y + 14
    described = " ".join(f"{bar.name} {_time(bar)}{f', {bar.details}' if bar.details else ''}." for bar in bars)
    body = "".join([svg.rect(0, 0, WIDTH, height, "paper"), *parts])
    return svg.document(WIDTH, height, f"Plan of {title}", described, f"{style()}<defs>{PATTERNS}</defs>", body)


def _lane(bar: PlannedBar, axis: Axis, y: float) -> list[str]:
    hint = f"{bar.name} {_time(bar)} {bar.details}".strip()
    begin = axis.x(bar.begin)
    width = _BLOW if bar.end is None else axis.x(bar.end) - begin
    name = svg.text(8, y + 14, svg.shortened(bar.name, _MOST_NAME), hint=hint)
    return [name, svg.rect(begin, y + 2, width, _LANE - 8, "lost" if bar.end is None else "fault", hint)]


def _time(bar: PlannedBar) -> str:
    return f"at {bar.begin:g} s" if bar.end is None else f"from {bar.begin:g} to {bar.end:g} s"
