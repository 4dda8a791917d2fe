"""Story: the content of a history in the terms of a picture."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from chaos_harness.harness.history.vocabulary import CANARY
from chaos_harness.reports.picture.counts import Bins, Tally
from chaos_harness.reports.picture.states import Lifeline

__all__ = ["Band", "ChainLink", "Mark", "QuestionLabel", "Story"]


@dataclass
class Band:
    """A fault or a phase of the experiment: its moments in seconds of the history; None: not seen.

    `one_shot`: the fault does its harm in one moment, so there is nothing to heal.
    """

    name: str
    begun: float
    proved: float | None = None
    proof: str = ""
    healing: float | None = None
    ended: float | None = None
    heal_proof: str = ""
    one_shot: bool = False


class QuestionLabel(NamedTuple):
    """A question, and the `family` of processes that ask it ("canary"); their answers are counted together."""

    family: str
    asked: str

    def __str__(self) -> str:
        """Return it as text."""
        return f"{self.family} {self.asked}"

    @property
    def short(self) -> str:
        """The question alone if the canary asks it, else with its family."""
        return self.asked if self.family == CANARY else str(self)


@dataclass(frozen=True)
class Mark:
    """A moment with a word for it."""

    at: float
    what: str
    how: str = ""


@dataclass
class ChainLink:
    """One event of the chain of events; it was repeated `times` with the same words, the last time at `until`."""

    at: float
    what: str
    times: int = 1
    until: float = 0.0


@dataclass
class Story:
    """The content of a history in the terms of a picture: bands, marks, lifelines and tallies, all limited in number.

    `questions` are those to the API server; `replicas` those to each webhook pod itself. `chain` is what happened, in
    order, each event once. `omitted` counts what was left out, by kind.
    """

    end: float = 0.0
    operations: int = 0
    started: float = 0.0
    truncated: bool = False
    faults: list[Band] = field(default_factory=list)
    phases: list[Band] = field(default_factory=list)
    harms: list[Mark] = field(default_factory=list)
    questions: dict[QuestionLabel, Tally] = field(default_factory=dict)
    replicas: dict[str, Tally] = field(default_factory=dict)
    lives: dict[str, Lifeline] = field(default_factory=dict)
    rotation: list[tuple[float, int]] = field(default_factory=list)
    changes: dict[str, list[Mark]] = field(default_factory=dict)
    gaps: list[Mark] = field(default_factory=list)
    requests: Bins = field(default_factory=Bins)
    chain: list[ChainLink] = field(default_factory=list)
    omitted: Counter[str] = field(default_factory=Counter)

    @property
    def canaries(self) -> dict[QuestionLabel, Tally]:
        """The tallies of the canary's questions."""
        return {question: tally for question, tally in self.questions.items() if question.family == CANARY}
