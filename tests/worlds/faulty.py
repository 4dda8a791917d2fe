"""Faulty: the faults of a world, as they truly were, and to which of them a moment belongs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf

from chaos_harness.harness.history.vocabulary import FAULT, HEAL, HEALED, INJECT, NOT_HEALED, OBSERVED, UNDONE
from tests.worlds.dice import Dice, Stretch, clipped, joined
from tests.worlds.stage import Stage

__all__ = ["TrueFault", "drawn_faults", "harm_of_others", "time_of", "written"]

NAMES = ("cut webhook", "kill node", "cut registry", "restart webhooks")


@dataclass(frozen=True)
class TrueFault:
    """A fault: when it was injected, proved (None: never), began to be healed and was healed (infinite: never).

    `undone` is when all that takes it back was done, `given_up` when nobody asked any more whether it is healed; None:
    that was not written.
    """

    id: str
    name: str
    injected: float
    proved: float | None
    healing: float = inf
    healed: float = inf
    one_shot: bool = False
    undone: float | None = None
    given_up: float | None = None

    @property
    def harm(self) -> Stretch:
        """From when to when its harm lasted."""
        return self.injected, self.healed


def time_of(fault: TrueFault, faults: Sequence[TrueFault], judge: float) -> Stretch:
    """Return the time that belongs to a fault: until another one begins after its healing, or it is judged."""
    after = (other.injected for other in faults if other.injected >= fault.healing)
    return fault.injected, min([*after, judge])


def harm_of_others(chosen: Collection[TrueFault], faults: Sequence[TrueFault], window: Stretch) -> list[Stretch]:
    """Return when, in a window, another fault than the chosen ones did harm, too."""
    return clipped(joined(fault.harm for fault in faults if fault not in chosen), *window)


def drawn_faults(
    dice: Dice, stage: Stage, first: float, *, most: int = 3, names: Sequence[str] = NAMES
) -> list[TrueFault]:
    """Return one fault or more: one after the other, one within another, of one name or several, some unproved."""
    last = stage.judge - 8
    faults: list[TrueFault] = []
    at = first
    for number in range(dice.randint(1, most)):
        if at > last - 6:
            break
        lasts = dice.between(5, 40)
        one_shot = dice.chance(0.15)
        healing = min(at + (dice.between(1.5, 4) if one_shot else lasts), last)
        if dice.chance(0.08):  # dealt as a blow, or kept until the experiment ends
            healing = stage.judge + 1.5
        name = faults[0].name if faults and dice.chance(0.25) else dice.choice(names)
        proved = None if dice.chance(0.04) else at + dice.between(0.3, 1.2)
        healed = healing + dice.between(0.2, 2.0)
        faults.append(TrueFault(f"{FAULT} {number + 1}", name, at, proved, healing, healed, one_shot))
        within = dice.chance(0.3)  # the one before, or across its end
        at = at + dice.between(2, lasts) if within else min(healed, last) + dice.between(4, 30)
    return faults


def written(stage: Stage, faults: Sequence[TrueFault]) -> None:
    """Have the marks of faults written, as an experiment does."""
    for fault in faults:
        value = {"name": fault.name}
        stage.mark(fault.injected, "invoke", fault.id, INJECT, value)
        if fault.proved is not None:
            stage.mark(fault.proved, "ok", fault.id, OBSERVED, {**value, "proof": "its effect was seen"})
            if fault.healing - 0.1 > fault.proved:
                stage.mark(fault.healing - 0.05, "ok", fault.id, OBSERVED, {**value, "proof": "still seen"})
        if fault.healing < stage.end:
            stage.mark(fault.healing, "invoke", fault.id, HEAL, value)
        if fault.undone is not None:
            stage.mark(fault.undone, "ok", fault.id, UNDONE, {**value, "within": 120.0})
        if fault.given_up is not None:
            stage.mark(fault.given_up, "fail", fault.id, NOT_HEALED, {**value, "said": "it is not back"})
        if fault.healed < stage.end:
            proof = "nothing to heal: it was one blow" if fault.one_shot else "nothing of it is left"
            stage.mark(fault.healed, "ok", fault.id, HEALED, {**value, "proof": proof})
        words = "never proved" if fault.proved is None else f"proved {fault.proved:.1f}"
        blow = ", one-shot" if fault.one_shot else ""
        stage.say(
            f"{fault.id} {fault.name!r}: {fault.injected:.1f} to {fault.healing:.1f}/{fault.healed:.1f} s, "
            f"{words}{blow}"
        )
