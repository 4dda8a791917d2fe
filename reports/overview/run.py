"""Run: what a run's directory says about its experiments, tests and claims, for the overview."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.experiment.record import ClaimRecord
from chaos_harness.harness.history import read
from chaos_harness.reports import run_directory
from chaos_harness.reports.overview.effects import FaultEffect, read_effects
from chaos_harness.reports.overview.strips import Strip, draw_strips
from chaos_harness.reports.picture.draw import draw_timeline
from chaos_harness.reports.picture.read_history import read_story
from chaos_harness.reports.truth.verdict_lines import BROKEN, FILE, VerdictLine, read_verdicts

__all__ = ["STANDINGS", "ExperimentOverview", "RunOverview", "Standing", "claims_of", "read_run", "standing"]

Standing = Literal["surprise", "broken", "inconclusive", "known", "predicted", "held"]
"""How a claim came out: not as expected; the harness broke; undecided; violated as expected, with an issue or without;
held as expected."""

Ending = Literal["ended", "interrupted", "killed", "running", "unknown"]
"""How a run ended; unknown, if it left no record of its own."""

STANDINGS: tuple[Standing, ...] = ("surprise", "broken", "inconclusive", "known", "predicted", "held")
"""All standings, what a reader must see first coming first."""

_MOST_PICTURE_BYTES = 24 * 1024 * 1024
"""Of all whole timelines in a page together: a browser must still open it."""


def standing(line: VerdictLine) -> Standing:
    """Return how a claim came out."""
    if line.broken or line.outcome == BROKEN:
        return "broken"
    if line.outcome == "inconclusive":
        return "inconclusive"
    if line.outcome != line.expected or line.surprise:
        return "surprise"
    if line.outcome == "holds":
        return "held"
    return "known" if line.issue else "predicted"


@dataclass
class ExperimentOverview:
    """One experiment: its history as the read model sees it, and the claims of the tests that share it.

    `started` is unix seconds, `seconds` the length of the history. `cut_off`: the recording did not come to its end.
    `problem` says why the history could not be read, or "". `picture` is the whole timeline as SVG, "" if the page has
    no room for it. An experiment without `lines` has no verdict: its test did not end.
    """

    name: str
    history: Path
    lines: list[VerdictLine] = field(default_factory=list)
    effects: list[FaultEffect] = field(default_factory=list)
    strips: list[Strip] = field(default_factory=list)
    picture: str = ""
    started: float | None = None
    seconds: float = 0.0
    cut_off: bool = False
    problem: str = ""

    @property
    def tests(self) -> list[str]:
        """The ids of its tests, each once."""
        return list(dict.fromkeys(line.test for line in self.lines))

    @property
    def title(self) -> str:
        """The name of its only test, or the experiment's own name if tests share it."""
        return self.tests[0].rpartition("::")[2] if len(self.tests) == 1 else self.name

    @property
    def shape(self) -> Mapping[str, Any]:
        """The shape of its cluster; empty if no verdict names it."""
        return self.lines[0].shape if self.lines else {}

    @property
    def issues(self) -> list[str]:
        """The issues of the known defects that reproduced in it, each once."""
        return list(dict.fromkeys(line.issue for line in self.lines if line.issue and standing(line) == "known"))

    @property
    def badness(self) -> tuple[float, ...]:
        """The sort key by which the worst comes first."""
        return min((effect.badness for effect in self.effects), default=(0.0,) * 4)


@dataclass
class RunOverview:
    """One run. `loose` are verdicts of tests without an experiment, `unfinished` tests that began and did not end.

    `tests` counts those that began, as far as is recorded, `chosen` those that were to run (None: not recorded).
    Moments are unix seconds. `ending` is how it ended.
    """

    name: str
    experiments: list[ExperimentOverview]
    loose: list[VerdictLine]
    unfinished: list[str]
    tests: int
    chosen: int | None
    started: float | None
    ended: float | None
    ending: Ending

    @property
    def lines(self) -> list[VerdictLine]:
        """All verdicts."""
        return [*(line for experiment in self.experiments for line in experiment.lines), *self.loose]

    def of(self, which: Standing) -> list[tuple[ExperimentOverview | None, VerdictLine]]:
        """Return the verdicts of one standing, with their experiments."""
        owned = [(experiment, line) for experiment in self.experiments for line in experiment.lines]
        every = [*owned, *((None, line) for line in self.loose)]
        return [(experiment, line) for experiment, line in every if standing(line) == which]

    @property
    def effects(self) -> list[tuple[ExperimentOverview, FaultEffect]]:
        """What the faults of all experiments did, the worst first."""
        every = [(experiment, effect) for experiment in self.experiments for effect in experiment.effects]
        return sorted(every, key=lambda pair: pair[1].badness)


def read_run(run: Path) -> RunOverview:
    """Return what a run's directory says; histories are read once each, in memory that does not grow with them.

    A history that cannot be read, and a file that is missing or broken, is a gap in it and no error.
    """
    state = run_directory.read_state(run)
    ending = _ending(run, state)
    unfinished, _ = run_directory.read_tests(run)
    lines = _verdicts(run)
    by_history: dict[Path, list[VerdictLine]] = {}
    loose = []
    for line in lines:
        if line.history:
            by_history.setdefault(run / line.history, []).append(line)
        else:
            loose.append(line)
    paths = dict.fromkeys([*by_history, *sorted((run / "experiments").glob("*/*/history.jsonl"))])
    room = _MOST_PICTURE_BYTES
    experiments = []
    for path in paths:
        experiment = _experiment(path, by_history.get(path, []))
        room -= len(experiment.picture)
        if room < 0:
            experiment.picture = ""
        experiments.append(experiment)
    return RunOverview(
        run.name,
        sorted(experiments, key=lambda one: one.badness),
        loose,
        unfinished,
        run_directory.count_tests(run) or len({line.test for line in lines}),
        state.chosen if state else None,
        state.started if state else min((one.started for one in experiments if one.started), default=None),
        state.ended if state else None,
        ending,
    )


def _ending(run: Path, state: run_directory.RunState | None) -> Ending:
    if state is None:
        return "unknown"
    if state.ended is None:
        return "running" if run_directory.is_running(run, state) else "killed"
    return "interrupted" if state.status == pytest.ExitCode.INTERRUPTED else "ended"


def _verdicts(run: Path) -> list[VerdictLine]:
    try:
        return read_verdicts(run / FILE)
    except BadScenario:
        return []


def _experiment(path: Path, lines: list[VerdictLine]) -> ExperimentOverview:
    experiment = ExperimentOverview(path.parent.name.strip("-"), path, lines)
    try:
        recorded = read(path)
        experiment.started, experiment.cut_off = recorded.header.started, not recorded.ended
        story = read_story(recorded)
        experiment.seconds = story.end
        experiment.effects = read_effects(recorded)
        experiment.strips = draw_strips(story, experiment.effects)
        experiment.picture = draw_timeline(story, experiment.title, list(map(_claim, claims_of(lines))))
    except Exception as error:  # noqa: BLE001 - whatever one history has in it, the page has the others
        experiment.problem = f"{type(error).__name__}: {error}"
    return experiment


def claims_of(lines: Iterable[VerdictLine]) -> list[VerdictLine]:
    """Return the lines that are verdicts on claims, not on tests that broke beside them."""
    return [line for line in lines if line.outcome != BROKEN]


def _claim(line: VerdictLine) -> ClaimRecord:
    """Return the claim as the timeline draws it; older runs do not record when it was decided."""
    return ClaimRecord(
        line.claim,
        line.expected,
        line.outcome,
        line.issue,
        line.summary,
        list(line.evidence),
        line.figures,
        at=line.at,
        surprise=line.surprise,
        because=line.because,
    )
