"""Rules by time: by which rules the watched Gatekeeper generated when; an upgrade, or other flags, change them.

While a change of the pods that generate is rolled out, those of both versions may: then either rules may be in force.
Where the Deployments were not seen their version is that of before, unless an upgrade had begun by then, or a line is
missing.
"""

from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import NamedTuple

from chaos_harness.clusters.api.objects import Object
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.lists import ALWAYS, KnownSpans, Lists, ObjectList, Turn, any_of
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import HARM, ROLLED_BACK, UPGRADED, WATCH_DEPLOYMENTS
from chaos_harness.harness.policies.generation_rules import Rules, generators

__all__ = ["DeployedRules", "RulesByTime"]

_Possible = frozenset[Rules | None]
"""The rules that may be in force; None stands for a version that does not generate by any."""

_COUNTS = ("replicas", "updatedReplicas", "availableReplicas")


class RulesByTime:
    """When which rules are in force, and when not; while several are possible, neither is known of them.

    `known` is when it is known which ones are possible.
    """

    def __init__(self, when: Mapping[Rules, KnownSpans], known: Spans) -> None:
        self._when = when
        self._known = known

    @classmethod
    def always(cls, rules: Rules) -> "RulesByTime":
        """Return rules that are in force all the time."""
        return cls({rules: KnownSpans(yes=ALWAYS)}, ALWAYS)

    @property
    def all(self) -> list[Rules]:
        """All rules that were ever in force."""
        return list(self._when)

    def known(self, so: Callable[[Rules], KnownSpans]) -> KnownSpans:
        """Return when something is so, and when it is not, by the rules in force; `so` returns that for some rules.

        While several rules are possible, it is known where all of them say the same.
        """
        yes = no = self._known
        for rules, in_force in self._when.items():
            by_these = so(rules)
            yes &= by_these.yes | in_force.no
            no &= by_these.no | in_force.no
        return KnownSpans(yes, no)


class DeployedRules(Reader):
    """The rules of the watched Gatekeeper; a reader (see `following`) that must come after its Coverage."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._lists = Lists(coverage, lambda process: process == WATCH_DEPLOYMENTS, _rolled_out)
        self._told: dict[str, Object] = {}
        self._changed = inf

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        if process == HARM:
            return self._take_harm
        take = self._lists.takes(process)
        if take is None:
            return None

        def both(entry: Entry) -> None:
            take(entry)
            self._take(entry)

        return both

    def close(self, end: float) -> None:
        """Finish reading."""
        self._lists.close(end)

    def by_time(self) -> RulesByTime | None:
        """Return its rules by time; None if no Gatekeeper was seen that generates by any."""
        states = list(_states(self._lists[WATCH_DEPLOYMENTS], self._told))
        every = {rules for state in states for rules in state.possible or ()}
        there = [rules for rules in every if rules is not None]
        if not there:
            return None
        if len(every) == 1 and self._changed == inf and not self._coverage.lost:
            return RulesByTime.always(there[0])
        unseen = self._coverage.unknown([WATCH_DEPLOYMENTS], -inf, inf) & Spans.of([(self._changed, inf)])
        return _by_time(states, there, unseen)

    def generating(self) -> KnownSpans:
        """Return when one of the Deployments had pods that generate, and when none had."""
        listed = self._lists[WATCH_DEPLOYMENTS]
        some = any_of(listed.known(name, _generates) for name in listed.turns)
        return KnownSpans(some.yes, some.no - listed.unknown)

    def _take(self, entry: Entry) -> None:
        if deployment := (entry.value or {}).get("object"):
            self._told[deployment["metadata"]["name"]] = deployment

    def _take_harm(self, entry: Entry) -> None:
        if entry.f in (UPGRADED, ROLLED_BACK):
            self._changed = min(self._changed, entry.at)


class _State(NamedTuple):
    """Which rules are possible from some moment on, which lies from `earliest` to `latest`; None: not known."""

    earliest: float
    latest: float
    possible: _Possible | None


def _by_time(states: list[_State], there: list[Rules], unseen: Spans) -> RulesByTime:
    spans: list[tuple[float, float, _Possible | None]] = []
    since, before = -inf, states[0].possible
    for state in states[1:]:
        early = max(state.earliest, since)
        during = None if before is None or state.possible is None else before | state.possible
        spans += [(since, early, before), (early, state.latest, during)]
        since, before = max(state.latest, since), state.possible
    spans.append((since, inf, before))
    known = Spans.of((begin, end) for begin, end, one in spans if one and None not in one) - unseen

    def when(rules: Rules) -> KnownSpans:
        alone = Spans.of((begin, end) for begin, end, one in spans if one == frozenset[Rules | None]({rules}))
        never = Spans.of((begin, end) for begin, end, one in spans if one is not None and rules not in one)
        return KnownSpans(alone - unseen, never - unseen)

    return RulesByTime({rules: when(rules) for rules in there}, known)


def _states(deployments: ObjectList, told: Mapping[str, Object]) -> Iterator[_State]:
    """Yield what was possible from when on; what was seen first of each Deployment was so before, too.

    Of a list that was never complete, all that is known is what was `told` last.
    """
    turns = [(name, turn) for name, turns in deployments.turns.items() for turn in turns if turn.object is not None]
    turns.sort(key=lambda named: named[1].latest)
    there: dict[str, Object] = {}
    rest: list[tuple[str, Turn]] = []
    for name, turn in turns:
        if name not in there and isinstance(turn.object, Mapping):
            there[name] = turn.object
        elif name in there:
            rest.append((name, turn))
    current = _rules(there or told)
    yield _State(-inf, -inf, frozenset({current}))
    old, unknown = frozenset[Rules | None](), set[str]()
    for name, turn in rest:
        if isinstance(turn.object, Mapping):
            there.pop(name)
            there[name] = turn.object
            unknown.discard(name)
        else:
            unknown.add(name)
        rules = _rules(there)
        if rules != current:
            old, current = old | {current}, rules
        if not unknown and all(map(_rolled_out, generators(there.values()) or there.values())):
            old = frozenset()
        yield _State(turn.earliest, turn.latest, None if unknown else old | {current})


def _rules(deployments: Mapping[str, Object]) -> Rules | None:
    """Return the rules of these Deployments: the version is that of those that generate."""
    generating = generators(deployments.values())
    others = (deployment for deployment in deployments.values() if deployment not in generating)
    return Rules.of_deployments([*others, *generating])


def _generates(deployment: Object) -> bool:
    return bool(deployment["spec"].get("replicas", 1)) and bool(generators([deployment]))


def _rolled_out(deployment: Object) -> bool:
    """Whether all of its pods are those that it asks for now."""
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    observed = status.get("observedGeneration", -1) >= deployment["metadata"].get("generation", 0)
    return observed and [status.get(count, 0) for count in _COUNTS] == [wanted] * len(_COUNTS)
