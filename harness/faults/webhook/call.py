"""Webhook call: what the API server answers when it must call Gatekeeper; faults prove their effect by it."""

from typing import Final, Literal

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.readiness import FORBIDDEN_NAMESPACE, WEBHOOK
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, FaultNotApplied

__all__ = ["DENIED", "NOBODY", "UNCALLED", "ask", "wait_answered"]

DENIED: Final = "denied"
"""The answer if the webhook was called: the namespace is forbidden."""

UNCALLED: Final = "failed calling webhook"
"""What the API server says if it could not call the webhook."""

NOBODY: Final = "no endpoints available"
"""What it says, too, if there is no webhook pod to call, whatever the network is like."""

CallOutcome = Literal["denied", "failed calling webhook", "no endpoints available"]

_TIMEOUT = (5.0, 20.0)
_FORBIDDEN = 403
_SHORT = 600
"""Enough for the reason, which stands behind the address of the webhook."""


def wait_answered(cluster: Cluster, deadline: Deadline, *wanted: CallOutcome) -> str:
    """Try to create a forbidden namespace (dry run) until the answer is one of `wanted`; return it.

    The webhook asked here fails closed: nothing is admitted while it cannot be called. It is asked often at first: what
    Gatekeeper itself puts right is seen for a few hundredths of a second. Raises FaultNotApplied.
    """
    said = "nothing"
    with cluster.client() as api:
        for _ in deadline.attempts(first=0.02):
            said = ask(api)
            if any(said == DENIED if answer == DENIED else answer in said for answer in wanted):
                return said
    raise FaultNotApplied(
        f"expected the API server to say {' or '.join(map(repr, wanted))} of {WEBHOOK} within "
        f"{deadline.seconds:.0f} s, it says: {said}"
    )


def ask(api: ApiClient) -> str:
    """Try once to create a forbidden namespace (dry run); return what the API server says."""
    path, query = "/api/v1/namespaces", {"dryRun": "All"}
    try:
        request(api, "POST", path, query=query, body=FORBIDDEN_NAMESPACE, timeout=_TIMEOUT)
    except ApiRefused as error:
        return DENIED if error.status == _FORBIDDEN else " ".join(error.message.split())[:_SHORT]
    except ApiUnreachable as error:
        return error.cause[:_SHORT]
    return "admitted"
