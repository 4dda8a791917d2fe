"""Metamorphic: who sees less may only become less sure: a verdict stays, or becomes inconclusive."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from math import inf

from chaos_harness.harness.history import Entry, History
from chaos_harness.harness.history.vocabulary import END, FAIL_OPEN, LATE, METRONOME, REGISTRY, is_watch
from tests.worlds.claimed import Claimed
from tests.worlds.dice import Dice
from tests.worlds.hiding import ALL, Hiding, is_audit, of_stream, restart
from tests.worlds.judging import verdict
from tests.worlds.truths import world

__all__ = ["broken", "less", "outside"]

_TIMES = 6
_FAR_SECONDS = 60.0


def less(claimed: Claimed, dice: Dice) -> Iterator[tuple[str, History]]:
    """Yield histories of the same world of which more is hidden, or in which it was starved, each with what is so."""
    stage = claimed.drawn.stage
    needed = sorted((claimed.drawn.streams | claimed.drawn.helps) & set(stage.streams()))
    taken = {hiding.stream for hiding in claimed.hidings}
    holes = {ALL} & taken  # where a watch goes on after a gap is a sign of life, nearer to a hole than there was before
    for _ in range(_TIMES):
        streams = [stream for stream in (needed if dice.chance(0.8) else stage.streams()) if stream not in taken]
        streams = [stream for stream in streams if not (holes and is_watch(stream))]
        low, high = claimed.drawn.window
        begin = dice.between(max(0.0, low - 15), min(stage.judge, high + 5))
        end = begin + dice.pick(0.3, 3.0, 12.0, 45.0, inf)
        kind = dice.random()
        if kind < 0.15 and streams:
            more = [Hiding(dice.choice(streams), 0.0, inf, "absent")]
        elif kind < 0.65 and streams:
            more = [of_stream(dice, dice.choice(streams), begin, end)]
        elif kind < 0.75 and not taken:
            more = restart(dice, stage, begin, min(end, begin + 30))
        elif kind < 0.9:
            more = [Hiding(ALL, begin, begin, "line")]
        else:
            more = [Hiding(ALL, begin, inf, "killed")]
        yield "; ".join(map(str, more[:2])), claimed.recorded(more)
    yield from _lines(claimed.recorded(), dice)
    yield from _starved(claimed.recorded(), Dice(f"starved {claimed.check} {claimed.seed}"))


def _lines(recorded: History, dice: Dice) -> Iterator[tuple[str, History]]:
    """Yield the history cut after a line, and without it; rare lines are as likely as frequent ones."""
    entries = list(recorded.entries)
    kinds: dict[str, list[int]] = {}
    for number, entry in enumerate(entries):
        kinds.setdefault(f"{entry.process.partition(' ')[0]} {entry.f}", []).append(number)
    for _ in range(_TIMES // 2):
        number = dice.choice(dice.choice(sorted(kinds.values())))
        entry = entries[number]
        words = f"line {entry.index} ({entry.at:.2f} s {entry.process} {entry.f})"
        cut = entries[: number + 1]
        yield f"cut after {words}", replace(recorded, entries=cut, ended=recorded.ended and entry.f == END)
        if entry.f != END:
            yield f"without {words}", replace(recorded, entries=entries[:number] + entries[number + 1 :])


def _starved(recorded: History, dice: Dice) -> Iterator[tuple[str, History]]:
    """Yield the history with one mark more: that this machine was starved up to some line."""
    entries = list(recorded.entries)
    for _ in range(_TIMES // 2):
        number = dice.randrange(len(entries))
        line = entries[number]
        seconds = round(min(line.at, dice.pick(0.3, 3.0, 12.0, 45.0, inf)), 3)
        mark = Entry(line.index, "info", METRONOME, LATE, {"seconds": seconds}, line.at, line.wall)
        later = [replace(entry, index=entry.index + 1) for entry in entries[number:]]
        words = f"starved for {seconds:.1f} s up to line {line.index} ({line.at:.2f} s)"
        yield words, replace(recorded, entries=[*entries[:number], mark, *later])


def outside(claimed: Claimed, dice: Dice) -> Iterator[tuple[str, History]]:
    """Yield histories of which something is hidden that the claim does not name, or far from its window."""
    stage = claimed.drawn.stage
    low, high = claimed.drawn.window
    taken = {hiding.stream for hiding in claimed.hidings}
    foreign = [
        stream for stream in stage.streams() if stream not in claimed.drawn.streams | claimed.drawn.helps | taken
    ]
    if foreign:
        stream = dice.choice(foreign)
        begin = dice.between(1, stage.judge)
        more = [dice.pick(Hiding(stream, 0.0, inf, "absent"), of_stream(dice, stream, begin, begin + 30))]
        yield str(more[0]), claimed.recorded(more)
    named = sorted(stream for stream in claimed.drawn.streams & set(stage.streams()) if stream not in taken)
    for stream in named:
        if high + _FAR_SECONDS < stage.judge and not (
            is_watch(stream) or is_audit(stream) or stream in (FAIL_OPEN, REGISTRY)
        ):
            begin = dice.between(high + 40, stage.judge - 10)
            more = [of_stream(dice, stream, begin, begin + 8)]
            yield str(more[0]), claimed.recorded(more)
    del low


def _broken(check: str, seed: int) -> list[str]:
    claimed = world(check, seed)
    dice = Dice(f"less {check} {seed}")
    before = verdict(claimed, claimed.recorded())
    if before is None:
        return []
    breaches = []
    for words, recorded in less(claimed, dice):
        after = _outcome(claimed, recorded)
        if after not in (before.outcome, "inconclusive"):
            breaches.append(f"seed {seed}: {before.outcome}, but {after} with less: {words}")
    for words, recorded in outside(claimed, dice):
        after = _outcome(claimed, recorded)
        if after != before.outcome:
            breaches.append(f"seed {seed}: {before.outcome}, but {after} without what it does not name: {words}")
    return breaches


def _outcome(claimed: Claimed, recorded: History) -> str:
    try:
        checked = verdict(claimed, recorded)
    except Exception as error:  # noqa: BLE001 - that a check raises is what is looked for
        return f"raised {error!r}"
    return checked.outcome if checked else "missing"


def broken(check: str, seeds: Iterable[int], *, jobs: int = 1) -> list[str]:
    """Return, in words, in which worlds a check became surer, or another, because something was hidden."""
    if jobs == 1:
        return [breach for seed in seeds for breach in _broken(check, seed)]
    with ProcessPoolExecutor(jobs) as pool:
        return [breach for breaches in pool.map(partial(_broken, check), seeds, chunksize=10) for breach in breaches]
