"""Fingerprint: the traits of a cluster, by which a changed cluster is recognised.

Left out is what changes by itself (heartbeats, leases, events, addresses of pods) and what follows from the rest
(endpoints, kube-proxy's rules). A pod counts by its owner, its content, and that it never restarted: its name is
random, but a pod that restarted has a back-off, which would slow the next scenario down. That pods of an owner are not
ready is a trait of its own: it comes and goes while a cluster begins, and on a machine that is busy.

One that is `whole` says more, and each thing apart: see `pool.whole`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.objects import is_ready, is_terminating
from chaos_harness.clusters.api.rest import list_objects, read
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.pool import whole as whole_traits
from chaos_harness.clusters.pool.deviations import Fingerprint, Trait
from chaos_harness.clusters.watching.watch import wait_until

__all__ = ["UNREADY", "fingerprint", "is_settled", "object_traits", "wait_settled"]

UNREADY = "not ready"
"""The aspect that says how many pods of one owner are neither ready nor completed; there is none if all are."""

_PASSING = {
    *("events", "leases", "endpoints", "endpointslices", "componentstatuses", "certificatesigningrequests"),
    *("constraintpodstatuses", "constrainttemplatepodstatuses", "mutatorpodstatuses", "configpodstatuses"),
    *("expansiontemplatepodstatuses", "providerpodstatuses", "connectionpodstatuses"),
}
_VOLATILE = ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp", "ownerReferences")
_BY_HOLDERS = ("holderIdentity", "renewTime", "acquireTime", "leaseTransitions")
_LONG = 60

_PROBE = r"""
section() { echo "== $1"; }
section rules; iptables-save | grep -v -e '^[#:]' -e KUBE- | sed 's/^\[[0-9:]*\] //'
section routes; ip route show | grep -v 'dev veth'
section queues; tc qdisc show | grep -v noqueue
section images; crictl images --no-trunc --digests | sort
section containers; crictl ps --output json | jq --raw-output '.containers[] | [
  .labels["io.kubernetes.pod.namespace"], .metadata.name, "started \(.metadata.attempt + 1) times"] | join(" ")'
section stopped; ps -eo stat=,args= | grep '^T'
section services; systemctl is-active kubelet containerd
section files; sha256sum /etc/kubernetes/manifests/* /etc/kubernetes/*.conf /var/lib/kubelet/config.yaml \
  /etc/hosts /etc/resolv.conf /etc/containerd/config.toml 2>/dev/null
"""
_RUNNING = "containers"
_LIMITS = ("Memory", "NanoCpus", "CpuQuota", "CpuShares", "CpusetCpus", "PidsLimit")


def fingerprint(cluster: Cluster, deadline: Deadline, *, whole: bool = False) -> dict[Trait, str]:
    """Return the traits of `cluster` now: its containers, the inside of its nodes, and its objects.

    A `whole` one has each object's uid, too, and what a node has line by line, with what the crash test compares
    besides. Raises CommandFailed, ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    script = f"{_PROBE}{whole_traits.PROBE if whole else ''}exit 0\n"
    with ThreadPoolExecutor() as pool:
        inside = pool.map(lambda node: dict(_inside(cluster, node, script, deadline)), cluster.nodes())
        traits = dict(_containers(cluster, deadline))
        with cluster.client() as api:
            traits |= object_traits(api, deadline, whole=whole)
        running: list[str] = []
        for node, sections in zip(cluster.nodes(), inside, strict=True):
            running += sections.pop(_RUNNING, "").splitlines()
            for title, text in sections.items():
                traits |= (
                    whole_traits.by_line(Trait("node", node, aspect=title), text)
                    if whole
                    else {Trait("node", node, aspect=title): _short(text)}
                )
    return traits | _running(running)


def wait_settled(cluster: Cluster, deadline: Deadline) -> None:
    """Wait until each pod is ready or completed: a pod that is still starting would count as changed later.

    Raises DeadlineExceeded.
    """
    with cluster.client() as api:
        wait_until(
            api, "/api/v1/pods", lambda state: bool(state) and all(map(_is_pod_settled, state.values())), deadline
        )


def is_settled(traits: Fingerprint) -> bool:
    """Return whether each pod was ready or completed when these traits were read."""
    return all(trait.aspect != UNREADY for trait in traits)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= _LONG else hashlib.sha256(text.encode()).hexdigest()[:16]


def _containers(cluster: Cluster, deadline: Deadline) -> Iterator[tuple[Trait, str]]:
    nodes = cluster.nodes()
    names = [*nodes, *([cluster.registry.container] if cluster.registry else [])]
    for container in json.loads(cluster.engine.run(["inspect", "--type", "container", *names], deadline).stdout):
        name, state = container["Name"].lstrip("/"), container["State"]
        # A registry that was restarted has the same content; a node that was restarted has booted again.
        running = f"{state['Status']} since {state['StartedAt']}" if name in nodes else state["Status"]
        yield Trait("container", name, aspect="state"), running
        yield (
            Trait("container", name, aspect="limits"),
            _short({name: container["HostConfig"].get(name) for name in _LIMITS}),
        )
        networks = container["NetworkSettings"]["Networks"]
        yield (
            Trait("container", name, aspect="networks"),
            _short({name: network["IPAddress"] for name, network in networks.items()}),
        )


def _inside(cluster: Cluster, node: str, script: str, deadline: Deadline) -> Iterator[tuple[str, str]]:
    yield from whole_traits.sections(cluster.exec(node, ["sh", "-c", script], deadline).stdout)


def _running(containers: Iterable[str]) -> dict[Trait, str]:
    """Return what runs on all nodes together, by namespace: a pod's status shows a killed container only later."""
    starts: dict[Trait, list[str]] = {}
    for container in containers:
        namespace, _, started = container.partition(" ")
        starts.setdefault(Trait("pods", "as nodes run them", namespace), []).append(started)
    return {part: _short(sorted(started)) for part, started in starts.items()}


def object_traits(api: ApiClient, deadline: Deadline, *, whole: bool = False) -> dict[Trait, str]:
    """Return the traits of all objects; of a `whole` fingerprint each has its uid, and pods their restarts apart.

    Raises ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    traits: dict[Trait, str] = {}
    pods: dict[Trait, list[str]] = {}
    unready: Counter[Trait] = Counter()
    for resource, path in _resources(api, deadline, whole=whole):
        deadline.check(f"objects up to {resource} read")
        for thing in list_objects(api, path, "items", deadline):
            if resource == "pods":
                unready += Counter([] if _is_pod_settled(thing) else [_maker(thing)._replace(aspect=UNREADY)])
                for part, state in _pod(thing, whole=whole).items():
                    pods.setdefault(_maker(thing)._replace(aspect=part), []).append(state)
            else:
                trait = _trait(resource, thing)
                traits[trait] = _short(_without_volatile_fields(resource, thing))
                traits |= {trait._replace(aspect="uid"): thing["metadata"].get("uid", "")} if whole else {}
    traits |= {part: str(count) for part, count in unready.items()}
    return traits | {part: _short(sorted(states)) for part, states in pods.items()}


def _resources(api: ApiClient, deadline: Deadline, *, whole: bool) -> Iterator[tuple[str, str]]:
    """Yield name and URL of each kind of object that can be listed, in the server's preferred version."""
    passing = _PASSING - {"leases"} if whole else _PASSING
    groups = read(api, "/apis", deadline)["groups"]
    roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    for root in roots:
        for resource in list_objects(api, root, "resources", deadline):
            if "list" in resource["verbs"] and resource["name"] not in passing:
                yield resource["name"], f"{root}/{resource['name']}"


def _trait(resource: str, thing: Mapping[str, Any]) -> Trait:
    return Trait(resource, thing["metadata"]["name"], thing["metadata"].get("namespace") or "")


def _maker(pod: Mapping[str, Any]) -> Trait:
    owners = pod["metadata"].get("ownerReferences") or [{"kind": "nobody", "name": pod["metadata"]["name"]}]
    return Trait("pods", f"{owners[0]['kind']} {owners[0]['name']}", pod["metadata"]["namespace"])


def _pod(pod: Mapping[str, Any], *, whole: bool) -> dict[str, str]:
    """Return the content of a pod, by aspect: of a whole fingerprint its restarts and its uid are apart."""
    statuses = pod["status"].get("containerStatuses") or ()
    restarts = {status["name"]: status["restartCount"] for status in statuses}
    containers = [
        (status["name"], status["image"], *([] if whole else [status["restartCount"]])) for status in statuses
    ]
    facts = [pod["status"].get("phase"), containers, pod["metadata"].get("deletionTimestamp")]
    content = json.dumps([*facts, pod["metadata"].get("labels"), pod["metadata"].get("annotations")])
    apart = {"uid": pod["metadata"].get("uid", ""), "restarts": json.dumps(restarts)} if whole else {}
    return {"": content, **apart}


def _is_pod_settled(pod: Mapping[str, Any]) -> bool:
    return not is_terminating(pod) and (is_ready(pod) or pod["status"].get("phase") == "Succeeded")


def _without_volatile_fields(resource: str, thing: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without the fields that change by themselves."""
    metadata = {name: value for name, value in thing["metadata"].items() if name not in _VOLATILE}
    settled = {**{name: value for name, value in thing.items() if name != "status"}, "metadata": metadata}
    if resource == "leases":
        settled["spec"] = {name: value for name, value in thing["spec"].items() if name not in _BY_HOLDERS}
    if resource == "nodes":
        status = thing["status"]
        settled["conditions"] = {condition["type"]: condition["status"] for condition in status["conditions"]}
        settled["versions"] = {name: status["nodeInfo"].get(name) for name in ("kubeletVersion", "bootID")}
    return settled
