"""Estimates: how long the experiments of a run take, and how much of it is left."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness import private
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.experiment.record import PROPERTY

__all__ = ["CLUSTER_SECONDS", "DURATIONS", "Countdown", "Estimates", "PlannedExperiment", "in_minutes", "planned"]

DURATIONS = "durations.json"
"""The file of the last durations, in the folder of runs."""

_TAKES = "takes"
"""The marker of how long an experiment takes: `takes(150)`, in seconds. Tests of a file that share an experiment name
it: `takes(150, experiment="kill-all")`."""

CLUSTER_SECONDS = 75.0
"""Seconds for a new cluster: 50 on two idle cores, and its removal."""

_LOCK, _LOCK_SECONDS = "durations", 10.0
_UNKNOWN_SECONDS = 180.0
"""Seconds for an experiment of which nobody says anything."""


@dataclass(frozen=True)
class PlannedExperiment:
    """An experiment that a run makes, and the tests that judge it.

    `key` names it in the file of durations. `stated_seconds` is what the scenario says; None: nothing.
    """

    key: str
    tests: tuple[pytest.Item, ...]
    stated_seconds: float | None


def planned(items: Sequence[pytest.Item]) -> list[PlannedExperiment]:
    """Return the experiments of these tests, in the order in which they begin."""
    tests: dict[str, list[pytest.Item]] = {}
    for test in items:
        tests.setdefault(_key(test), []).append(test)
    return [PlannedExperiment(key, tuple(group), _stated_seconds(group[0])) for key, group in tests.items()]


class Estimates:
    """How long experiments take: as long as their last run on this machine, else as scenarios say.

    The last durations are in a file of JSON; without it, or if it cannot be read, there are none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = self._read()

    def seconds(self, experiment: PlannedExperiment) -> float:
        """Return how long an experiment takes, in seconds, without its cluster."""
        stated = _UNKNOWN_SECONDS if experiment.stated_seconds is None else experiment.stated_seconds
        return self._last.get(experiment.key, stated)

    def remember(self, durations: Mapping[str, float]) -> None:
        """Keep these durations for the next run, with those that other runs have kept meanwhile.

        A disk that refuses them costs no more than that.
        """
        self._last |= durations
        with suppress(OSError, HarnessError), hold_lock(_LOCK, Deadline.after(_LOCK_SECONDS, "durations to be kept")):
            kept = {key: round(seconds, 1) for key, seconds in sorted({**self._read(), **durations}.items())}
            private.directory(self._path.parent)
            private.write(self._path, json.dumps(kept, indent=1))

    def _read(self) -> dict[str, float]:
        """Return the durations in the file; none if it cannot be read."""
        with suppress(OSError, ValueError, AttributeError, TypeError):
            written = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(key): float(seconds) for key, seconds in written.items()}
        return {}


class Countdown:
    """Says before each experiment which test comes, of how many, and about how long the rest takes.

    A plugin of a run without workers. `shapes` are those of the collected files: files of one shape that follow each
    other share a cluster.
    """

    def __init__(
        self,
        estimates: Estimates,
        shapes: Callable[[], Mapping[Path, Shape]],
        say: Callable[[str], None],
    ) -> None:
        self._estimates = estimates
        self._shapes = shapes
        self._say = say
        self._tests: list[pytest.Item] = []
        self._experiments: list[PlannedExperiment] = []
        self._begun: str | None = None
        self._took: dict[str, float] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is going to run."""
        self._tests, self._experiments = list(session.items), planned(session.items)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say what is left, if the test's experiment begins."""
        number = next((number for number, test in enumerate(self._tests) if test.nodeid == nodeid), None)
        if number is None or _key(self._tests[number]) == self._begun:
            return
        self._begun = _key(self._tests[number])
        keys = [experiment.key for experiment in self._experiments]
        left = self.seconds_of(self._experiments[keys.index(self._begun) :], new=number == 0)
        self._say(f"Test {number + 1} of {len(self._tests)}, about {in_minutes(left)} left")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how long the experiment of a test that passed took."""
        key = next((_key(test) for test in self._tests if test.nodeid == report.nodeid), None)
        seconds = _experiment_seconds(report) if report.when == "call" and report.passed else None
        if key is not None and seconds is not None:
            self._took[key] = seconds

    def pytest_sessionfinish(self) -> None:
        """Keep the durations for the next run."""
        if self._took:
            self._estimates.remember(self._took)

    def seconds_of(self, experiments: Sequence[PlannedExperiment], *, new: bool = True) -> float:
        """Return how long these experiments take, with the clusters that are created for them.

        `new`: whether the first of them needs a cluster of its own; those of other files may.
        """
        paths = list(dict.fromkeys(experiment.tests[0].path for experiment in experiments))
        shapes = [self._shapes().get(path) for path in paths]
        clusters = sum(before != after for before, after in pairwise(shapes)) + new
        return sum(map(self._estimates.seconds, experiments)) + CLUSTER_SECONDS * clusters


def in_minutes(seconds: float) -> str:
    """Return a duration as text, in whole minutes, at least one."""
    minutes = max(1, round(seconds / 60))
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _key(test: pytest.Item) -> str:
    marker = test.get_closest_marker(_TAKES)
    shared = marker.kwargs.get("experiment") if marker else None
    return test.nodeid if shared is None else f"{test.nodeid.partition('::')[0]}::{shared}"


def _stated_seconds(test: pytest.Item) -> float | None:
    marker = test.get_closest_marker(_TAKES)
    return float(marker.args[0]) if marker and marker.args else None


def _experiment_seconds(report: pytest.TestReport) -> float | None:
    """Return how long the phases of a test's experiment took, by its record."""
    carried = [value for name, value in report.user_properties if name == PROPERTY]
    phases = json.loads(str(carried[-1]))["phases"] if carried else []
    times = [moment for phase in phases for moment in (phase["start"], phase["stop"]) if moment is not None]
    return max(times) - min(times) if times else None
