"""Webhooks: sets what the API server does when nobody answers for Gatekeeper's mutation, and sets it back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal, get_args

from clusters.cluster import Cluster
from clusters.engine import Engine
from clusters.rest import request
from harness.errors import BadScenario, CommandFailed
from harness.faults.remedies import Remedies, in_container
from harness.journal import Journal, undo
from harness.preparation import Preparation

__all__ = ["FailurePolicy", "fail_mutation", "set_failure_policy"]

FailurePolicy = Literal["Ignore", "Fail"]

_CONFIGURATION = "gatekeeper-mutating-webhook-configuration"
_PATH = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{_CONFIGURATION}"
_WEBHOOK = "mutation.gatekeeper.sh"
_KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
_MERGE = "application/strategic-merge-patch+json"


def fail_mutation(policy: FailurePolicy) -> Preparation:
    """Return the preparation that the mutating webhook has this failurePolicy; its release says Ignore.

    Raises BadScenario.
    """
    if policy not in get_args(FailurePolicy):
        raise BadScenario(f"failurePolicy {policy!r}: expected one of {', '.join(get_args(FailurePolicy))}")
    return Preparation(f"set failurePolicy of mutation to {policy}", partial(_failing, policy=policy))


@undo("webhooks.set_failure_policy")
def set_failure_policy(engine: Engine, *, control_plane: str, policy: str) -> None:
    """Set the mutating webhook's failurePolicy; no webhook is asked about webhooks, so this works whatever is down."""
    patch = ["patch", "mutatingwebhookconfiguration", _CONFIGURATION, "--type", "strategic", "--patch", _patch(policy)]
    done = in_container(engine, control_plane, *_KUBECTL, *patch)
    if done is not None and done.returncode and "notfound" not in done.stderr.lower().replace(" ", ""):
        raise CommandFailed(f"`kubectl {' '.join(patch)}` on {control_plane}: {done.stderr.strip()}")


@contextmanager
def _failing(cluster: Cluster, journal: Journal, policy: FailurePolicy) -> Iterator[str]:
    remedies = Remedies()
    with cluster.client() as api:
        found = request(api, "GET", _PATH)["webhooks"]
        before = next(each["failurePolicy"] for each in found if each["name"] == _WEBHOOK)
        place = {"control_plane": cluster.control_planes[0], "policy": before}
        remedies.promise(journal, "webhooks.set_failure_policy", set_failure_policy, **place)
        try:
            request(api, "PATCH", _PATH, body=json.loads(_patch(policy)), content_type=_MERGE)
            yield f"failurePolicy of {_WEBHOOK} is {policy}, was {before}"
        finally:
            remedies.keep(cluster.engine, journal)


def _patch(policy: str) -> str:
    return json.dumps({"webhooks": [{"name": _WEBHOOK, "failurePolicy": policy}]})
