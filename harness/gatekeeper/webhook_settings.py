"""Webhook settings: failurePolicy and time-outs of Gatekeeper's webhooks, set for a block and set back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial, reduce
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field

from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.gatekeeper.installed import configuration_with
from chaos_harness.harness.errors import BadScenario, PreparationFailed
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, undo_by_kubectl
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos, merge_patches

__all__ = ["FailurePolicy", "fail_closed", "fail_mutation", "set_back", "time_out_webhooks"]

FailurePolicy = Literal["Ignore", "Fail"]
Timeout = Annotated[int, Field(ge=1, le=30)]

_ROOT = "/apis/admissionregistration.k8s.io/v1"
_LONGEST = 30


class _Webhook(NamedTuple):
    """One of Gatekeeper's webhooks: the kind of its configuration, and its own name."""

    kind: str
    name: str


_MUTATION = _Webhook("mutatingwebhookconfiguration", "mutation.gatekeeper.sh")
_VALIDATION = _Webhook("validatingwebhookconfiguration", "validation.gatekeeper.sh")


def fail_mutation(policy: FailurePolicy) -> Preparation:
    """Return the preparation that gives the mutating webhook this failurePolicy; as released it is Ignore.

    Raises BadScenario.
    """
    if policy not in get_args(FailurePolicy):
        raise BadScenario(f"failurePolicy {policy!r}: expected one of {', '.join(get_args(FailurePolicy))}")
    fields = {_MUTATION: {"failurePolicy": policy}}
    return Preparation(f"set failurePolicy of mutation to {policy}", partial(_set, fields=fields))


def fail_closed() -> Preparation:
    """Return the preparation that sets failurePolicy Fail on both webhooks: an outage is preferred to a bypass."""
    fields = {webhook: {"failurePolicy": "Fail"} for webhook in (_MUTATION, _VALIDATION)}
    return Preparation("set failurePolicy of both webhooks to Fail", partial(_set, fields=fields))


def time_out_webhooks(*, mutation: Timeout = 1, validation: Timeout = 3) -> Preparation:
    """Return the preparation that sets the time-outs of the webhooks, in seconds; the defaults are the release's.

    Raises BadScenario.
    """
    wanted = {_MUTATION: mutation, _VALIDATION: validation}
    if not all(1 <= seconds <= _LONGEST for seconds in wanted.values()):
        raise BadScenario(f"time-outs of {mutation} and {validation} s: the API server takes 1 to {_LONGEST} s")
    fields = {webhook: {"timeoutSeconds": seconds} for webhook, seconds in wanted.items()}
    return Preparation(
        f"wait {mutation} s for mutation and {validation} s for validation", partial(_set, fields=fields)
    )


@undo
def set_back(
    engine: Engine,
    *,
    control_plane: str,
    kind: str,
    configuration: str,
    webhook: str = "",
    fields: Mapping[str, Any] | None = None,
    patch: str = "",
    others: Sequence[str] = (),
) -> None:
    """Restore `fields` of a webhook; journals of earlier versions have the whole `patch` instead.

    The API server calls no webhook for webhook configurations, so this works even if all webhooks are down.
    """
    patch = patch or _patch(webhook, fields or {})
    undo_by_kubectl(
        engine, control_plane, others, "patch", kind, configuration, "--type", "strategic", "--patch", patch
    )


@contextmanager
def _set(cluster: Cluster, journal: Journal, fields: Mapping[_Webhook, Mapping[str, Any]]) -> Iterator[str]:
    """Set fields of webhooks for the duration of a block."""
    undos, changes = Undos(cluster.engine, journal), []
    with cluster.client() as api, ExitStack() as last:
        last.callback(undos.run)
        for webhook, wanted in fields.items():
            name, now = _find(
                request(api, "GET", f"{_ROOT}/{webhook.kind}s")["items"], webhook, cluster.shape.namespace
            )
            path = f"{_ROOT}/{webhook.kind}s/{name}"
            place = {"kind": webhook.kind, "configuration": name, "webhook": webhook.name}
            unharmed = reduce(
                merge_patches, (other.arguments["fields"] for other in undos.standing(set_back, **place)), now
            )
            before = {name: unharmed[name] for name in wanted}
            undos.register(
                set_back, harm={"fields": dict(wanted)}, fields=before, **place, **control_plane_arguments(cluster)
            )
            merge_patch(api, path, json.loads(_patch(webhook.name, wanted)), strategic=True)
            changes += [f"{name} of {webhook.name} is {value}, was {now[name]}" for name, value in wanted.items()]
        yield "; ".join(changes)


def _find(
    configurations: Sequence[Mapping[str, Any]], webhook: _Webhook, namespace: str
) -> tuple[str, Mapping[str, Any]]:
    """Return the name of the configuration that has the webhook, and the webhook's settings."""
    name = configuration_with(configurations, webhook.name, namespace)
    for configuration in configurations:
        for settings in configuration.get("webhooks") or ():
            if (configuration["metadata"]["name"], settings["name"]) == (name, webhook.name):
                return str(name), settings
    there = ", ".join(configuration["metadata"]["name"] for configuration in configurations)
    raise PreparationFailed(
        f"expected a webhook {webhook.name} of {namespace} in a {webhook.kind}, there is {there or 'none'} without it; "
        f"see `kubectl get {webhook.kind} -o yaml`"
    )


def _patch(webhook: str, fields: Mapping[str, Any]) -> str:
    return json.dumps({"webhooks": [{"name": webhook, **fields}]})
