"""Templates: worlds of templates and constraints, and of what Gatekeeper generates from them, or fails to.

What there should be follows from templates and constraints alone: a policy of each template that asks for one, and a
binding of each constraint of such a template. The truth keeps both through time, and where they differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any

from chaos_harness.harness.history.vocabulary import (
    CONSTRAINTS,
    WATCH_BINDINGS,
    WATCH_DEPLOYMENTS,
    WATCH_POLICIES,
    WATCH_TEMPLATES,
)
from tests.worlds.dice import Dice, Stretch, clipped, joined, without
from tests.worlds.hiding import Hiding
from tests.worlds.stage import Stage
from tests.worlds.watching import NOT_SERVED

__all__ = ["Made", "World", "drawn_world"]

_VERSION = "v3.23.1"
_TARGET = "admission.k8s.gatekeeper.sh"

Object = dict[str, Any]


@dataclass
class Made:
    """Something generated: a policy, or a binding: when it should be there, and when it truly is."""

    name: str
    template: str
    binding: bool
    asked: list[Stretch] = field(default_factory=list)
    there: list[Stretch] = field(default_factory=list)

    def orphaned(self) -> list[Stretch]:
        """Return when it is there and nobody asks."""
        return without(self.there, self.asked)

    def missing(self) -> list[Stretch]:
        """Return when it is asked for and not there."""
        return without(self.asked, self.there)


@dataclass
class World:
    """A world of templates; call `make` for each, then `write`."""

    stage: Stage
    made: list[Made] = field(default_factory=list)
    templates: dict[str, list[tuple[float, bool | None]]] = field(default_factory=dict)
    constraints: dict[tuple[str, str], list[Stretch]] = field(default_factory=dict)
    away: list[Hiding] = field(default_factory=list)
    idle: list[Stretch] = field(default_factory=list)
    """When the pods have the operations of a Deployment that does not generate."""

    def template(self, name: str, states: list[tuple[float, bool | None]]) -> Made:
        """Let a template ask for its policy from moments on, or not (None: it is deleted); return the policy."""
        self.templates[name] = sorted(states, key=lambda state: state[0])
        policy = Made(f"gatekeeper-{name}", name, binding=False, asked=self._asking(name))
        self.made.append(policy)
        return policy

    def constraint(self, template: str, name: str, there: list[Stretch]) -> Made:
        """Let a constraint of a template be there in some stretches; return its binding."""
        kept = [(at, end) for (at, asks), end in self._states(template) if asks is not None]
        there = [part for span in there for part in clipped(kept, *span)]
        self.constraints[template, name] = joined(there)
        asked = [part for span in there for part in clipped(self._asking(template), *span)]
        binding = Made(f"gatekeeper-{template}-{name}", template, binding=True, asked=joined(asked))
        self.made.append(binding)
        return binding

    def differences(self, begin: float, end: float) -> Iterator[Stretch]:
        """Yield when something differed, between two moments."""
        for made in self.made:
            yield from clipped(made.orphaned(), begin, end)
            yield from clipped(made.missing(), begin, end)

    def write(self) -> None:
        """Let the watches see all of it, and the Deployment whose version says how policies are made."""
        stage = self.stage
        for watch in (WATCH_TEMPLATES, WATCH_POLICIES, WATCH_BINDINGS):
            stage.watch(watch)
        for at, *more in self._operations():
            stage.put(WATCH_DEPLOYMENTS, at, "gatekeeper-controller-manager", _deployment(*more))
        for name, states in self.templates.items():
            stage.watch(f"{CONSTRAINTS}{name}")
            for number, (at, asks) in enumerate(states):
                body = None if asks is None else self._template(name, states[0][0], number + 1, asks=asks)
                stage.put(WATCH_TEMPLATES, at, name, body)
                if asks is None:
                    self.away.append(Hiding(f"{CONSTRAINTS}{name}", at + 0.5, inf, NOT_SERVED, resumed=False))
                    stage.say(f"{name} is deleted at {at:.1f} s, and with it what are its constraints")
                else:
                    settled = self._template(name, states[0][0], number + 1, asks=asks, seen=True)
                    stage.put(WATCH_TEMPLATES, at + self.seen_after, name, settled)
        for (template, name), spans in self.constraints.items():
            for begin, end in spans:
                self._put(f"{CONSTRAINTS}{template}", name, begin, end, _constraint(template, name, self._born(begin)))
        for made in self.made:
            process = WATCH_BINDINGS if made.binding else WATCH_POLICIES
            for begin, end in joined(made.there):
                spec = (
                    {"policyName": f"gatekeeper-{made.template}", "validationActions": ["Deny"]} if made.binding else {}
                )
                metadata = {
                    "name": made.name,
                    "uid": f"uid-{made.name}-{begin}",
                    "creationTimestamp": self._born(begin),
                }
                self._put(process, made.name, begin, end, {"metadata": metadata, "spec": spec})

    seen_after = 0.4
    """How soon all pods tell that they have seen a template, in seconds."""

    def _operations(self) -> Iterator[tuple[Any, ...]]:
        """Yield from when on the Deployment has which operations; without any, its pods have all."""
        yield (-900.0,)
        for begin, end in self.idle:
            yield begin, "--operation=audit"
            yield (end,)

    def _put(self, process: str, name: str, begin: float, end: float, body: Object) -> None:
        self.stage.put(process, begin, name, body)
        if end < self.stage.end:
            self.stage.put(process, end, name, None)

    def _asking(self, template: str) -> list[Stretch]:
        return joined((at, end) for (at, asks), end in self._states(template) if asks)

    def _states(self, template: str) -> list[tuple[tuple[float, bool | None], float]]:
        states = self.templates[template]
        return list(zip(states, [*(at for at, _ in states[1:]), inf], strict=True))

    def _born(self, at: float) -> str:
        return datetime.fromtimestamp(self.stage.wall(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _template(self, name: str, begun: float, generation: int, *, asks: bool, seen: bool = False) -> Object:
        source = {"generateVAP": asks, "validations": [{"expression": "true"}]}
        code = [{"engine": "K8sNativeValidation", "source": source}]
        by_pod = [{"id": pod, "observedGeneration": generation if seen else generation - 1} for pod in ("a", "b")]
        metadata = {
            "name": name,
            "uid": f"uid-{name}",
            "generation": generation,
            "creationTimestamp": self._born(begun),
        }
        return {
            "metadata": metadata,
            "spec": {
                "crd": {"spec": {"names": {"kind": name.title()}}},
                "targets": [{"target": _TARGET, "code": code}],
            },
            "status": {"byPod": by_pod, "created": True},
        }


def _constraint(template: str, name: str, born: str) -> Object:
    metadata = {"name": name, "uid": f"uid-{template}-{name}-{born}", "creationTimestamp": born, "generation": 1}
    return {"kind": template.title(), "metadata": metadata, "spec": {"enforcementAction": "deny"}}


def _deployment(*more: str) -> Object:
    container = {
        "name": "manager",
        "image": f"docker.io/openpolicyagent/gatekeeper:{_VERSION}",
        "args": ["--port=8443", *more],
    }
    metadata = {"name": "gatekeeper-controller-manager", "namespace": "gatekeeper-system", "uid": "uid-deployment"}
    return {"metadata": metadata, "spec": {"template": {"spec": {"containers": [container]}}}}


def drawn_world(dice: Dice, stage: Stage, *, prompt: float = 3.0) -> World:
    """Return a world with a few templates and constraints, of which all comes and goes soon, and as it should."""
    world = World(stage)
    for number in range(dice.randint(1, 3)):
        name = f"template{number}"
        first = -300.0 if dice.chance(0.6) else dice.between(3, stage.judge * 0.4)
        states: list[tuple[float, bool | None]] = [(first, dice.chance(0.85))]
        if dice.chance(0.35):
            then = None if dice.chance(0.4) else not states[0][1]
            states.append((dice.between(max(first, 2) + 10, stage.judge - 10), then))
        policy = world.template(name, states)
        policy.there = _soon(dice, policy.asked, prompt)
        for other in range(dice.randint(1, 2)):
            begin = first + 1 if dice.chance(0.6) else dice.between(max(first, 2) + 2, stage.judge - 5)
            end = dice.between(begin + 8, stage.judge) if begin > 0 and dice.chance(0.3) else inf
            binding = world.constraint(name, f"rule{other}", [(begin, end)])
            binding.there = _soon(dice, binding.asked, prompt)
    return world


def _soon(dice: Dice, asked: list[Stretch], prompt: float) -> list[Stretch]:
    """Return when something is there that comes and goes soon after it is asked for, or no longer is."""
    return joined((begin + dice.between(0.1, prompt), end + dice.between(0.1, prompt)) for begin, end in asked)
