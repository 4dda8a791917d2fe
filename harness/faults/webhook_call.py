"""Webhook call: what the API server answers when it must ask Gatekeeper, an effect by which faults prove themselves."""

from collections.abc import Callable

from kubernetes.client import ApiClient

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from clusters.rest import request
from clusters.serving import FORBIDDEN_NAMESPACE, WEBHOOK
from harness.errors import ApiRefused, ApiUnreachable, FaultNotApplied

__all__ = ["DENIED", "NOBODY", "UNCALLED", "wait_answered"]

DENIED = "denied"
"""The answer of a webhook that was asked: what it is asked for is forbidden."""

UNCALLED = "failed calling webhook"
"""What the API server says when it could not ask."""

NOBODY = "no endpoints available"
"""What it says, too, when there is no Pod to ask, whatever the way to it is like."""

_TIMEOUT = (5.0, 20.0)
_FORBIDDEN = 403
_TOLD = 300


def wait_answered(cluster: Cluster, deadline: Deadline, wanted: str, accept: Callable[[str], bool]) -> str:
    """Ask for a forbidden namespace (a dry run) until `accept` takes the answer, and return that: DENIED, or words.

    The webhook fails closed, so that nothing is admitted while it cannot be asked. Raises FaultNotApplied, which says
    what was `wanted`.
    """
    said = "nothing"
    with cluster.client() as api:
        for _ in deadline.attempts(first=0.2):
            said = _ask(api)
            if accept(said):
                return said
    raise FaultNotApplied(
        f"expected the API server to say {wanted} of {WEBHOOK} within {deadline.seconds:.0f} s, it says: {said}"
    )


def _ask(api: ApiClient) -> str:
    path, query = "/api/v1/namespaces", {"dryRun": "All"}
    try:
        request(api, "POST", path, query=query, body=FORBIDDEN_NAMESPACE, timeout=_TIMEOUT)
    except ApiRefused as error:
        return DENIED if error.status == _FORBIDDEN else " ".join(str(error.body).split())[:_TOLD]
    except ApiUnreachable as error:
        return error.cause[:_TOLD]
    return "admitted"
