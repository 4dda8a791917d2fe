"""Generated policies: when the existing policies and bindings differed from those that were asked for."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cached_property, partial
from itertools import product
from math import inf
from typing import Any

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.differences import Difference, DifferenceKind, GeneratedKind
from chaos_harness.harness.history.following import Reader, follow
from chaos_harness.harness.history.lists import ALWAYS, KnownSpans, Lists, ObjectList, any_of
from chaos_harness.harness.history.recorded import History
from chaos_harness.harness.history.rules_by_time import DeployedRules, RulesByTime
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import (
    CONSTRAINTS,
    WATCH_BINDINGS,
    WATCH_POLICIES,
    WATCH_TEMPLATES,
    watch,
)
from chaos_harness.harness.policies.generation_rules import (
    PREFIX,
    Binding,
    PolicyContent,
    Rules,
    asked_of_binding,
    asked_of_policy,
    binding_content,
    generates,
    policy_content,
    policy_name,
)
from chaos_harness.harness.policies.status import seen_by_all

__all__ = ["GeneratedPolicies", "read_generated"]

Object = Mapping[str, Any]

_BASE = (WATCH_TEMPLATES, WATCH_POLICIES, WATCH_BINDINGS)


class GeneratedPolicies:
    """The policies and bindings asked for, and those that existed, once a history is read (see `read_generated`).

    `window` is the judged time in seconds: from the first list of any watch; infinite if the history lacks its end.
    """

    def __init__(self, coverage: Coverage, lists: Lists, rules: RulesByTime) -> None:
        self.coverage, self._lists, self._rules = coverage, lists, rules
        begun = (listed.begun for listed in lists.all.values() if listed.begun is not None)
        self.window: Span = (min(begun, default=0.0), coverage.until if coverage.ended else inf)

    @cached_property
    def differences(self) -> list[Difference]:
        """All differences, in the order of their ends, including possible ones that were not seen."""
        made = (
            Difference(kind, begin, end, end < self.window[1], known.yes.within(begin, end))
            for kind, known in self._compared()
            for begin, end in known.possible.within(*self.window)
        )
        return sorted(made, key=lambda difference: difference.until)

    @property
    def orphans(self) -> Iterator[Difference]:
        """The differences in which something exists that nothing asks for."""
        return (difference for difference in self.differences if difference.kind.orphan)

    @cached_property
    def asked(self) -> dict[str, KnownSpans]:
        """When each policy and binding, in words, was asked for; without those that never were."""
        policies = {f"policy {name}": self._policy_asked(name) for name in self._policy_names()}
        bindings = {f"binding {binding}": self._binding_asked(binding) for binding in self._binding_names()}
        return {name: known for name, known in {**policies, **bindings}.items() if known.yes.within(*self.window)}

    @property
    def unwatched(self) -> list[str]:
        """The lists that had to be watched and were not, with constraints of templates that may ask for policies."""
        return [process.removeprefix(watch("")) for process in self._needed if process not in self._lists.all]

    def unseen(self, *processes: str, longer_than: float = 0.0) -> dict[str, Spans]:
        """Return when objects of these lists (none: all) may have existed unseen, `longer_than` so many seconds.

        Constraints count only while their template may ask for a policy.
        """
        needed = {process: when for process, when in self._needed.items() if process in processes or not processes}
        unknown = {process: self._lists[process].unknown & when for process, when in needed.items()}
        long = {process: spans.within(*self.window).longer_than(longer_than) for process, spans in unknown.items()}
        return {process: spans for process, spans in long.items() if spans}

    def never_seen(self) -> list[str]:
        """Return the lists that were watched, but never completely seen."""
        return [process for process in _BASE if not Spans.of([self.window]) - self._lists[process].unknown]

    def asked_anew(self, policy: str, moment: float) -> Span:
        """Return when, after a moment, a policy may first have been asked for again, and when it certainly was."""
        asked = self._policy_asked(policy)
        still = next((end for begin, end in asked.yes if begin <= moment < end), moment)
        perhaps = next((begin for begin, _ in asked.possible.within(still, inf)), inf)
        refused = next((max(begin, moment) for begin, end in asked.no if end > moment), inf)
        return perhaps, next((begin for begin, _ in asked.yes if begin > refused), inf)

    def refused(self) -> Iterator[tuple[str, KnownSpans]]:
        """Yield, for each policy, when its template refused to have it generated, and all pods had observed that."""
        templates = self._lists[WATCH_TEMPLATES]
        for name in templates.turns:
            if any(generates(template) for template in templates.objects(name)):
                yield policy_name(name), self._rules.known(partial(_refused, templates, name))

    @cached_property
    def _needed(self) -> dict[str, Spans]:
        """Return when each list had to be seen."""
        needed = dict.fromkeys(_BASE, ALWAYS)
        for name in self._lists[WATCH_TEMPLATES].turns:
            if self._ever_asks(name):
                needed[f"{CONSTRAINTS}{name}"] = self._policy_asked(policy_name(name)).possible
        return needed

    def _ever_asks(self, template: str) -> bool:
        versions = self._lists[WATCH_TEMPLATES].objects(template)
        return any(rules.template_asks(version) for rules in self._rules.all for version in versions)

    def _policy_names(self) -> list[str]:
        asked = (policy_name(name) for name in self._lists[WATCH_TEMPLATES].turns if self._ever_asks(name))
        there = (name for name in self._lists[WATCH_POLICIES].turns if name.startswith(PREFIX))
        return list(dict.fromkeys((*asked, *there)))

    def _binding_names(self) -> list[Binding]:
        bindings = self._lists[WATCH_BINDINGS]
        there = (
            Binding(name, _bound(binding))
            for name in bindings.turns
            if name.startswith(PREFIX)
            for binding in bindings.objects(name)
        )
        return list(dict.fromkeys((*self._askers, *there)))

    @cached_property
    def _askers(self) -> dict[Binding, dict[Rules, list[str]]]:
        """The constraints that ask for each binding, by the rules that name it so."""
        askers: dict[Binding, dict[Rules, list[str]]] = {}
        for process, listed in self._lists.all.items():
            if process.startswith(CONSTRAINTS):
                for name, rules in product(listed.turns, self._rules.all):
                    binding = rules.named(process.removeprefix(CONSTRAINTS), name)
                    askers.setdefault(binding, {}).setdefault(rules, []).append(name)
        return askers

    def _policy_asked(self, policy: str) -> KnownSpans:
        name, templates = policy.removeprefix(PREFIX), self._lists[WATCH_TEMPLATES]
        return self._rules.known(lambda rules: templates.known(name, rules.template_asks))

    def _constraints(self, binding: Binding) -> ObjectList:
        return self._lists[f"{CONSTRAINTS}{binding.policy.removeprefix(PREFIX)}"]

    def _binding_asked(self, binding: Binding) -> KnownSpans:
        template, templates = binding.policy.removeprefix(PREFIX), self._lists[WATCH_TEMPLATES]
        constraints, askers = self._constraints(binding), self._askers.get(binding, {})

        def asked(rules: Rules) -> KnownSpans:
            names = askers.get(rules, [])
            asking = any_of(constraints.known(name, rules.constraint_asks) for name in names)
            if not names:
                asking = KnownSpans(no=ALWAYS - constraints.unknown)
            return asking & templates.known(template, rules.template_asks)

        return self._rules.known(asked)

    def _compared(self) -> Iterator[tuple[DifferenceKind, KnownSpans]]:
        templates, policies = self._lists[WATCH_TEMPLATES], self._lists[WATCH_POLICIES]
        for name in self._policy_names():
            asked, there = self._policy_asked(name), policies.known(name)
            source = [(templates, name.removeprefix(PREFIX))]
            fits = _fitting(source, asked_of_policy, policies, name, policy_content)
            yield from _kinds("policy", name, name, asked, there, fits)
        bindings = self._lists[WATCH_BINDINGS]
        for binding in self._binding_names():
            asked, there = self._binding_asked(binding), bindings.known(binding.name, _binds(binding.policy))
            askers = {name for names in self._askers.get(binding, {}).values() for name in names}
            source = [(self._constraints(binding), constraint) for constraint in sorted(askers)]
            fits = _fitting(source, asked_of_binding, bindings, binding.name, binding_content)
            yield from _kinds("binding", str(binding), binding.policy, asked, there, fits)


def read_generated(recorded: History, rules: Rules | None, *more: Reader) -> GeneratedPolicies | None:
    """Read a history once, and return the policies asked for and those that existed.

    Without `rules`, those of the watched Gatekeeper at each moment are used; returns None if it never generates by such
    rules.
    `more` readers read in the same pass.
    """
    coverage = Coverage(recorded)
    deployed = DeployedRules(coverage)
    lists = Lists(coverage, lambda process: process in _BASE or process.startswith(CONSTRAINTS), _settled)
    follow(recorded, coverage, deployed, lists, *more)
    by_time = RulesByTime.always(rules) if rules else deployed.by_time()
    return GeneratedPolicies(coverage, lists, by_time) if by_time else None


def _settled(watched_object: Object) -> Hashable:
    return seen_by_all(watched_object)


def _refused(templates: ObjectList, name: str, rules: Rules) -> KnownSpans:
    """Return when a template refused to have a policy generated, by some rules, and all pods had observed that."""

    def refuses(template: Object) -> bool:
        return generates(template) and not rules.template_asks(template) and seen_by_all(template)

    return templates.known(name, refuses)


def _kinds(
    what: GeneratedKind, name: str, policy: str, asked: KnownSpans, there: KnownSpans, fits: KnownSpans
) -> Iterator[tuple[DifferenceKind, KnownSpans]]:
    yield DifferenceKind("orphan", what, name, policy), there & ~asked
    yield DifferenceKind("missing", what, name, policy), asked & ~there
    yield DifferenceKind("altered", what, name, policy), asked & there & ~fits


def _fitting(
    sources: list[tuple[ObjectList, str]],
    asked: Callable[[Object], PolicyContent],
    there: ObjectList,
    name: str,
    content: Callable[[Object], PolicyContent],
) -> KnownSpans:
    """Return when the existing object had the content that its sources ask for."""
    wanted = {asked(asker) for source, which in sources for asker in source.objects(which)}
    if not wanted:
        return KnownSpans(yes=ALWAYS)

    def alike(one: PolicyContent) -> KnownSpans:
        asking = any_of(source.known(which, lambda asker: asked(asker) == one) for source, which in sources)
        return asking & there.known(name, lambda generated: one.is_in(content(generated)))

    return any_of(alike(one) for one in wanted)


def _binds(policy: str) -> Callable[[Object], bool]:
    return lambda binding: _bound(binding) == policy


def _bound(binding: Object) -> str:
    return (binding.get("spec") or {}).get("policyName") or ""
