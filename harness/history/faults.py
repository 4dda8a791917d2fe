"""Faults: which faults a history has, when they were injected, proved and healed, and which time belongs to which."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf

from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import FAULT, HEAL, HEALED, INJECT, NOT_HEALED, OBSERVED, UNDONE

__all__ = ["FaultSpan", "Faults", "Names", "listed"]

Names = str | Sequence[str]
"""The name of a fault, its id, or several of them."""

_NOTHING = "nothing to heal"


def listed(names: Names) -> tuple[str, ...]:
    """Return one name, or several, as a tuple."""
    return (names,) if isinstance(names, str) else tuple(names)


@dataclass
class FaultSpan:
    """One fault; moments are seconds of the history (None: never).

    `id` is its process ("fault 2"), because two faults may have the same `name`. `proved` is when its effect was first
    observed, `healing` when its undos began, at the latest, `undone` when all of them were done, `healed` when it was
    proved to be healed, and `given_up` until when that proof was requested without success; `said` is the last answer.
    `heals_within` is the deadline of the proof in seconds. `one_shot`: its harm does not last, so there is nothing to
    heal. One whose first line is missing has been `injected` at -inf.
    """

    id: str
    name: str
    injected: float
    proved: float | None = None
    healing: float | None = None
    healed: float | None = None
    proof: str = ""
    heal_proof: str = ""
    undone: float | None = None
    given_up: float | None = None
    said: str = ""
    heals_within: float = inf

    blow: bool = False

    @property
    def one_shot(self) -> bool:
        """Whether its harm does not last; old histories record that only if there was nothing to heal."""
        return self.blow or self.heal_proof.startswith(_NOTHING)

    @property
    def harm(self) -> Span:
        """The time from its injection until it was proved to be healed, or for ever."""
        return self.injected, inf if self.healed is None else self.healed


class Faults(Reader):
    """The faults of a history, in their order; a reader (see `following`)."""

    def __init__(self) -> None:
        self.all: list[FaultSpan] = []
        self._open: dict[str, FaultSpan] = {}

    def named(self, *names: str) -> list[FaultSpan]:
        """Return the faults of these names, or ids ("fault 2"), in their order, proved or not."""
        return [fault for fault in self.all if fault.name in names or fault.id in names]

    def window(self, fault: FaultSpan) -> Span:
        """Return the time that belongs to a fault: until another fault is injected after its healing began.

        So its recovery still belongs to it. The end is infinite if there is no such fault.
        """
        if fault.healing is None:
            return fault.injected, inf
        return fault.injected, min(
            (other.injected for other in self.all if other.injected >= fault.healing), default=inf
        )

    def others(self, chosen: Collection[FaultSpan]) -> list[FaultSpan]:
        """Return the faults whose harm lies, at least in part, in the time of one of the `chosen` ones."""
        times = Spans.of(self.window(fault) for fault in chosen)
        ids = {fault.id for fault in chosen}
        return [fault for fault in self.all if fault.id not in ids and Spans.of([fault.harm]) & times]

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process.startswith(f"{FAULT} ") else None

    def _take(self, entry: Entry) -> None:
        if entry.f == INJECT:
            self._open[entry.process] = fault = FaultSpan(entry.process, entry.value["name"], entry.at)
            fault.blow = bool(entry.value.get("one_shot"))
            self.all.append(fault)
            return
        begun = self._open.get(entry.process)
        if begun is None:
            self._open[entry.process] = begun = FaultSpan(entry.process, entry.value["name"], -inf)
            self.all.append(begun)
        if entry.f == OBSERVED and begun.proved is None:
            begun.proved, begun.proof = entry.at, entry.value["proof"]
        elif entry.f == HEAL:
            begun.healing = entry.at
        elif entry.f == UNDONE:
            begun.undone, begun.heals_within = entry.at, entry.value["within"]
        elif entry.f == NOT_HEALED:
            begun.given_up, begun.said = entry.at, entry.value["said"]
        elif entry.f == HEALED:
            begun.healed, begun.heal_proof = entry.at, entry.value["proof"]
            begun.healing = entry.at if begun.healing is None else begun.healing
