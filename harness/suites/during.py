"""During: asks the cases of suites while a fault lasts, and tells which answers were lost."""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from math import isfinite
from typing import Any

import yaml

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.catalogue import CatalogueEntry, entries
from chaos_harness.harness.checks.blame import blames
from chaos_harness.harness.checks.lasting import Read, measured
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.history import History, read
from chaos_harness.harness.incident.durations import read_parameter
from chaos_harness.harness.incident.load import problems_of_part
from chaos_harness.harness.incident.replay.resolve import resolve
from chaos_harness.harness.incident.step_problems import problems_of_shape
from chaos_harness.harness.policies import Policy
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.suites.groups import grouped
from chaos_harness.harness.suites.model import SuiteTest
from chaos_harness.harness.suites.questions import policy_of
from chaos_harness.harness.suites.running import namespaces_made

__all__ = ["ChosenFault", "LostAnswers", "ask_during"]

_BEFORE_SECONDS, _AFTER_SECONDS = 5.0, 10.0
_LEAST_RATE, _MOST_RATE, _EACH_RATE = 20.0, 50.0, 2.0
_SHORT = 80


@dataclass(frozen=True)
class ChosenFault:
    """A fault of the catalogue with its parameters, and for how many seconds it lasts."""

    name: str
    lasts: float
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, text: str, lasts: float, shape: Shape) -> "ChosenFault":
        """Return the fault of a text such as kill_node:node=$worker; raise BadScenario with all problems.

        It must be possible on a cluster of the shape, as far as that is known before there is one.
        """
        name, _, rest = text.partition(":")
        known = entries("fault")
        if name not in known:
            meant = did_you_mean(name, known)
            raise BadScenario(
                f"--during {text[:_SHORT]}: no such fault {name[:_SHORT]!r}; {meant}"
                f"`{command_line('list --')} faults` lists them with their parameters"
            )
        values, problems = _read_values(known[name], rest)
        if not problems:
            wrong = list(problems_of_part("fault", name, values)) or problems_of_shape(name, values, shape)
            problems = [": ".join(filter(None, (".".join(map(str, place[1:])), words))) for place, words in wrong]
        if problems:
            raise BadScenario([f"--during {text[:_SHORT]}: {problem}" for problem in problems])
        return cls(name, lasts, values)

    @property
    def words(self) -> str:
        """The fault as it was chosen."""
        given = ",".join(f"{key}={value}" for key, value in self.values.items())
        return f"{self.name}:{given}" if given else self.name

    def make(self, cluster: Cluster, chance: random.Random) -> Fault:
        """Return the fault for a cluster."""
        fault: Fault = entries("fault")[self.name].make(resolve(self.values, cluster, chance))
        return fault


def _read_values(entry: CatalogueEntry, text: str) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters of a fault in a text such as a=1,b=c, and what is wrong with them."""
    values: dict[str, Any] = {}
    problems = []
    for pair in filter(None, text.split(",")):
        name, _, value = pair.partition("=")
        if name in values:
            problems.append(f"{name}: given twice")
        try:
            values[name] = _read_value(entry, name, value)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return values, problems


def _read_value(entry: CatalogueEntry, name: str, text: str) -> Any:
    """Return the value of a parameter as it would be read from a file. Raises ValueError."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"expected a value of YAML, found {text[:_SHORT]!r}") from error
    return text if isinstance(value, date) else read_parameter(entry, name, value)


@dataclass(frozen=True)
class LostAnswers:
    """What became of the answers to one case from the fault on: how many were asked, and how many lost.

    They were lost for `least` seconds at least and `most` seconds at most (None: to the end). `admitted` are those that
    admitted what violates the policy; the others refused what complies, or were no denial by this policy.
    """

    case: str
    asked: int
    lost: int
    admitted: int
    least: float
    most: float | None
    causes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The same in one line."""
        if not self.asked:
            return f"{self.case}: nothing was answered"
        if not self.lost:
            return f"{self.case}: none of {self.asked} answers lost"
        seconds = f"{self.least:.1f} s or longer" if self.most is None else f"{self.least:.1f} to {self.most:.1f} s"
        how = f", {self.admitted} admitted though they violate the policy" if self.admitted else ""
        causes = f" ({', '.join(self.causes)})" if self.causes else ""
        return f"{self.case}: {self.lost} of {self.asked} answers lost, for {seconds}{how}{causes}"


def ask_during(
    make: Callable[[str], Experiment], tests: Sequence[SuiteTest], agreed: Collection[str], chosen: ChosenFault
) -> Iterator[LostAnswers]:
    """Ask the `agreed` cases of tests while a fault lasts and afterwards; yield what became of each one's answers.

    Tests that disturb each other get an experiment each, made by its name. Raises the errors of faults.
    """
    kept = [replace(test, cases=tuple(case for case in test.cases if case.place in agreed)) for test in tests]
    groups = grouped(test for test in kept if test.cases)
    for number, group in enumerate(groups, 1):
        with make(f"group {number} of {len(groups)}") as experiment:
            policies = _run(experiment, group, chosen)
        if policies:
            yield from _lost(read(experiment.history.path), policies)


def _run(experiment: Experiment, group: Sequence[SuiteTest], chosen: ChosenFault) -> list[Policy]:
    """Ask the group's cases before, during and after the fault; return the policies with their questions."""
    cluster = experiment.cluster
    made = [policy_of(test, cluster.shape.gatekeeper) for test in group]
    policies = [policy for policy in made if policy.questions]
    if not policies:
        return []
    cases = [case for test in group for case in test.cases]
    experiment.prepare(Preparation("make the namespaces of the cases", partial(namespaces_made, cases)))
    count = sum(len(policy.questions) for policy in policies)
    experiment.apply(*policies, rate=min(_MOST_RATE, max(_LEAST_RATE, _EACH_RATE * count)))
    experiment.hold(_BEFORE_SECONDS)
    fault = chosen.make(cluster, experiment.random)
    with ExitStack() as lasting:
        if fault.healed is ONE_SHOT:
            experiment.act(fault)
        else:
            lasting.enter_context(experiment.fault(fault))
        experiment.hold(chosen.lasts)
    experiment.recovered()
    experiment.hold(_AFTER_SECONDS)
    return policies


def _lost(recorded: History, policies: Sequence[Policy]) -> Iterator[LostAnswers]:
    seen = Read(recorded)
    wanted = [fault.id for fault in seen.faults.all]
    for blame in blames(seen.faults, seen.coverage, wanted):
        for case in (question.policy for policy in policies for question in policy.questions):
            heard = seen.losses.of(case)
            loss, admitted = (measured(seen, blame, heard, kind, ()) for kind in ("lost", "bypassed"))
            most = round(loss.most, 1) if isfinite(loss.most) else None
            counts = (loss.decided, len(loss.lost), len(admitted.lost))
            yield LostAnswers(case, *counts, round(loss.least, 1), most, loss.causes())
