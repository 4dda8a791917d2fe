"""Contents: what an incident brings: its faults, policies, objects, watches and probes, even if parts are wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from chaos_harness.clusters.api.objects import Object
from chaos_harness.harness.catalogue import PartKind, entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.policies import IGNORE_LABEL, Policy

__all__ = ["Contents", "listed_parts"]

_MOST = 200
_TEMPLATE = "ConstraintTemplate"
_CONSTRAINTS = "constraints.gatekeeper.sh/"


@dataclass(frozen=True)
class Contents:
    """What an incident brings: its faults and policies.

    `whole` is false if a step or a policy is wrong, so that what it would bring is not known. `turns` is how often the
    steps are done, `own` are the objects of the author's own policies and of the workload, about which nobody asks.
    """

    faults: tuple[Fault, ...]
    policies: tuple[Policy, ...]
    whole: bool
    turns: int
    watches: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    own: tuple[Object, ...] = field(default=(), hash=False)

    @classmethod
    def of(cls, data: Mapping[str, Any], own: Iterable[Object], suites: Iterable[Policy] = (), *, right: bool) -> Self:
        """Return them, of a file that may be wrong; `right`: nothing is wrong with the author's own objects.

        `suites` are the policies of the suites that it names.
        """
        faults, all_faults = _made(data, "faults", "fault")
        policies, all_policies = _made(data, "policies", "policy")
        repeat = data.get("repeat", 1)
        return cls(
            tuple(faults),
            (*policies, *suites),
            whole=right and all_faults and all_policies and bool(faults),
            turns=repeat if repeat in range(1, 21) else 1,
            watches=tuple(word for word in listed_parts(data, "watch") if isinstance(word, str)),
            probes=tuple(str(part.get("probe")) for part in listed_parts(data, "probes") if isinstance(part, dict)),
            own=tuple(own),
        )

    @property
    def fault_names(self) -> list[str]:
        """The names of the faults, as in a history."""
        return list(dict.fromkeys(fault.name for fault in self.faults))

    @property
    def fault_ids(self) -> set[str]:
        """The ids that the faults have in a history."""
        return {f"fault {number}" for number in range(1, len(self.faults) * self.turns + 1)}

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
        return list(dict.fromkeys([*counted, IGNORE_LABEL]))

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
        templates = [manifest for manifest in self.objects if manifest["kind"] == _TEMPLATE]
        return [kind for template in templates if (kind := _kind_at(template, "spec", "crd", "spec", "names", "kind"))]

    @property
    def defined_kinds(self) -> list[str]:
        """The kinds that its CustomResourceDefinitions define."""
        definitions = [manifest for manifest in self.objects if manifest["kind"] == "CustomResourceDefinition"]
        return [kind for definition in definitions if (kind := _kind_at(definition, "spec", "names", "kind"))]

    def named(self, kind: str) -> list[str]:
        """Return the names of its objects of a kind."""
        return [_name(manifest) for manifest in self.objects if manifest["kind"] == kind]


def listed_parts(data: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list of the file, as far as the model allows one; [] if it is none."""
    given = data.get(name)
    return given[:_MOST] if isinstance(given, list) else []


def _made(data: Mapping[str, Any], field_name: str, kind: PartKind) -> tuple[list[Any], bool]:
    """Return what can be made of a list of the file, and whether that is all of it.

    An item of `policies` without `policy` is the author's own: objects, about which nobody asks.
    """
    given = listed_parts(data, field_name)
    named = [part for part in given if not isinstance(part, dict) or field_name == "faults" or kind in part]
    made = [thing for part in named if (thing := _make(kind, part)) is not None]
    return made, len(made) == len(named) and isinstance(data.get(field_name, []), list)


def _make(kind: PartKind, part: Any) -> Any:
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
