"""Webhook call: what the API server answers when it must ask Gatekeeper, an effect by which faults prove themselves."""

from typing import Final, Literal

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.readiness import FORBIDDEN_NAMESPACE, WEBHOOK
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, FaultNotApplied

__all__ = ["DENIED", "NOBODY", "UNCALLED", "Answer", "wait_for_answer"]

DENIED: Final = "denied"
"""The answer of a webhook that was asked: what it is asked for is forbidden."""

UNCALLED: Final = "failed calling webhook"
"""What the API server says when it could not ask."""

NOBODY: Final = "no endpoints available"
"""What it says, too, when there is no Pod to ask, whatever the way to it is like."""

Answer = Literal["denied", "failed calling webhook", "no endpoints available"]

_TIMEOUT = (5.0, 20.0)
_FORBIDDEN = 403
_TOLD = 300


def wait_for_answer(cluster: Cluster, deadline: Deadline, *wanted: Answer) -> str:
    """Ask for a forbidden namespace (a dry run) until the answer is one of those `wanted`; return it in its words.

    The webhook fails closed, so that nothing is admitted while it cannot be asked. Raises FaultNotApplied.
    """
    said = "nothing"
    with cluster.client() as api:
        for _ in deadline.attempts(first=0.2):
            said = _ask(api)
            if any(said == DENIED if answer == DENIED else answer in said for answer in wanted):
                return said
    raise FaultNotApplied(
        f"expected the API server to say {' or '.join(map(repr, wanted))} of {WEBHOOK} within "
        f"{deadline.seconds:.0f} s, it says: {said}"
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
