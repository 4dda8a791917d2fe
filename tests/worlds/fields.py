"""Fields: what is true of claims that one field of one object stays as it is wanted."""

from math import inf
from typing import Any

from chaos_harness.harness.history.vocabulary import FIELDS, WATCH_NODES
from tests.worlds.claimed import Drawn, Truth, staged
from tests.worlds.dice import Dice, Stretch, clipped, joined, longest
from tests.worlds.stage import Stage

__all__ = ["field_stays"]

_FIELD = "web"
_STREAM = f"{FIELDS}{_FIELD}"
_SLACK = 1.0
_FIRST_SEEN = 0.9

Found = list[Any]

_VALUES: dict[str | int, tuple[list[Found], list[Found]]] = {
    ">= 2": ([[2], [3], [2, 7]], [[1], [], [3, 1], ["3"]]),
    "!= Failed": ([["Running"], ["Done", "Running"]], [["Failed"], [], ["Running", "Failed"]]),
    "< 3": ([[2], [0, 2.5]], [[3], [], [True]]),
    "True": ([["True"]], [["False"], [], ["True", "Unknown"]]),
    3: ([[3], [3.0]], [[2], ["three"], []]),
}
"""By what is wanted, what fits and what does not."""


def field_stays(dice: Dice) -> Drawn:
    """Draw a claim that a field stays as it is wanted, but for some seconds at a time."""
    but_for = dice.pick(0.0, 5.0, 15.0, 30.0)
    stage = staged(dice, but_for + dice.between(50, 130))
    stage.judged()
    value = dice.choice(list(_VALUES))
    other = _otherwise(dice, stage, but_for)
    _write(dice, stage, other, *_VALUES[value])
    window = (_FIRST_SEEN, stage.judge)
    seen = clipped(other, *window)
    standing = [stretch for stretch in seen if stretch[1] >= stage.judge]
    truth: Truth = "borderline"
    if longest(seen) > but_for + _SLACK:
        truth = "violated"
    elif standing:
        young = 0.5 < stage.judge - standing[0][0] < but_for - _SLACK
        truth = "inconclusive" if young and longest(seen) < but_for - _SLACK else "borderline"
    elif not other or longest(seen) < but_for - _SLACK:
        truth = "holds" if all(end < stage.judge - 1 for _, end in seen) else "borderline"
    parameters = {"field": _FIELD, "value": value, "but_for": but_for}
    return Drawn(stage, parameters, truth, {_STREAM}, (0.0, stage.judge), places={_STREAM: seen or [window]})


def _otherwise(dice: Dice, stage: Stage, but_for: float) -> list[Stretch]:
    """Return when the field is otherwise: never, shortly, for too long, or to the end; perhaps from the beginning."""
    spans: list[Stretch] = []
    for _ in range(dice.pick(0, 1, 1, 2, 3)):
        late = stage.judge - dice.between(1, max(2, but_for))
        begin = dice.pick(0.0, dice.between(2, stage.judge - 3), dice.between(2, stage.judge - 3), late)
        length = dice.pick(dice.between(1.5, max(2, but_for * 0.8)), but_for + dice.between(1.5, 40), inf)
        spans.append((begin or -20.0, begin + length))
    return joined(spans)


def _write(dice: Dice, stage: Stage, other: list[Stretch], fitting: list[Found], wrong: list[Found]) -> None:
    """Let the object be as it is wanted but for those times, in which it may be gone; it changes in between, too."""
    moments = dict.fromkeys((-900.0, *(dice.between(1, stage.judge) for _ in range(3))), fitting)
    moments = {at: found for at, found in moments.items() if not any(begin <= at <= end for begin, end in other)}
    for begin, end in other:
        moments |= {begin: wrong, dice.between(max(begin, 0), min(end, stage.judge)): wrong, end: fitting}
        stage.say(f"it is otherwise from {begin:.1f} to {end:.1f} s")
    stage.put(WATCH_NODES, -900.0, "worker", {"metadata": {"name": "worker", "uid": "uid-worker"}})
    stage.watch(_STREAM)
    for number, (at, values) in enumerate(sorted(moments.items())):
        gone = values is wrong and dice.chance(0.4)
        if at < stage.end:
            stage.put(_STREAM, at, "shop/web", None if gone else _object(number, dice.choice(values)))


def _object(number: int, found: Found) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": "web", "uid": "uid-web", "resourceVersion": str(number)}
    return {"kind": "Deployment", "metadata": metadata, "found": found}
