"""Adopted: what an incident asks of a cluster of the user's that such a cluster is not, or does not have."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.incident.contents import listed_parts
from chaos_harness.harness.incident.yaml_source import Problem

if TYPE_CHECKING:
    from chaos_harness.clusters.adoption.record import Adoption

__all__ = ["LACKED", "LACKED_WITH", "differences", "problems_on_adopted"]

_ADDRESS = (
    "starts a node again with the address that it had, which the network of a plain kind cluster cannot promise; "
    "pause_node, cut_off_node and drain_node lose a node, too"
)
_MIRROR = "needs the harness's own registry, by which its clusters pull all images, and a cluster of yours has none"
_AUDIT = "the audit log alone says why a pod of the workload was not mutated, and a cluster of yours keeps none for us"

LACKED: Mapping[str, str] = {
    "cut_registry": _MIRROR,
    "kill_node": _ADDRESS,
    "reboot_node": _ADDRESS,
    "remove_image": _MIRROR,
    "stop_node": _ADDRESS,
}
"""Faults that need what only the harness's own clusters have, and why."""

LACKED_WITH: Mapping[tuple[str, str], str] = {("never_unmutated", "excused"): _AUDIT}
"""Checks that need such a thing with one of their parameters: by check and parameter.

All other checks that read the audit log give answers without it: causes come from the API server's own log, by time.
"""


def differences(asked: Mapping[str, Any], wanted: Shape, on: "Adoption") -> Iterator[tuple[str, str]]:
    """Yield each field of a shape that is `asked` for and that the adopted cluster is not, with both values."""
    for name in asked:
        want, has = getattr(wanted, name), getattr(on.shape, name)
        if want != has:
            yield name, f"{name}: {_words(want)} is asked for, and kind cluster {on.name} has {_words(has)}"


def problems_on_adopted(data: Mapping[str, Any], on: "Adoption") -> Iterator[Problem]:
    """Yield the steps and claims of an incident that need what the cluster does not have, each with the reason."""
    if on.shape.gatekeeper is None:
        had_none = f"kind cluster {on.name} had no Gatekeeper when it was adopted"
        yield (), f"{had_none}: install it, release the cluster, adopt it again; a baseline runs on the harness's own"
    for index, step in enumerate(listed_parts(data, "faults")):
        fault = step.get("fault") if isinstance(step, dict) else None
        if isinstance(fault, str) and fault in LACKED:
            yield ("faults", index, "fault"), f"not on kind cluster {on.name}: {fault} {LACKED[fault]}"
    for index, claimed in enumerate(listed_parts(data, "claims")):
        check, values = (claimed.get("check"), claimed.get("with")) if isinstance(claimed, dict) else (None, None)
        for name in values if isinstance(values, dict) else ():
            if (why := LACKED_WITH.get((str(check), name))) and data.get("workload"):
                yield ("claims", index, "with", name), f"not on kind cluster {on.name}: {why}; leave {name} out"


def _words(value: object) -> str:
    """Return a value as YAML has it."""
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
