"""Numbers: writes a number into an object every second and watches the object, to measure the lag of a watch."""

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import delete, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import NUMBER, WATCH_NUMBER, WRITE
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.objects import ListWatch, watch_objects

__all__ = ["NUMBERED", "delete_number", "write_numbers"]

_NAME = "chaos-harness-number"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{unwatched}/leases"
_QUERY = {"fieldManager": "chaos-harness", "force": "true"}
_TIMEOUT = (1.0, 3.0)
_SHORT = 160


def _number(lease: Mapping[str, Any]) -> dict[str, Any] | None:
    if lease["metadata"]["name"] != _NAME:
        return None
    metadata = {name: lease["metadata"][name] for name in ("name", "uid", "resourceVersion")}
    return {"kind": lease["kind"], "metadata": metadata, "number": lease.get("spec", {}).get("leaseTransitions", 0)}


NUMBERED = ListWatch(WATCH_NUMBER.removeprefix("watch "), _LEASES, _number)
"""The object, watched like all others.

It is a Lease in Gatekeeper's namespace, so that no check sees it: Gatekeeper's webhooks exempt that namespace, the
audit log and the watch on leases leave it out, and the pool's fingerprint has no leases. Without Gatekeeper it is in
kube-public, which those leave out, too.
"""


def write_numbers(cluster: Cluster, history: HistoryWriter, *, every: float = 1.0) -> list[Probe]:
    """Return a probe that writes the next number every `every` seconds, and one that watches the object.

    An entry `invoke write` has the `number`, and so has its result: `ok`, `fail` (refused, with `status`) or `info`
    (unknown). The first number is the current time in unix seconds, so it is higher than any number written before. The
    time from `ok` until the watch sees the number is its lag (see `harness.history.lag`). The object is deleted at the
    end.
    """
    return [*watch_objects(cluster, history, [NUMBERED]), Probe(NUMBER, partial(_ask, cluster, history, every))]


def _ask(cluster: Cluster, history: HistoryWriter, every: float, probe: Probe) -> None:
    number = int(time.time())
    path = _path(cluster)
    with cluster.client() as api:
        for due in probe.every(every):
            if time.monotonic() - due < every:  # rounds missed while the API server did not answer are skipped
                number += 1
                _write(api, history, path, number)
        with suppress(ApiRefused, ApiUnreachable):
            delete_number(api, cluster)


def delete_number(api: ApiClient, cluster: Cluster) -> None:
    """Delete the object, which a killed run leaves behind. Raises ApiRefused, ApiUnreachable."""
    delete(api, _path(cluster))


def _path(cluster: Cluster) -> str:
    return f"{NUMBERED.path_on(cluster)}/{_NAME}"


def _write(api: ApiClient, history: HistoryWriter, path: str, number: int) -> None:
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": _NAME},
        "spec": {"holderIdentity": "chaos-harness", "leaseTransitions": number},
    }
    value: dict[str, Any] = {"number": number}
    history.append("invoke", NUMBER, WRITE, value)
    try:
        content_type = "application/apply-patch+yaml"
        request(api, "PATCH", path, query=_QUERY, body=body, content_type=content_type, timeout=_TIMEOUT)
    except ApiRefused as error:
        refusal = {**value, "status": error.status, "said": str(error.body)[:_SHORT]}
        history.append("fail", NUMBER, WRITE, refusal)
    except ApiUnreachable as error:
        history.append("info", NUMBER, WRITE, {**value, "said": error.cause[:_SHORT]})
    else:
        history.append("ok", NUMBER, WRITE, value)
