"""Lanes: the rows above the time axis of a picture, each drawn from one part of a story."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos_harness.harness.experiment.record import ClaimRecord
from chaos_harness.reports.picture import svg
from chaos_harness.reports.picture.colours import STATES
from chaos_harness.reports.picture.counts import Bins, Tally
from chaos_harness.reports.picture.states import Lifeline
from chaos_harness.reports.picture.story import Band, Mark, QuestionLabel

__all__ = ["LEFT", "RIGHT", "WIDTH", "Axis", "Lanes"]

LEFT, RIGHT, WIDTH = 222.0, 988.0, 1000.0
_NAME, _NOTE = 30, 35
_HARM_ROWS, _VERDICT_ROWS, _VERDICT_WIDTH = 4, 6, 28.0
_LETTER = 6.2
_DIGIT = 12.0
"""How wide a step must be for its number to be written beside it."""
_VERDICTS = {
    "holds": ("M-5 0L-1.5 4L5 -5", "verdict s-good"),
    "violated": ("M-4.5 -4.5L4.5 4.5M-4.5 4.5L4.5 -4.5", "verdict s-lost"),
    "inconclusive": ("M-4 -2.5A4 4 0 1 1 0 1.5V2.5M0 4.6V6", "verdict s-idle"),
}
"""Shape and colour of each verdict."""


@dataclass(frozen=True)
class Axis:
    """The time axis of a picture: from `begin` to `end`, in seconds of the history."""

    begin: float
    end: float

    def x(self, at: float) -> float:
        """Return the x coordinate of a moment; one outside is at the edge."""
        share = (at - self.begin) / max(self.end - self.begin, 1e-9)
        return LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, share))

    def shows(self, begin: float, end: float | None = None) -> bool:
        """Return whether a moment, or a part of an interval, is within the axis."""
        return begin <= self.end and (begin if end is None else end) >= self.begin

    @property
    def ticks(self) -> list[float]:
        """Round moments, about ten of them."""
        step = _round_step((self.end - self.begin) / 10)
        first = int(self.begin / step) + (self.begin > 0 and self.begin % step > 0)
        return [number * step for number in range(first, int(self.end / step) + 1)]


@dataclass
class Lanes:
    """A picture that grows downwards, lane by lane."""

    axis: Axis
    y: float
    parts: list[str] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)
    """Where a violation decided, for lines through all lanes."""
    areas: dict[str, int] = field(default_factory=dict)
    """How many requests of each lane have no mark of their own."""
    room: int = 4_000
    """How many marks may still be drawn."""

    def title(self, words: str) -> None:
        """Start a group of lanes."""
        self.y += 20
        self.parts.append(svg.text(8, self.y, words, "head"))
        self.y += 5

    def say(self, words: str, style: str = "small") -> None:
        """Add a remark over the whole width, in at most three lines."""
        lines = textwrap.wrap(words, 130, max_lines=3, placeholder=" …")
        for number, line in enumerate(lines):
            self.y += 16
            self.parts.append(svg.text(8 + 14 * (number > 0), self.y, line, style, hint=words))

    def band(self, band: Band, *, over: float) -> None:
        """Add a fault: pale until it is proved, full while it lasts, with a mark for each proof; `over` is the top."""
        axis, top = self.axis, self._lane(band.name, _fault_note(band), 30)
        end = axis.end if band.ended is None else band.ended
        if not axis.shows(band.begun, end):
            return
        healing = end if band.healing is None else band.healing
        hint = f"{band.name}: {_fault_note(band)}"
        if band.one_shot:
            end = healing = band.begun if band.proved is None else band.proved
        left, right = axis.x(band.begun), axis.x(end)
        self.parts.insert(0, svg.rect(left, over, right - left, 0, "shade"))
        self.parts.append(svg.rect(left, top + 4, right - left, 13, "unproved", hint))
        if band.proved is not None:
            full = axis.x(max(healing, band.proved)) - axis.x(band.proved)
            self.parts.append(svg.rect(axis.x(band.proved), top + 4, full, 13, "fault", hint))
            self._glyph(band.proved, top + 10.5, "M-6 0L0 -6L6 0L0 6Z", "ink", f"observed: {band.proof}")
        if band.ended is not None and not band.one_shot:
            self._glyph(band.ended, top + 10.5, "M-6 0L0 -6L6 0L0 6Z", "heal", f"healed: {band.heal_proof}")

    def phases(self, phases: Sequence[Band]) -> None:
        """Add the phases of the experiment, one behind the other."""
        if not phases:
            return
        top = self._lane("phases", "", 20)
        for band in phases:
            end = self.axis.end if band.ended is None else band.ended
            if self.axis.shows(band.begun, end):
                left, right = self.axis.x(band.begun), self.axis.x(end)
                took = f"{band.name}: {end - band.begun:.1f} s{' (not ended)' if band.ended is None else ''}"
                self.parts.append(svg.rect(left, top + 3, max(right - left - 0.5, 0.5), 14, "phase", took))
                self._words(left, right, top + 14, took)

    def harms(self, harms: Sequence[Mark]) -> None:
        """Add a mark for each harm to pods and nodes, with its name in the first row that has room for it."""
        rows = [0.0] * _HARM_ROWS
        places = []
        for mark in (harm for harm in harms if self.axis.shows(harm.at)):
            x, words = self.axis.x(mark.at), svg.shortened(f"{mark.how} {mark.what}", 60)
            room = x + 9 + len(words) * _LETTER <= RIGHT
            row = next((number for number, free in enumerate(rows) if x > free), None)
            rows[row or 0] = x + 14 + len(words) * _LETTER * room
            places.append((mark, row or 0, words if row is not None and room else ""))
        if not places:
            return
        top = self._lane("harm", "", 8 + 13 * (1 + max(row for _, row, _ in places)))
        for mark, row, words in places:
            hint = f"{mark.at:.1f} s: {mark.how} {mark.what}"
            self._glyph(mark.at, top + 9 + 13 * row, "M-5 -4L5 -4L0 5Z", "lost", hint)
            self.parts.append(svg.text(self.axis.x(mark.at) + 9, top + 13 + 13 * row, words, "small"))

    def verdicts(self, claims: Sequence[ClaimRecord]) -> None:
        """Add a mark at the moment that decided each claim, with the claim's number in the list below."""
        rows = [RIGHT + _VERDICT_WIDTH] * _VERDICT_ROWS  # filled from the right: most are decided at the end
        places = []
        for number, claim in sorted(enumerate(claims, start=1), key=lambda numbered: -(numbered[1].at or 0.0)):
            if claim.at is not None and self.axis.shows(claim.at):
                x = self.axis.x(claim.at)
                row = next((row for row, left in enumerate(rows) if x + _VERDICT_WIDTH <= left), _VERDICT_ROWS - 1)
                rows[row] = min(rows[row], x)
                places.append((number, claim, claim.at, x, row))
        if not places:
            return
        top = self._lane("verdicts", "when each was decided", 22 + 15 * max(1, *(place[-1] for place in places)))
        for number, claim, at, x, row in places:
            y, expected = top + 9 + 15 * row, claim.as_expected
            hint = f"{at:.1f} s: {number}. {claim.outcome}, expected {claim.expectation}: {claim.name}: {claim.summary}"
            d, style = _VERDICTS[claim.outcome]
            if claim.outcome == "violated":
                self.decided.append(x)
            self._glyph(at, y, d, style, hint)
            words = "small" if expected else "small bad"
            self.parts.append(svg.text(x - 8, y + 4, str(number), words, anchor="end", hint=hint))

    def asked(self, question: QuestionLabel, tally: Tally) -> None:
        """Add the answers to one question: good ones as an area, each other one as a mark over the whole height."""
        top = self._lane(question.short, tally.words, 34, bad=tally.total.lost > 0)
        self._hill(tally.bins, top + 30, 16)
        self._lost(str(question), tally, top + 2, top + 30)

    def life(self, life: Lifeline, replica: Tally | None) -> None:
        """Add the states of a pod, node or lease, and below them a replica's own answers."""
        gone = next((stretch.at for stretch in reversed(life.stretches) if stretch.state == "gone"), None)
        where = f"on {life.where}" if life.where else ""
        note = "; ".join(filter(None, [where, f"{life.left_out} short states left out" if life.left_out else ""]))
        top = self._lane(life.name, note, 27 if note else 21)
        ends = [*(stretch.at for stretch in life.stretches[1:]), self.axis.end if gone is None else gone]
        for stretch, end in zip(life.stretches, ends, strict=True):
            if stretch.state != "gone" and self.axis.shows(stretch.at, end):
                colour, pattern = STATES[stretch.state]
                left, right = self.axis.x(stretch.at), self.axis.x(end)
                hint = f"{stretch.at:.1f} to {end:.1f} s: {stretch.why or stretch.state}"
                self.parts.append(svg.rect(left, top + 3, right - left, 12, colour, hint, pattern=pattern))
        if gone is not None and self.axis.shows(gone):
            self._glyph(gone, top + 9, "M-4 -5L4 5M-4 5L4 -5", "edge", f"{gone:.1f} s: gone")
        if replica is not None:
            self._hill(replica.bins, top + 20, 3, flat=True)
            self._lost(life.name, replica, top + 17, top + 22)

    def rotation(self, steps: Sequence[tuple[float, int]]) -> None:
        """Add the number of webhook pods to which the Service sends requests."""
        if not steps:
            return
        most = max(number for _, number in steps)
        top = self._lane("webhook pods in rotation", f"now {steps[-1][1]}, at most {most}", 34)
        heights = {number: top + 29 - 22 * number / max(most, 1) for _, number in steps}
        drawn = ""
        ends = [*(at for at, _ in steps[1:]), self.axis.end]
        for (at, number), end in zip(steps, ends, strict=True):
            x = self.axis.x(at)
            drawn += f"H{x:.1f}V{heights[number]:.1f}" if drawn else f"M{x:.1f} {heights[number]:.1f}"
            if self.axis.shows(at) and self.axis.x(end) - x >= _DIGIT:
                self.parts.append(svg.text(x + 3, heights[number] - 2, str(number), "small"))
        self.parts.append(svg.path(f"{drawn}H{RIGHT:.1f}", "step"))

    def changes(self, name: str, marks: Sequence[Mark]) -> None:
        """Add changes of objects: appeared, changed, gone."""
        top, free = self._lane(name, "", 22), 0.0
        glyphs = {"ADDED": ("M-5 0H5M0 -5V5", "s-good"), "DELETED": ("M-4 -4L4 4M-4 4L4 -4", "s-lost")}
        for mark in marks:
            if self.axis.shows(mark.at):
                d, style = glyphs.get(mark.how, ("M0 -3V3", "s-idle"))
                self._glyph(mark.at, top + 10, d, f"tick {style}", f"{mark.at:.1f} s: {mark.what}: {mark.how.lower()}")
                x, words = self.axis.x(mark.at) + 8, svg.shortened(mark.what, 30)
                if mark.how in glyphs and x >= free and x + len(words) * _LETTER <= RIGHT:
                    self.parts.append(svg.text(x, top + 14, words, "small"))
                    free = x + 14 + len(words) * _LETTER

    def requests(self, requests: Bins) -> None:
        """Add the registry's answers, if there are any."""
        if not requests.bins:
            return
        top = self._lane(
            "registry answers", f"{sum(interval.asked for interval in requests.bins.values()):,} requests", 27
        )
        self._hill(requests, top + 23, 18)

    def _lane(self, name: str, note: str, height: float, *, bad: bool = False) -> float:
        top, self.y = self.y, self.y + height + 3
        self.parts.append(svg.path(f"M{LEFT:.0f} {self.y - 1:.1f}H{RIGHT:.0f}", "grid"))
        self.parts.append(svg.text(8, top + 13, svg.shortened(name, _NAME), hint=name))
        if note:
            style = "small bad" if bad else "small"
            self.parts.append(svg.text(8, top + 26, svg.shortened(note, _NOTE), style, hint=note))
        return top

    def _hill(self, bins: Bins, bottom: float, most: float, *, flat: bool = False) -> None:
        for index, interval in sorted(bins.bins.items()):
            begin, end = index * bins.width, (index + 1) * bins.width
            if interval.good and self.axis.shows(begin, end):
                height = most if flat else max(1.5, most * interval.good / bins.busiest)
                width = self.axis.x(end) - self.axis.x(begin)
                hint = f"{begin:g} to {end:g} s: {interval.good} good"
                self.parts.append(svg.rect(self.axis.x(begin), bottom - height, width, height, "good", hint))

    def _lost(self, name: str, tally: Tally, top: float, bottom: float) -> None:
        """Draw each lost or unanswered request; beyond the limit, the bins in which they are."""
        middle = top + (bottom - top) * 0.45
        kept = [request for request in tally.kept if self.axis.shows(request.asked)]
        single = kept[: self.room]
        self.room -= len(single)
        beyond = tally.unkept + len(kept) - len(single)
        if beyond:
            self.areas[name] = beyond
        for outcome, upper in (("silent", middle), ("lost", top)):
            if beyond:
                for index, interval in sorted(tally.bins.bins.items()):
                    number, begin = getattr(interval, outcome), index * tally.bins.width
                    if number and self.axis.shows(begin, begin + tally.bins.width):
                        left, right = self.axis.x(begin), self.axis.x(begin + tally.bins.width)
                        hint = f"{begin:g} to {begin + tally.bins.width:g} s: {number} {outcome}"
                        self.parts.append(svg.rect(left, upper, right - left, bottom - upper, outcome, hint))
            for lost in single:
                if lost.outcome == outcome:
                    x, took = self.axis.x(lost.asked), lost.answered - lost.asked
                    hint = f"{lost.asked:.2f} s: {outcome}: {svg.shortened(lost.said, 80)} (after {took:.2f} s)"
                    self.parts.append(svg.path(f"M{x:.2f} {upper:.1f}V{bottom:.1f}", f"tick s-{outcome}", hint))

    def _glyph(self, at: float, y: float, d: str, style: str, hint: str) -> None:
        place = f'<g transform="translate({self.axis.x(at):.2f} {y:.1f})">'
        self.parts.append(f"{place}{svg.path(d, style, hint)}</g>")

    def _words(self, left: float, right: float, y: float, words: str) -> None:
        """Write text into a box, as far as it has room."""
        most = int((right - left - 6) / _LETTER)
        if most >= 6:  # noqa: PLR2004 - shorter is no word
            self.parts.append(svg.text(left + 4, y, svg.shortened(words, most), "small"))


def _fault_note(band: Band) -> str:
    if band.proved is None:
        return f"from {band.begun:.1f} s, never proved"
    if band.one_shot:
        return f"one-shot, proved {band.proved:.1f} s"
    ended = "never healed" if band.ended is None else f"healed {band.ended:.1f} s"
    return f"proved {band.proved:.1f} s, {ended}"


def _round_step(least: float) -> float:
    step = 0.001
    while True:
        for factor in (1, 2, 5):
            if step * factor >= least:
                return step * factor
        step *= 10
