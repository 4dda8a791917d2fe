"""Session: shrinks an incident on real clusters, within a budget, and writes the smallest one found."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from chaos_harness.clusters.checkout import command_line
from chaos_harness.harness import __version__
from chaos_harness.harness.errors import HarnessError, Inconclusive
from chaos_harness.harness.incident.bundle.write import Replay
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.shrink.algorithm import OutOfBudget, Shrinker, ShrinkResult
from chaos_harness.harness.incident.shrink.ledger import Ledger
from chaos_harness.harness.incident.shrink.parts import Part, durations, format_incident, remove_parts, structure

__all__ = ["ShrinkSession"]

RunOnce = Callable[[LoadedIncident], Replay]
"""Replays an incident once, on a cluster."""

_SILENT_MOST = 3
"""After so many runs in a row that broke or were inconclusive there is no other."""


@dataclass
class ShrinkSession:
    """One shrink: `live` runs a candidate, the `ledger` has the results; `budget` is in seconds.

    `runs` counts the runs of this process.
    """

    loaded: LoadedIncident
    ledger: Ledger
    live: RunOnce
    budget: float
    confidence: float
    say: Callable[[str], object] = lambda _line: None
    runs: int = 0
    _began: float = field(default_factory=time.monotonic)
    _longest: float = 0.0

    @cached_property
    def _parts(self) -> dict[str, Part]:
        """All parts that may be left out, by id."""
        return {part.id: part for part in (*structure(self.loaded), *durations(self.loaded))}

    def run(self) -> tuple[LoadedIncident, list[ShrinkResult]]:
        """Return the smallest incident found, and the results of the searches: first its pieces, then its times.

        Raises Inconclusive if the incident does not reproduce.
        """
        half = 1 - (1 - self.confidence) / 2
        parts = [part.id for part in structure(self.loaded)]
        first = Shrinker(parts, self._attempt, confidence=half).run()
        gone = frozenset(parts) - frozenset(first.kept)
        searches = [first]
        times = [part.id for part in durations(self.loaded) if part.whole.id not in gone]
        if first.finished and times:
            second = Shrinker(times, lambda left_out: self._attempt(left_out | gone), confidence=half).run()
            searches.append(second)
            gone |= frozenset(times) - frozenset(second.kept)
        return self._without(gone) or self.loaded, searches

    def _attempt(self, left_out: frozenset[str]) -> bool | None:
        candidate = self._without(left_out)
        if candidate is None:
            return None
        stored = self.ledger.take(left_out)
        if stored is not None:
            return stored
        for _ in range(_SILENT_MOST):
            replay = self._run(candidate, left_out)
            if replay.reason == "refused" and left_out:
                return None
            if replay.seen in ("reproduced", "not reproduced") or replay.reason == "inconclusive":
                reproduced = replay.seen == "reproduced"
                self.ledger.note(left_out, reproduced=reproduced, seconds=replay.seconds, seen=replay.seen)
                return reproduced
        if left_out:
            return None
        raise Inconclusive(
            f"{_SILENT_MOST} runs in a row could not be judged, the last one was {replay.seen}, which says nothing of "
            f"Gatekeeper: {replay.error or '; '.join(judged.summary for judged in replay.verdicts)}"
        )

    def _without(self, left_out: frozenset[str]) -> LoadedIncident | None:
        return remove_parts(self.loaded, frozenset(self._parts[part] for part in left_out))

    def _run(self, candidate: LoadedIncident, left_out: frozenset[str]) -> Replay:
        if time.monotonic() - self._began + self._longest > self.budget:
            raise OutOfBudget
        self.runs += 1
        names = sorted(str(self._parts[part]) for part in left_out)
        self.say(f"run {self.runs}: without {', '.join(names) or 'nothing'}")
        replay = self.live(candidate)
        self._longest = max(self._longest, replay.seconds)
        self.say(f"run {self.runs}: {replay.seen}")
        return replay

    def report(self, smallest: LoadedIncident, searches: Sequence[ShrinkResult], folder: Path) -> Iterator[str]:
        """Write the smallest incident below `folder`, and yield the lines of the report."""
        first, *_ = searches
        names = {part: str(called) for part, called in self._parts.items()}
        risk = min(1.0, sum(search.risk for search in searches))
        lines = [
            f"the whole incident reproduced {first.hits} of {first.runs}",
            *(finding.words(names) for search in searches for finding in search.findings),
            f"the chance that a part is missing without which it is seen a quarter as often is at most {risk:.1%}",
        ]
        target = folder / self.loaded.path.name
        head = f"shrunk by chaos-harness {__version__} from {self.loaded.path.name}; what each removal showed:"
        try:
            for file in smallest.files:
                copy = folder / file.relative_to(self.loaded.path.parent)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
            target.write_text(format_incident(smallest, [head, *lines]), encoding="utf-8")
        except OSError as error:
            raise HarnessError(f"{target}: cannot be written: {error.strerror}; see `df {folder}`") from error
        whole, left = structure(self.loaded), structure(smallest)
        before = f", {self.ledger.restored} of them before an interruption" if self.ledger.restored else ""
        runs = self.runs + self.ledger.restored
        yield f"{self.loaded.name}: {len(left)} of {len(whole)} parts are left after {runs} runs{before}"
        yield from (f"  {line}" for line in lines)
        if not all(search.finished for search in searches):
            yield f"the budget of {self.budget:g} s is used up; to go on, add: --resume {folder}"
        yield f"smallest:      {target}"
        yield f"replay it:     {command_line('repro --')} {target}"
