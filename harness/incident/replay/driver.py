"""Driver: replays an incident in an open experiment, each step when its time or its trigger has come."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.errors import DeadlineExceeded, Inconclusive
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.phases import convert_bad_scenario
from chaos_harness.harness.experiment.trigger import Trigger, When
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.manifests import policies_of
from chaos_harness.harness.incident.model import SCHEMA, Step, TriggerSpec
from chaos_harness.harness.incident.replay.resolve import resolve
from chaos_harness.harness.incident.timeline import length
from chaos_harness.harness.incident.watches import lists_of
from chaos_harness.harness.probes.objects import watch_objects

__all__ = ["replay_incident"]


@convert_bad_scenario("the incident")
def replay_incident(loaded: LoadedIncident, experiment: Experiment) -> None:
    """Run the incident's timeline, heal, and wait until Gatekeeper is serving again.

    The timeline starts when policies and workload are applied and the probes are asking. What one-shot steps leave is
    healed after the last turn, before the claims are judged. Raises Inconclusive if a trigger does not come in time or
    the budget is used up, and the errors of faults.
    """
    incident = loaded.incident
    if incident.seed is not None:
        experiment.random.seed(incident.seed)
        experiment.record.seed = incident.seed
    for prepared in incident.preparations:
        values = resolve(prepared.with_, experiment.cluster, experiment.random)
        experiment.prepare(entries("preparation")[prepared.preparation].make(values))
    if policies := policies_of(loaded):
        experiment.apply(*policies)
    watched = [watched for words in incident.watch for watched in lists_of(words)]
    experiment.probe(*watch_objects(experiment.cluster, experiment.history, watched))
    for probed in incident.probes:
        probe = entries("probe")[probed.probe].make(probed.with_, experiment.cluster, experiment.history)
        experiment.probe(probe)
    budget = Deadline.after(incident.budget, f"the timeline, {incident.repeat} times")
    with ExitStack() as one_shots:
        for turn in range(incident.repeat):
            with ExitStack() as healing:
                _TimelineRun(loaded, experiment, healing, one_shots, budget, turn).run()
    if incident.recovery:
        experiment.recovered(incident.recovery)


@dataclass(order=True)
class _Due:
    """A step that is due to begin or to end."""

    at: float
    index: int
    ends: bool = field(compare=False)


class _TimelineRun:
    """One run of a timeline; `healing` heals what lasts at its end, `one_shots` the others after the last one."""

    def __init__(
        self,
        loaded: LoadedIncident,
        experiment: Experiment,
        healing: ExitStack,
        one_shots: ExitStack,
        budget: Deadline,
        turn: int,
    ) -> None:
        self._steps = loaded.incident.faults
        self._before = turn * len(self._steps) if loaded.incident.schema_ == SCHEMA else None
        self._budget = budget
        self._experiment = experiment
        self._healing = healing
        self._one_shots = one_shots
        self._open: dict[int, ExitStack] = {}
        self._wake = threading.Event()
        self._sprung: SimpleQueue[int] = SimpleQueue()
        self._due: list[_Due] = []
        self._began = time.monotonic()
        self._end = length(loaded.incident)

    def run(self) -> None:
        """Begin and end all steps when they are due, until no step is left and the timeline is over."""
        with self._arm_triggers() as waiting:
            self._began = time.monotonic()
            self._due = [_Due(_begin(step), index, ends=False) for index, step in self._timed_steps()]
            while self._due or waiting or self._now < self._end:
                self._wait(min([self._next(), *(self._time_limit(index) for index in waiting)]))
                for index in self._take_sprung():
                    waiting.pop(index, None)
                    self._due.append(_Due(self._now + self._steps[index].delay, index, ends=False))
                for index, trigger in waiting.items():
                    if self._now > self._time_limit(index):
                        self._complain(index, trigger)
                self._do()

    @property
    def _now(self) -> float:
        return time.monotonic() - self._began

    def _next(self) -> float:
        return min(self._due).at if self._due else max(self._end, self._now)

    def _timed_steps(self) -> Iterator[tuple[int, Step]]:
        return ((index, step) for index, step in enumerate(self._steps) if step.at is not None)

    @contextmanager
    def _arm_triggers(self) -> Iterator[dict[int, Trigger]]:
        """Give the armed triggers of the steps that wait for one, by step index."""
        with ExitStack() as stack:
            yield {
                index: stack.enter_context(self._trigger(index, step.when))
                for index, step in enumerate(self._steps)
                if step.when
            }

    def _trigger(self, index: int, wanted: TriggerSpec) -> Trigger:
        when = When(wanted.kind, wanted.event, wanted.name, wanted.namespace)
        act = partial(self._spring, index, partial(next, count(1)), wanted.count)
        return Trigger(self._experiment.cluster, self._experiment.history, when, act, times=wanted.count)

    def _spring(self, index: int, seen: Callable[[], int], wanted: int, _object: object) -> None:
        """Notify the main thread, which acts, that a step's trigger has come; runs in the trigger's thread."""
        if seen() == wanted:
            self._sprung.put(index)
            self._wake.set()

    def _time_limit(self, index: int) -> float:
        when = self._steps[index].when
        return when.within if when else 0.0

    def _complain(self, index: int, trigger: Trigger) -> None:
        """Raise Inconclusive with what the trigger of a step saw instead."""
        try:
            trigger.wait(Deadline.after(0, f"step {index + 1} ({self._steps[index].fault}) to begin"))
        except DeadlineExceeded as error:
            within = self._time_limit(index)
            raise Inconclusive(f"{error}; it may take {within:g} s, see `when` of this step") from error

    def _wait(self, until: float) -> None:
        if self._budget.expired:
            raise Inconclusive(
                f"the budget of {self._budget.seconds:g} s is used up after {self._now:.0f} s of the timeline"
            )
        if until > self._now:
            self._experiment.hold(round(until - self._now, 3), self._wake)
        self._wake.clear()

    def _take_sprung(self) -> Iterator[int]:
        while True:
            try:
                yield self._sprung.get_nowait()
            except Empty:
                return

    def _do(self) -> None:
        """Begin and end the steps that are due."""
        while self._due and (due := min(self._due)).at <= self._now:
            self._due.remove(due)
            if due.ends:
                self._open[due.index].close()
            else:
                self._begin(due.index)

    def _begin(self, index: int) -> None:
        step, experiment = self._steps[index], self._experiment
        values = resolve(step.with_, experiment.cluster, experiment.random)
        fault = entries("fault")[step.fault].make(values)
        if self._before is not None:
            experiment.fault_number = self._before + index
        if step.lasts is None:
            experiment.act(fault, heals_within=step.heals_within, until=self._one_shots)
        else:
            self._open[index] = self._healing.enter_context(ExitStack())
            self._open[index].enter_context(experiment.fault(fault, heals_within=step.heals_within))
            self._due.append(_Due(self._now + step.lasts, index, ends=True))
        followers = [number for number, follower in enumerate(self._steps) if step.id and follower.after == step.id]
        self._due += [_Due(self._now + self._steps[number].delay, number, ends=False) for number in followers]


def _begin(step: Step) -> float:
    return (step.at or 0.0) + step.delay
