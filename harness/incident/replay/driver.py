"""Driver: replays an incident in an open experiment, each step when its time or its trigger has come."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.changes import ObjectDict
from chaos_harness.harness import jsonpath
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.errors import DeadlineExceeded, Inconclusive
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.phases import convert_bad_scenario
from chaos_harness.harness.experiment.trigger import Trigger, When
from chaos_harness.harness.incident.each import with_each
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.manifests import policies_of
from chaos_harness.harness.incident.model import SCHEMA, TriggerSpec
from chaos_harness.harness.incident.replay.resolve import resolve
from chaos_harness.harness.incident.replay.setup import setup_of
from chaos_harness.harness.incident.timeline import length, step_names
from chaos_harness.harness.incident.watches import lists_of
from chaos_harness.harness.probes.objects import watch_objects

__all__ = ["replay_incident"]


@convert_bad_scenario("the incident")
def replay_incident(loaded: LoadedIncident, experiment: Experiment) -> None:
    """Run the incident's timeline, heal, and wait until Gatekeeper is serving again.

    The timeline starts when policies and workload are applied and the probes are asking. What one-shot steps leave is
    healed after the last turn, before the claims are judged; what `stays`, such as another version, is taken back when
    the experiment ends. Raises Inconclusive if a trigger does not come in time or the budget is used up, and the errors
    of faults.
    """
    incident = loaded.incident
    if incident.seed is not None:
        experiment.random.seed(incident.seed)
        experiment.record.seed = incident.seed
    for brought in setup_of(loaded):
        experiment.prepare(brought)
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
    """One turn of a timeline; `healing` heals what lasts at its end, `one_shots` the others after the last one."""

    def __init__(
        self,
        loaded: LoadedIncident,
        experiment: Experiment,
        healing: ExitStack,
        one_shots: ExitStack,
        budget: Deadline,
        turn: int,
    ) -> None:
        incident = loaded.incident
        self._steps = incident.faults
        self._before = turn * len(self._steps) if incident.schema_ == SCHEMA else None
        self._each = incident.for_each[turn] if incident.for_each else None
        self._budget = budget
        self._experiment = experiment
        self._healing = healing
        self._one_shots = one_shots
        self._delays = [step.delay + jitter for step, jitter in zip(self._steps, self._drawn(turn), strict=True)]
        self._armed = ExitStack()
        self._waiting: dict[int, tuple[Trigger, float]] = {}
        self._begun: set[int] = set()
        self._open: dict[int, ExitStack] = {}
        self._wake = threading.Event()
        self._sprung: SimpleQueue[int] = SimpleQueue()
        self._due: list[_Due] = []
        self._began = time.monotonic()
        self._end = length(incident)

    def run(self) -> None:
        """Begin and end all steps when they are due, until no step is left and the timeline is over."""
        with self._armed:
            for index, step in enumerate(self._steps):
                if step.when:
                    self._arm(index, step.when, 0.0)
            self._began = time.monotonic()
            for index, step in enumerate(self._steps):
                if step.at is not None:
                    self._due.append(_Due(step.at + self._delays[index], index, ends=False))
            while self._due or self._waiting or self._now < self._end:
                self._wait(min([self._next(), *(limit for _, limit in self._waiting.values())]))
                for index in self._take_sprung():
                    self._waiting.pop(index, None)
                    self._spring(index)
                for index, (trigger, limit) in self._waiting.items():
                    if self._now > limit:
                        self._complain(index, trigger)
                self._do()

    @property
    def _now(self) -> float:
        return time.monotonic() - self._began

    def _drawn(self, turn: int) -> Iterator[float]:
        """Yield the jitter of each step: the same for the same seed, whatever else chance decides."""
        record = self._experiment.record
        for index, step in enumerate(self._steps):
            chance = random.Random(f"{record.seed} jitter {turn} {index}")  # noqa: S311 - chosen again from the same seed
            jitter = round(chance.uniform(0.0, step.jitter), 3)
            if step.jitter:
                record.drawn.append({"turn": turn + 1, "step": index + 1, "jitter_seconds": jitter})
            yield jitter

    def _next(self) -> float:
        return min(self._due).at if self._due else max(self._end, self._now)

    def _arm(self, index: int, wanted: TriggerSpec, now: float) -> None:
        """Have a step wait for the change, or the condition, of an object, from a moment on."""
        act = partial(self._notify, index, partial(next, count(1)), wanted.count)
        experiment = self._experiment
        trigger = Trigger(experiment.cluster, experiment.history, _when(wanted), act, times=wanted.count)
        self._waiting[index] = self._armed.enter_context(trigger), now + wanted.within

    def _notify(self, index: int, seen: Callable[[], int], wanted: int, _object: object) -> None:
        """Notify the main thread, which acts, that a step's trigger has come; runs in the trigger's thread."""
        if seen() == wanted:
            self._sprung.put(index)
            self._wake.set()

    def _spring(self, index: int) -> None:
        """Go on with a step whose object has come: it begins, or its wait is over."""
        if index in self._begun:
            self._follow(index)
        else:
            self._due.append(_Due(self._now + self._delays[index], index, ends=False))

    def _complain(self, index: int, trigger: Trigger) -> None:
        """Raise Inconclusive with what the trigger of a step saw instead."""
        step, begun = self._steps[index], index in self._begun
        wanted = step.wait if begun else step.when
        try:
            trigger.wait(Deadline.after(0, f"step {index + 1} ({step.name}) to {'end' if begun else 'begin'}"))
        except DeadlineExceeded as error:
            within = wanted.within if isinstance(wanted, TriggerSpec) else 0.0
            where = "wait" if begun else "when"
            raise Inconclusive(f"{error}; it may take {within:g} s, see `{where}` of this step") from error

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
            if not due.ends:
                self._begin(due.index)
            elif self._steps[due.index].fault is None:
                self._follow(due.index)
            else:
                self._open[due.index].close()

    def _begin(self, index: int) -> None:
        step = self._steps[index]
        self._begun.add(index)
        if isinstance(step.wait, TriggerSpec):
            self._arm(index, step.wait, self._now)
        elif step.wait is not None:
            self._due.append(_Due(self._now + step.wait, index, ends=True))
        else:
            self._harm(index, str(step.fault))
            self._follow(index)

    def _harm(self, index: int, name: str) -> None:
        step, experiment = self._steps[index], self._experiment
        values = resolve(with_each(step.with_, self._each), experiment.cluster, experiment.random)
        fault = entries("fault")[name].make(values)
        if self._before is not None:
            experiment.fault_number = self._before + index
        if step.lasts is None:
            until = None if getattr(fault, "stays", False) else self._one_shots
            experiment.act(fault, heals_within=step.heals_within, until=until)
        else:
            self._open[index] = self._healing.enter_context(ExitStack())
            self._open[index].enter_context(experiment.fault(fault, heals_within=step.heals_within))
            self._due.append(_Due(self._now + step.lasts, index, ends=True))

    def _follow(self, index: int) -> None:
        """Have the steps begin that come after one which has proved itself."""
        names = step_names(dict(enumerate(self._steps)))
        followers = [number for number, step in enumerate(self._steps) if step.after and names[step.after] == index]
        self._due += [_Due(self._now + self._delays[number], number, ends=False) for number in followers]


def _when(wanted: TriggerSpec) -> When:
    if wanted.field is None:
        return When(wanted.kind, wanted.event, wanted.name, wanted.namespace)
    path, value = jsonpath.parse(wanted.field), wanted.value
    words = wanted.field if value is None else f"{wanted.field} {value}"

    def where(manifest: ObjectDict) -> bool:
        found = jsonpath.find(path, manifest)
        return bool(found) if value is None else any(jsonpath.same(one, value) for one in found)

    return When(wanted.kind, "", wanted.name, wanted.namespace, where, words)
