"""Needs: which streams of a history each check reads, and what in an incident brings them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaos_harness.harness.catalogue import watch_groups
from chaos_harness.harness.history.coverage import api_server
from chaos_harness.harness.history.own_objects import LISTS
from chaos_harness.harness.history.vocabulary import (
    CONSTRAINTS,
    FIELDS,
    REGISTRY,
    WATCH_BINDINGS,
    WATCH_EVENTS,
    WATCH_LEASES,
    WATCH_NODES,
    WATCH_PODS,
    WATCH_POLICIES,
    WATCH_SLICES,
    WATCH_SYSTEM_PODS,
    WATCH_TEMPLATES,
    WATCH_WORKLOAD,
    WRITE_LEASE,
    watch,
)
from chaos_harness.harness.invariants import BUNDLE, INVARIANTS

__all__ = ["ASKED", "NEEDS", "NOT_IN_FILES", "READS_FIELDS", "REPLICAS_ANSWER", "needs_of", "source_of", "streams_of"]

ASKED = "answers about policies"
"""The answers of the canary to the questions of policies, with the logs that say why a webhook was not called."""

REPLICAS_ANSWER = "answers of each webhook pod"
READS_FIELDS = "watch_field"
"""The probe that reads one field of an object; a claim names the field."""

_LEASES_WRITTEN = api_server(WRITE_LEASE)
_SOURCES = {
    _LEASES_WRITTEN: ("probes", "ask_api_server"),
    ASKED: ("policies", ""),
    REGISTRY: ("registry", ""),
    FIELDS: ("field", READS_FIELDS),
}
"""What records the streams that are no list: the field of an incident file and its value; a claim names a `field`."""


@dataclass(frozen=True)
class Needs:
    """The streams that a check reads, by their processes; `nodes`: its `how` is what is done to a node, not to a pod.

    Of the lists of constraints at least one is needed.
    """

    streams: tuple[str, ...] = ()
    nodes: bool = False


_ASKED = Needs((ASKED,))
_CONTROL_PLANE = (WATCH_LEASES, WATCH_SYSTEM_PODS, WATCH_NODES)
_GENERATED = (WATCH_TEMPLATES, WATCH_POLICIES, WATCH_BINDINGS, CONSTRAINTS)
_IN_SERVICE = Needs((WATCH_PODS, WATCH_SLICES, REPLICAS_ANSWER))
_RECOVERY = Needs((WATCH_PODS, WATCH_EVENTS, WATCH_SLICES, REPLICAS_ANSWER))
_REGISTRY_LOG = Needs((REGISTRY, WATCH_EVENTS))

NEEDS: Mapping[str, Needs] = {
    "asked_no_registry": _REGISTRY_LOG,
    "asked_registry": _REGISTRY_LOG,
    "comes_back": _ASKED,
    "control_plane_unharmed": Needs(_CONTROL_PLANE),
    "enforcement_parity": _ASKED,
    "fail_open_window": _ASKED,
    "field_stays": Needs((FIELDS,)),
    "gatekeeper_invariants": _IN_SERVICE,
    "generated_within": Needs((WATCH_BINDINGS, CONSTRAINTS)),
    "has_generator": Needs((WATCH_TEMPLATES,)),
    "heals": Needs(),
    "leases_admitted": Needs((_LEASES_WRITTEN,)),
    "leases_renewed": Needs((WATCH_LEASES,)),
    "leases_renewed_again": Needs((WATCH_LEASES,)),
    "loses_no_longer_than": _ASKED,
    "never_orphaned": Needs(_GENERATED),
    "never_replaced": Needs((WATCH_WORKLOAD, WATCH_NODES), nodes=True),
    "never_unmutated": _ASKED,
    "no_orphan_stays": Needs(_GENERATED),
    "nobody_writes_at_rest": Needs((WATCH_PODS, *LISTS, CONSTRAINTS)),
    "no_request_during": Needs((REGISTRY,)),
    "outlasts": _ASKED,
    "policies_match": Needs(_GENERATED),
    "ready_means_enforcing": _IN_SERVICE,
    "recovers": _RECOVERY,
    "recovers_after": _RECOVERY,
    "recovers_within": _RECOVERY,
    "refused_for_at_most": _ASKED,
    "replicas_agree": _IN_SERVICE,
    "replaced_within": Needs((WATCH_WORKLOAD,), nodes=True),
    "replacements_mutated": Needs((WATCH_WORKLOAD, WATCH_PODS, WATCH_SLICES), nodes=True),
    "undisturbed": Needs((WATCH_PODS, REPLICAS_ANSWER)),
}

NOT_IN_FILES: Mapping[str, str] = {
    "never_orphaned": "it counts the repetitions of a race, which only a scenario in Python marks; see no_orphan_stays",
}
"""Checks that read what no incident file can make a run record, and why."""


def needs_of(check: str) -> Needs:
    """Return what a check needs; of a check that has no row here, as one of your own, nothing is known."""
    return NEEDS.get(check, Needs())


def streams_of(check: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the streams that a claim reads: those of its check or, of the bundle, of the parts that it has."""
    if check != BUNDLE:
        return needs_of(check).streams
    parts = [name for name in INVARIANTS if name not in (values.get("without") or ())]
    return tuple(dict.fromkeys(stream for name in parts for stream in needs_of(name).streams))


def source_of(stream: str) -> tuple[str, str]:
    """Return what records a stream: the field of an incident file and its value.

    ("", "") is what every experiment records.
    """
    if stream in _SOURCES:
        return _SOURCES[stream]
    for name, group in watch_groups().items():
        if group.of_kind and watch(f"{name} ") == stream:
            return "watch", name
        if any(watch(listed.name) == stream for listed in group.lists):
            return "watch", name
    return "", ""
