"""Claimed: a claim on a world, the truth about it, and whether what it needs was hidden."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

from chaos_harness.harness.history import History
from tests.worlds.dice import Dice, Stretch
from tests.worlds.eyes import observe
from tests.worlds.faulty import TrueFault
from tests.worlds.hiding import ALL, Hiding, drawn, hides, of_stream
from tests.worlds.stage import Stage

__all__ = ["Claimed", "Drawn", "Truth", "hidden", "proof", "staged"]

_SEEN_SECONDS = 1.0

Truth = Literal["holds", "violated", "inconclusive", "borderline"]
"""What is true of a claim. "inconclusive": no history of this world may decide, such as of a fault that was not proved.

"borderline": the truth is so near to the bound that sampling decides; not judged.
"""


@dataclass
class Drawn:
    """A world before anything of it is hidden, and a claim on it.

    `streams` and `window` are what the claim needs and when. `unsure`: why a careful check may say inconclusive though
    nothing was hidden, as where only some of many requests are lost.
    """

    stage: Stage
    parameters: Mapping[str, Any]
    truth: Truth
    streams: set[str]
    window: Stretch
    unsure: str = ""
    away: list[Hiding] = field(default_factory=list)
    """Lists that truly are not served for a while."""
    also: dict[str, tuple[Stretch, float]] = field(default_factory=dict)
    """When a stream is needed, too, where it is hidden for longer than so many seconds."""
    helps: set[str] = field(default_factory=set)
    """Streams without which it can be decided, but which may tell what others do not."""
    places: dict[str, list[Stretch]] = field(default_factory=dict)
    """Where something of these streams is worth to be hidden, such as where something was lost."""


@dataclass(frozen=True)
class Claimed:
    """A claim on a world of which something may be hidden."""

    check: str
    seed: int
    drawn: Drawn
    hidings: tuple[Hiding, ...]

    @property
    def truth(self) -> Truth:
        """What is true."""
        return self.drawn.truth

    def excuses(self) -> list[str]:
        """Return why the verdict may be inconclusive; it must not if there is nothing."""
        drawn = self.drawn
        long = [hiding for hiding in self.hidings if not self._tolerated(hiding)]
        needed = hides(long, drawn.streams, *drawn.window)
        for stream, (span, seconds) in drawn.also.items():
            longer = [hiding for hiding in long if hiding.stream == ALL or hiding.span[1] - hiding.span[0] > seconds]
            needed += [hiding for hiding in hides(longer, {stream}, *span) if hiding not in needed]
        return [str(hiding) for hiding in needed] + [drawn.unsure] * bool(drawn.unsure)

    def _tolerated(self, hiding: Hiding) -> bool:
        """Whether so little is hidden of questions that it counts as seen: less than a second from one to the next."""
        every = self.drawn.stage.asked_every(hiding.stream)
        return hiding.how == "info" and hiding.end - hiding.begin + 2 * every < _SEEN_SECONDS

    def recorded(self, more: Iterable[Hiding] = ()) -> History:
        """Return the history, with more hidden if so."""
        return observe(self.drawn.stage, [*self.hidings, *more])


def proof(truth: Truth, faults: Iterable[TrueFault]) -> Truth:
    """Return what is true if not all faults of a claim were proved: nothing, but for what one that was has done."""
    proved = [fault.proved is not None for fault in faults]
    if all(proved):
        return truth
    return "borderline" if truth in ("violated", "borderline") and any(proved) else "inconclusive"


def staged(dice: Dice, end: float) -> Stage:
    """Return an empty world that is judged 5 s before its end; the clock is set in one of thirty."""
    steps = [(dice.between(2, end - 8), dice.pick(-0.5, 3.0, 90.0, 600.0, -30.0))] if dice.chance(0.033) else []
    return Stage(end, seed=dice.getrandbits(30), steps=steps)


def hidden(dice: Dice, drawing: Drawn, *, much: bool) -> tuple[Hiding, ...]:
    """Return what is hidden of a world: nothing, or, if `much`, one thing or two; never two gaps of one stream."""
    stage = drawing.stage
    hidings = [*drawing.away, *(Hiding(ALL, at, at, "step") for at, _ in stage.steps)]
    if not much:
        return tuple(hidings)
    for _ in range(dice.pick(1, 1, 2)):
        streams = (
            sorted((drawing.streams | drawing.helps) & set(stage.streams())) if dice.chance(0.85) else stage.streams()
        )
        more = drawn(dice, stage, streams or stage.streams())
        places = [
            (stream, span) for stream, spans in sorted(drawing.places.items()) for span in spans if stream in streams
        ]
        if places and len(more) == 1 and more[0].stream != ALL and more[0].how != "absent" and dice.chance(0.5):
            more = [_at(dice, more[0], *dice.choice(places))]
        taken = {hiding.stream for hiding in hidings}
        hidings += [hiding for hiding in more if hiding.stream not in taken or hiding.stream == ALL]
    return tuple(hidings)


def _at(dice: Dice, hiding: Hiding, stream: str, place: Stretch) -> Hiding:
    """Return a hiding of a stream that lies where it hurts: around a place, or across one of its edges."""
    begin, end = place
    around = (begin - dice.between(0.5, 5), min(end, begin + 200) + dice.between(0.5, 5))
    edge = dice.choice(place) if end < inf else begin
    across = (edge - dice.between(0.5, 15), edge + dice.between(0.5, 15))
    one, other = around if dice.chance(0.5) else across
    return of_stream(dice, stream, max(0.0, one), other)
