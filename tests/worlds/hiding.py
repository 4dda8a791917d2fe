"""Hiding: what of a world is not seen: which stream, from when to when, and what the writer says of it."""

from dataclasses import dataclass, replace
from math import inf

from chaos_harness.harness.history.vocabulary import AUDIT, CONSTRAINTS, FAIL_OPEN, REGISTRY, is_watch
from tests.worlds.dice import Dice, Stretch
from tests.worlds.stage import Stage

__all__ = ["ALL", "SIGN_SECONDS", "Hiding", "drawn", "hides", "of_stream", "restart"]

ALL = ""
"""The stream of what hides everything at once."""

SIGN_SECONDS = 10.0
"""How far apart, at most, two signs of life of a watch are."""

_GAPS = ("refused", "ended", "broken", "410")


@dataclass(frozen=True)
class Hiding:
    """What is not seen of a stream, and how.

    Of a watch: a gap for this `how`, then RESUMED or a new list; "silent": half-open, told by a GAP `late` seconds
    after the last sign of life; "absent": never there. Of questions: "info", or "absent". Of a log: "unread", "absent";
    of an audit log "rotated" (what was not read meanwhile is gone) and "cut" (a line is broken), too.
    Of ALL: "paused", "step" (the clock was set), "line" (one is missing), "killed" (cut off at `begin`).
    """

    stream: str
    begin: float
    end: float
    how: str
    resumed: bool = True
    late: float = 35.0

    @property
    def span(self) -> Stretch:
        """From when to when nothing is known, at most."""
        if self.how == "absent":
            return -inf, inf
        if self.how == "killed":
            return self.begin - SIGN_SECONDS - 1, inf
        if self.how == "line":  # it may have told that a watch had not seen anything since its last sign of life
            return self.begin - SIGN_SECONDS - 1, self.end + 3
        if is_audit(self.stream):
            return self.begin - 5, self.end + 12
        if self.stream and not is_watch(self.stream):
            return self.begin - 1.5, self.end + 12
        back = SIGN_SECONDS + 1 if is_watch(self.stream) else 1.5
        ahead = self.late + 1 if self.how == "silent" else 1.5
        return self.begin - back, max(self.end, self.begin + ahead) + 1.5

    def __str__(self) -> str:
        """Return it in words."""
        way = (" and resumed" if self.resumed else " and listed again") if is_watch(self.stream) else ""
        return f"{self.stream or 'all'}: {self.how}{way} {self.begin:.1f} to {self.end:.1f} s"


def of_stream(dice: Dice, stream: str, begin: float, end: float) -> Hiding:
    """Return one way in which a stream of this kind is not seen for a while."""
    if is_watch(stream):
        if stream.startswith(CONSTRAINTS) and dice.chance(0.2):
            return Hiding(
                stream, begin, min(end, begin + 3) if dice.chance(0.5) else end, "404 then 503", resumed=False
            )
        how = "silent" if dice.chance(0.35) else dice.pick(*_GAPS)
        return Hiding(stream, begin, end, how, how != "410" and dice.chance(0.6), dice.pick(15.0, 35.0))
    if is_audit(stream):
        return Hiding(stream, begin, end, dice.pick("unread", "rotated", "rotated", "cut"))
    return Hiding(stream, begin, end, "unread" if stream in (REGISTRY, FAIL_OPEN) else "info")


def restart(dice: Dice, stage: Stage, begin: float, end: float) -> list[Hiding]:
    """Return what a restart of the API server hides: it answers nobody, and ends all watches."""
    streams = [stream for stream in stage.streams() if stream not in (REGISTRY, FAIL_OPEN) and not is_audit(stream)]
    hidings = [
        replace(of_stream(dice, stream, begin, end + dice.between(0, 1)), how=dice.pick("broken", "ended"))
        if is_watch(stream)
        else Hiding(stream, begin, end, "info")
        for stream in streams
    ]
    logs = [*([FAIL_OPEN] if FAIL_OPEN in stage.logs else []), *stage.audits]
    return [*hidings, *(Hiding(log, begin, end, "unread") for log in logs)]


def is_audit(stream: str) -> bool:
    """Whether a stream is an audit log."""
    return stream.partition(" ")[0] == AUDIT


def drawn(dice: Dice, stage: Stage, streams: list[str]) -> list[Hiding]:
    """Return something that is not seen, most often of one of these streams."""
    begin = dice.between(1, stage.judge - 2)
    length = dice.pick(dice.between(0.05, 6), dice.between(6, 40), dice.between(40, 120))
    end = min(begin + length, stage.end) if dice.chance(0.9) else inf
    kind = dice.random()
    if kind < 0.5:
        return [of_stream(dice, dice.choice(streams), begin, end)]
    if kind < 0.58:
        return [Hiding(dice.choice(streams), 0, inf, "absent")]
    if kind < 0.7:
        return restart(dice, stage, begin, min(end, begin + dice.between(3, 40)))
    if kind < 0.78:
        return _paused(dice, stage)
    if kind < 0.9:
        return [Hiding(ALL, begin, begin, "line")]
    return [Hiding(ALL, begin, inf, "killed")]


def hides(hidings: list[Hiding], streams: set[str], begin: float, end: float) -> list[Hiding]:
    """Return which of these hide something of these streams between two moments, or may."""
    relevant = []
    for hiding in hidings:
        if hiding.stream not in streams | {ALL} or (hiding.how == "404" and hiding.end == inf):
            continue
        first, last = hiding.span
        if hiding.how in ("killed", "step"):  # whether a fault was repeated is not known; a step shifts what was logged
            first, last = -inf, inf
        elif hiding.how == "line":  # what it told may be missing for ever
            last = inf
        if first < end + 1 and last > begin - 1:
            relevant.append(hiding)
    return relevant


def _paused(dice: Dice, stage: Stage) -> list[Hiding]:
    """Return a pause of this machine's that no mark of the experiment lies in."""
    for _ in range(20):
        begin = dice.between(1, stage.judge - 2)
        end = begin + dice.between(1, 12)
        if not any(begin - 1 <= line.at <= end + 1 for line in stage.lines) and end < stage.judge - 1:
            return [Hiding(ALL, begin, end, "paused")]
    return [Hiding(ALL, 1.0, 1.8, "line")]
