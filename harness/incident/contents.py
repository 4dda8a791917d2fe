"""Contents: what an incident brings: its faults, policies, objects, watches and probes, even if parts are wrong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from chaos_harness.clusters.api.objects import Object
from chaos_harness.harness.catalogue import PartKind, entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.incident.asks import AskNames, asks_of
from chaos_harness.harness.incident.model import WAIT
from chaos_harness.harness.incident.needs import READS_FIELDS
from chaos_harness.harness.policies import IGNORE_LABEL, Policy

__all__ = ["LISTS", "Contents", "fields_watched", "kinds_of_templates", "listed_parts", "make_part"]

LISTS: Mapping[PartKind, str] = {
    "fault": "faults",
    "probe": "probes",
    "check": "claims",
    "policy": "policies",
    "preparation": "preparations",
}
"""The lists of a file, by what their parts name."""

_MOST = 200
_TEMPLATE = "ConstraintTemplate"
_CONSTRAINTS = "constraints.gatekeeper.sh/"


@dataclass(frozen=True)
class Contents:
    """What an incident brings: its faults and policies.

    `whole` is false if a step or a policy is wrong, so that what it would bring is not known. `turns` is how often the
    steps are done, `fields` are the names of the fields that are watched, `own` are the objects of the author's own
    policies and of the workload, `asks` what is asked about them. `more`: the cluster may have kinds, namespaces and
    policies besides, as one of the user's, or one to which a chart is added.
    """

    faults: tuple[Fault, ...]
    policies: tuple[Policy, ...]
    whole: bool
    turns: int
    steps: int = 0
    watches: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    own: tuple[Object, ...] = field(default=(), hash=False)
    asks: AskNames = field(default_factory=dict, hash=False)
    more: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Any], own: Iterable[Object], *, right: bool, more: bool = False) -> Self:
        """Return them, of a file that may be wrong; `right`: nothing is wrong with the author's own objects."""
        faults, all_faults = _made(data, "faults", "fault")
        policies, all_policies = _made(data, "policies", "policy")
        repeat = data.get("repeat", 1)
        return cls(
            tuple(faults),
            tuple(policies),
            whole=right and all_faults and all_policies and bool(faults),
            turns=repeat if type(repeat) is int and repeat in range(1, 21) else 1,
            steps=len(listed_parts(data, "faults")),
            watches=tuple(word for word in listed_parts(data, "watch") if isinstance(word, str)),
            probes=tuple(str(part.get("probe")) for part in listed_parts(data, "probes") if isinstance(part, dict)),
            fields=tuple(str(values["field"]) for _, values in fields_watched(data) if "field" in values),
            own=tuple(own),
            asks=asks_of(data),
            more=more,
        )

    @property
    def known(self) -> bool:
        """Whether all kinds, namespaces and policies of the cluster are known."""
        return self.whole and not self.more

    @property
    def fault_names(self) -> list[str]:
        """The names of the faults, as in a history."""
        return list(dict.fromkeys(fault.name for fault in self.faults))

    @property
    def fault_ids(self) -> set[str]:
        """The ids that the faults have in a history."""
        return {f"fault {number}" for number in range(1, self.steps * self.turns + 1)}

    def harms(self, *, nodes: bool) -> list[str]:
        """Return how the faults harm pods, or nodes, in the words of a history."""
        name = "harms_nodes" if nodes else "harms_pods"
        return list(dict.fromkeys(word for fault in self.faults if (word := getattr(fault, name, ""))))

    def watches_group(self, name: str) -> bool:
        """Whether it watches this group of lists, of whichever kind."""
        return any(f"{words} ".startswith(f"{name} ") for words in self.watches)

    @property
    def asked(self) -> list[str]:
        """The names under which the canary counts its answers about policies."""
        counted = [question.policy for policy in self.policies for question in policy.questions]
        return list(dict.fromkeys([*counted, *self.asks, IGNORE_LABEL]))

    @property
    def mutations(self) -> list[str]:
        """The names under which answers about mutations are counted, or to which they belong."""
        counted = [
            question.policy for policy in self.policies for question in policy.questions if question.wanted == "mutated"
        ]
        return list(dict.fromkeys([*counted, *(name for name, mutation in self.asks.items() if mutation)]))

    @property
    def objects(self) -> list[Object]:
        """All objects that it brings."""
        return [*(manifest for policy in self.policies for manifest in policy.objects), *self.own]

    @property
    def constraints(self) -> list[str]:
        """The names of constraints."""
        return [_name(manifest) for manifest in self.objects if str(manifest["apiVersion"]).startswith(_CONSTRAINTS)]

    @property
    def constraint_kinds(self) -> list[str]:
        """The kinds of constraints, by the templates that define them."""
        return kinds_of_templates(self.objects)

    @property
    def defined_kinds(self) -> list[str]:
        """The kinds that its CustomResourceDefinitions define."""
        definitions = [manifest for manifest in self.objects if manifest["kind"] == "CustomResourceDefinition"]
        return [kind for definition in definitions if (kind := _kind_at(definition, "spec", "names", "kind"))]

    def named(self, kind: str) -> list[str]:
        """Return the names of its objects of a kind."""
        return [_name(manifest) for manifest in self.objects if manifest["kind"] == kind]


def kinds_of_templates(objects: Iterable[Object]) -> list[str]:
    """Return the kinds of constraints that the templates among these objects define."""
    templates = [manifest for manifest in objects if manifest["kind"] == _TEMPLATE]
    return [kind for template in templates if (kind := _kind_at(template, "spec", "crd", "spec", "names", "kind"))]


def listed_parts(data: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list of the file, as far as the model allows one; [] if it is none."""
    given = data.get(name)
    return given[:_MOST] if isinstance(given, list) else []


def fields_watched(data: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the parameters of each probe of a file that watches a field, with its index."""
    for index, part in enumerate(listed_parts(data, "probes")):
        values = part.get("with") if isinstance(part, dict) and part.get("probe") == READS_FIELDS else None
        if isinstance(values, dict):
            yield index, values


def _made(data: Mapping[str, Any], field_name: str, kind: PartKind) -> tuple[list[Any], bool]:
    """Return what can be made of a list of the file, and whether that is all of it.

    An item of `policies` without `policy` is the author's own. A step may be a wait.
    """
    given = listed_parts(data, field_name)
    own = WAIT if field_name == "faults" else ""
    named = [part for part in given if not isinstance(part, dict) or kind in part or (own and own not in part)]
    made = [thing for part in named if (thing := make_part(kind, part)) is not None]
    return made, len(made) == len(named) and isinstance(data.get(field_name, []), list)


def make_part(kind: PartKind, part: Any) -> Any:
    """Return the thing that a part of a file names, or None if something is wrong with it."""
    name = part.get(kind) if isinstance(part, dict) else None
    entry = entries(kind).get(name) if isinstance(name, str) else None
    values = part.get("with", {}) if entry else None
    try:
        return entry.make(values) if entry and isinstance(values, dict) else None
    except BadScenario:
        return None


def _name(manifest: Object) -> str:
    return str(manifest["metadata"]["name"])


def _kind_at(definition: Object, *keys: str) -> str:
    """Return the kind that an object defines at this place, or "" if it is not there."""
    value: Any = definition
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""
