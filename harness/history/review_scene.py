"""Review scene: webhook pods, what they decided of reviews, and what was changed meanwhile, read once for checks."""

from collections.abc import Sequence
from math import inf

from chaos_harness.harness.history.coverage import Coverage, replica
from chaos_harness.harness.history.decisions import Decisions
from chaos_harness.harness.history.faults import Faults
from chaos_harness.harness.history.following import Reader, Take, follow
from chaos_harness.harness.history.in_force import InForce
from chaos_harness.harness.history.in_service import InService
from chaos_harness.harness.history.pods import Pods
from chaos_harness.harness.history.recorded import Entry, History
from chaos_harness.harness.history.rotation import Rotation
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import APPLY, IN_FORCE, POLICIES, REMOVE, REMOVED
from chaos_harness.harness.policies import IGNORE_LABEL

__all__ = ["ReviewScene"]

_ENDS = {APPLY: IN_FORCE, REMOVE: REMOVED}


class ReviewScene:
    """What a history has of webhook pods that were asked directly; `until` is where what is judged ends, in seconds."""

    def __init__(self, recorded: History) -> None:
        self.coverage, self.decisions = Coverage(recorded), Decisions()
        self.in_force, self.faults, self._policies = InForce(), Faults(), _PolicyChanges()
        pods, rotation = Pods(), Rotation()
        readers = (self.in_force, self.faults, self._policies, pods, rotation, self.decisions, self.coverage)
        follow(recorded, *readers)
        self.service = InService(self.coverage, pods, rotation)

    @property
    def until(self) -> float:
        """Where what is judged ends; infinite if the recording was cut off, so that more may have come."""
        return self.coverage.until if self.coverage.ended else inf

    def asked_about(self, policies: Sequence[str]) -> list[str]:
        """Return the questions to webhook pods that are about these policies; none: all questions."""
        questions = self.decisions.questions
        return [one for one in questions if not policies or any(self._is(one, policy) for policy in policies)]

    def unasked(self, policies: Sequence[str]) -> list[str]:
        """Return which of these policies no webhook pod was asked about."""
        return [policy for policy in policies if not self.asked_about([policy])]

    def tolerance(self, question: str) -> float:
        """Return how many seconds may lie between two answers to a question before that time is unseen."""
        return max((self.coverage.of(replica(uid, question)).tolerance for uid in self.service.uids), default=0.0)

    def marked(self) -> Spans:
        """Return when something was being changed, as the experiment marked it: a policy, or the harm of a fault."""
        faults = [
            (fault.injected, (fault.proved or fault.injected) if fault.one_shot else fault.harm[1])
            for fault in self.faults.all
        ]
        return Spans.of((begin, max(end, begin + _INSTANT)) for begin, end in (*faults, *self._policies.spans()))

    def _is(self, question: str, policy: str) -> bool:
        name = question or IGNORE_LABEL
        return name == policy or self.in_force.asked_about(policy, [name])


_INSTANT = 1e-3
"""The length in seconds of what was changed at once."""


class _PolicyChanges(Reader):
    """When policies were put in force, or removed; a reader (see `following`)."""

    def __init__(self) -> None:
        self._all: list[tuple[float, float]] = []
        self._open: dict[str, float] = {}

    def spans(self) -> list[tuple[float, float]]:
        """Return from when to when; infinite where the end was not recorded."""
        return [*self._all, *((begin, inf) for begin in self._open.values())]

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process == POLICIES else None

    def _take(self, entry: Entry) -> None:
        if entry.f in _ENDS:
            self._open.setdefault(_ENDS[entry.f], entry.at)
        else:
            self._all.append((self._open.pop(entry.f, entry.at), entry.at))
