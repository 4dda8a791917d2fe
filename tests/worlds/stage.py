"""Stage: a world as it truly is: objects through time, what each question would be answered, logs, and marks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

from chaos_harness.harness.history import EntryKind
from chaos_harness.harness.history.vocabulary import APPLY, EXPERIMENT, IN_FORCE, JUDGE, POLICIES, REMOVE, REMOVED
from tests.worlds.dice import Stretch

__all__ = ["STARTED", "Answer", "Asking", "Canary", "Line", "Log", "Question", "Stage", "Version"]

STARTED = 1_800_000_000.0

Object = dict[str, Any]


class Line(NamedTuple):
    """What the experiment itself writes at a moment; nobody but a cut or lost file hides it."""

    at: float
    kind: EntryKind
    process: str
    f: str
    value: Any = None


class Version(NamedTuple):
    """What an object is from a moment on; None: it is not there."""

    at: float
    key: str
    object: Object | None


class Answer(NamedTuple):
    """What is truly answered: after how long, what else the entry says, and what the API server logs of it.

    `decided` is what it writes into its audit log.
    """

    kind: EntryKind
    took: float
    value: Mapping[str, Any]
    logged: tuple[float, Object] | None = None
    decided: Object | None = None


@dataclass(frozen=True)
class Asking:
    """Who asks one thing again and again and waits for each answer: a replica, or the API server."""

    stream: str
    process: str
    f: str
    begin: float
    end: float
    every: float
    answer: Callable[[float], Answer]
    value: Mapping[str, Any] = field(default_factory=dict)


class Question(NamedTuple):
    """What the admission probe asks in its turn."""

    policy: str
    f: str
    dry_run: bool


@dataclass(frozen=True)
class Canary:
    """The admission probe: `rate` questions a second, in turn, open loop; `answer` is of a policy at a moment."""

    begin: float
    end: float
    rate: float
    questions: tuple[Question, ...]
    answer: Callable[[Question, float, int], Answer]

    @property
    def interval(self) -> float:
        """How many seconds there are between two questions about one policy, the rarest."""
        policies = [question.policy for question in self.questions]
        return len(policies) / min(policies.count(policy) for policy in policies) / self.rate


class Log(NamedTuple):
    """A log that is copied: what is logged when (`time` is put in), how often it is read, and the line's operation."""

    f: str
    every: float
    lines: list[tuple[float, Object]]


class Stage:
    """One world. It lasts until `end`; claims are judged as of `judge`. `steps` are steps of the wall clock.

    `audits` are the processes that copy audit logs; `decisions` are the requests in them that are not questions: when
    they came, when they were decided, and how.
    """

    def __init__(self, end: float, *, seed: int = 0, steps: Sequence[tuple[float, float]] = ()) -> None:
        self.end = end
        self.judge = end - 5.0
        self.seed = seed
        self.lines: list[Line] = []
        self.lists: dict[str, list[Version]] = {}
        self.askings: list[Asking] = []
        self.canaries: list[Canary] = []
        self.logs: dict[str, Log] = {}
        self.audits: list[str] = []
        self.decisions: list[tuple[float, float, Object]] = []
        self.steps = list(steps)
        self.sentences: list[str] = []

    def wall(self, at: float) -> float:
        """Return what the wall clock shows at a moment, in unix seconds."""
        return STARTED + at + sum(seconds for moment, seconds in self.steps if moment <= at)

    def mark(self, at: float, kind: EntryKind, process: str, f: str, value: Any = None) -> None:
        """Have the experiment write a line."""
        self.lines.append(Line(at, kind, process, f, value))

    def watch(self, process: str) -> list[Version]:
        """Have a list of objects watched; return its versions, for more to be put in, in any order."""
        return self.lists.setdefault(process, [])

    def put(self, process: str, at: float, key: str, body: Object | None) -> None:
        """Let an object be like this from a moment on (None: gone)."""
        self.watch(process).append(Version(at, key, body))

    def policies(self, since: float, until: float, *policies: str) -> Stretch:
        """Have policies put in force; return when they are."""
        names = {"policies": list(policies)}
        self.mark(since - 2, "invoke", POLICIES, APPLY, names)
        self.mark(since, "ok", POLICIES, IN_FORCE, {**names, "proof": "each replica enforces them"})
        self.mark(until, "invoke", POLICIES, REMOVE, names)
        self.mark(until + 0.5, "ok", POLICIES, REMOVED, names)
        return since, until

    def judged(self) -> None:
        """Write when it is judged."""
        self.mark(self.judge, "mark", EXPERIMENT, JUDGE)

    def streams(self) -> list[str]:
        """Return all that anybody looks at."""
        asked = dict.fromkeys(f"asked {question.policy}" for canary in self.canaries for question in canary.questions)
        return [*self.lists, *asked, *dict.fromkeys(asking.stream for asking in self.askings), *self.logs, *self.audits]

    def asked_every(self, stream: str) -> float:
        """Return how many seconds there are between two questions of a stream; infinite if nobody asks."""
        intervals = [asking.every for asking in self.askings if asking.stream == stream]
        canaries = (canary for canary in self.canaries if stream in {f"asked {one.policy}" for one in canary.questions})
        return max([*intervals, *(canary.interval for canary in canaries)], default=inf)

    def say(self, words: str) -> None:
        """Note something of the truth, for whoever looks at a world."""
        self.sentences.append(words)
