"""Numbers: probes that write a number into an object each second, and watch it, so that a watch's lag is known."""

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import delete, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.gatekeeper.readiness import NAMESPACE
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import NUMBER, WATCH_NUMBER, WRITE
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.objects import ListWatch, watch_objects

__all__ = ["NUMBERED", "write_numbers"]

_NAME = "chaos-harness-number"
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_PATH = f"{_LEASES}/{_NAME}"
_QUERY = {"fieldManager": "chaos-harness", "force": "true"}
_TIMEOUT = (1.0, 3.0)
_SHORT = 160


def _number(lease: Mapping[str, Any]) -> dict[str, Any] | None:
    if lease["metadata"]["name"] != _NAME:
        return None
    metadata = {name: lease["metadata"][name] for name in ("name", "uid", "resourceVersion")}
    return {"kind": lease["kind"], "metadata": metadata, "number": lease.get("spec", {}).get("leaseTransitions", 0)}


NUMBERED = ListWatch(WATCH_NUMBER.removeprefix("watch "), _LEASES, _number)
"""The object, watched as all others are.

It is a Lease in Gatekeeper's own namespace, so that it is in no judgement of ours: Gatekeeper is not asked about what
is written there, the audit log passes over it, the watch on leases does not tell of it, and the pool's fingerprint has
no leases.
"""


def write_numbers(cluster: Cluster, history: HistoryWriter, *, every: float = 1.0) -> list[Probe]:
    """Return a probe that writes the next number every `every` seconds, and one that watches what it writes.

    An entry `invoke write` has the `number`, and so has what came of it: `ok`, `fail` (refused, with `status`) or
    `info` (nobody knows). The first one is the time in unix seconds: higher than all that was written earlier. How long
    after `ok` the watch tells of it is its lag (see `harness.history.lag`). The object is deleted at the end.
    """
    return [*watch_objects(cluster, history, [NUMBERED]), Probe(NUMBER, partial(_ask, cluster, history, every))]


def _ask(cluster: Cluster, history: HistoryWriter, every: float, probe: Probe) -> None:
    number = int(time.time())
    with cluster.client() as api:
        for due in probe.every(every):
            if time.monotonic() - due < every:  # what was missed, while nobody answered, is not made up for
                number += 1
                _write(api, history, number)
        with suppress(ApiRefused, ApiUnreachable):
            delete(api, _PATH)


def _write(api: ApiClient, history: HistoryWriter, number: int) -> None:
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": _NAME, "namespace": NAMESPACE},
        "spec": {"holderIdentity": "chaos-harness", "leaseTransitions": number},
    }
    value: dict[str, Any] = {"number": number}
    history.append("invoke", NUMBER, WRITE, value)
    try:
        content_type = "application/apply-patch+yaml"
        request(api, "PATCH", _PATH, query=_QUERY, body=body, content_type=content_type, timeout=_TIMEOUT)
    except ApiRefused as error:
        refusal = {**value, "status": error.status, "said": str(error.body)[:_SHORT]}
        history.append("fail", NUMBER, WRITE, refusal)
    except ApiUnreachable as error:
        history.append("info", NUMBER, WRITE, {**value, "said": error.cause[:_SHORT]})
    else:
        history.append("ok", NUMBER, WRITE, value)
