"""Manifests: the policies and the workload of an incident, ready to be applied."""

from collections.abc import Iterator

from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.object_files import Objects
from chaos_harness.harness.incident.suite_items import suite_policies
from chaos_harness.harness.policies import Policy
from chaos_harness.harness.policies.generation_rules import Rules

__all__ = ["policies_of"]


def policies_of(loaded: LoadedIncident) -> list[Policy]:
    """Return what an incident applies, policies first; objects that ask for a generated policy name its binding."""
    return [*_policies(loaded), *_workload(loaded)]


def _policies(loaded: LoadedIncident) -> Iterator[Policy]:
    for item, objects in zip(loaded.incident.policies, loaded.policies, strict=True):
        if item.policy:
            yield entries("policy")[item.policy].make(item.with_)
        elif item.suite:
            yield from suite_policies(loaded.path, item.suite, item.tests, loaded.shape.gatekeeper)
        else:
            yield Policy(
                item.file or _name(objects),
                objects,
                generated=_find_bound_constraints(objects, loaded.shape.gatekeeper),
            )


def _find_bound_constraints(objects: Objects, gatekeeper: str | None) -> tuple[str, ...]:
    """Return the constraints whose bindings must exist before their policy is in force."""
    templates = [manifest for manifest in objects if manifest["kind"] == "ConstraintTemplate"]
    constraints = [manifest for manifest in objects if manifest["apiVersion"].startswith("constraints.gatekeeper.sh/")]
    if not templates or not constraints:
        return ()
    rules = Rules.of(gatekeeper)
    return tuple(
        constraint["metadata"]["name"] for constraint in constraints if rules.bindings(templates, [constraint])
    )


def _workload(loaded: LoadedIncident) -> Iterator[Policy]:
    return (
        Policy(f"workload {item.file or _name(objects)}", objects)
        for item, objects in zip(loaded.incident.workload, loaded.workload, strict=True)
    )


def _name(objects: Objects) -> str:
    return ", ".join(f"{manifest['kind']} {manifest['metadata']['name']}" for manifest in objects)
