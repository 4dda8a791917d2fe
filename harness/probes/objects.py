"""Objects: probes that record every change of the objects that an experiment watches."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.changes import ObjectDict
from chaos_harness.clusters.watching.watch import Change, Proofs, Watch
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import CONSTRAINTS, GAP, watch
from chaos_harness.harness.policies import CANARIES, PODS, Question
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.redaction import redact_object

__all__ = [
    "CONSTRAINTS",
    "CONSTRAINTS_OF_A_KIND",
    "CONTROL_PLANE",
    "GENERATED",
    "USUAL",
    "WEBHOOKS",
    "WORKLOAD",
    "WORKLOAD_EVENTS",
    "ListWatch",
    "WatchGroup",
    "canary_pods",
    "constraints",
    "watch_objects",
]


_LIFETIME_SECONDS = 24 * 3600.0
_QUIET_SECONDS = 120.0
_PROOF_SECONDS = 5.0
_REPEATED = "kubectl.kubernetes.io/last-applied-configuration"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_UNWATCHED = "kube-public"
_LEASES = frozenset({"kube-system", "kube-node-lease"})


@dataclass(frozen=True)
class ListWatch:
    """A list URL to watch; in the history it is the process "watch <name>".

    In `path`, {gatekeeper} stands for Gatekeeper's namespace, {unwatched} for one that no webhook is asked about and no
    other watch shows. `written` returns what is recorded of an object, or None if nothing is. `selectors` are those of
    the list.
    """

    name: str
    path: str
    written: Callable[[ObjectDict], ObjectDict | None] = lambda watched_object: watched_object
    selectors: Mapping[str, str] = field(default_factory=dict)

    def path_on(self, cluster: Cluster) -> str:
        """Return the list's URL on a cluster."""
        if "{" not in self.path:
            return self.path
        namespace = cluster.shape.namespace
        return self.path.format(gatekeeper=namespace, unwatched=namespace if cluster.shape.gatekeeper else _UNWATCHED)

    def is_on(self, cluster: Cluster) -> bool:
        """Whether a cluster can have such objects: those of Gatekeeper's namespace only if it has Gatekeeper."""
        return "{gatekeeper}" not in self.path or bool(cluster.shape.gatekeeper)


@dataclass(frozen=True)
class WatchGroup:
    """Lists that are watched together; incident files name the group by its `name`.

    A group whose lists depend on a kind has `of_kind` instead of `lists`, and files add the kind: "constraints
    ChaosOwners".
    """

    name: str
    lists: tuple[ListWatch, ...] = ()
    of_kind: Callable[[str], tuple[ListWatch, ...]] | None = None

    def __iter__(self) -> Iterator[ListWatch]:
        """Iterate over its lists."""
        return iter(self.lists)


def _in_chaos(watched_object: ObjectDict) -> ObjectDict | None:
    namespace = watched_object["metadata"]["namespace"]
    return watched_object if namespace.startswith("chaos-") and namespace != CANARIES else None


def _without_images(node: ObjectDict) -> ObjectDict:
    return {**node, "status": {name: field for name, field in node.get("status", {}).items() if name != "images"}}


def _signed(watched_object: ObjectDict) -> ObjectDict:
    """Return an object with its last `writers`: the field managers of its newest change, and of which subresource."""
    fields = watched_object["metadata"].get("managedFields") or ()
    newest = max((field.get("time") or "" for field in fields), default="")
    last = [field for field in fields if (field.get("time") or "") == newest]
    writers = {f"{one.get('manager')}{f' ({of})' if (of := one.get('subresource')) else ''}" for one in last}
    return {**watched_object, "writers": sorted(writers)}


def _without_rego(template: ObjectDict) -> ObjectDict:
    """Return the template without its Rego, which can be long and is irrelevant for generated policies."""
    targets = []
    for target in template["spec"].get("targets") or ():
        code = [source for source in target.get("code") or () if source.get("engine") != "Rego"]
        targets.append({name: field for name, field in target.items() if name not in ("rego", "libs")} | {"code": code})
    return {**_signed(template), "spec": {**template["spec"], "targets": targets}}


def _renewal(lease: ObjectDict) -> ObjectDict | None:
    if lease["metadata"]["namespace"] not in _LEASES:
        return None
    metadata = {name: lease["metadata"][name] for name in ("namespace", "name", "uid", "resourceVersion")}
    return {"kind": lease["kind"], "metadata": metadata, "spec": lease.get("spec", {})}


USUAL = (
    ListWatch("pods", "/api/v1/namespaces/{gatekeeper}/pods"),
    ListWatch("events", "/api/v1/namespaces/{gatekeeper}/events"),
    ListWatch("deployments", "/apis/apps/v1/namespaces/{gatekeeper}/deployments"),
    ListWatch("endpointslices", "/apis/discovery.k8s.io/v1/namespaces/{gatekeeper}/endpointslices"),
    ListWatch("nodes", "/api/v1/nodes", _without_images),
)
"""What every experiment watches: Gatekeeper and the nodes."""

GENERATED = WatchGroup(
    "generated",
    (
        ListWatch("constrainttemplates", "/apis/templates.gatekeeper.sh/v1/constrainttemplates", _without_rego),
        ListWatch("validatingadmissionpolicies", f"{_ADMISSION}/validatingadmissionpolicies", _signed),
        ListWatch("validatingadmissionpolicybindings", f"{_ADMISSION}/validatingadmissionpolicybindings", _signed),
    ),
)
"""Templates and what Gatekeeper generates from them and from constraints (see `constraints` for those)."""

WEBHOOKS = WatchGroup(
    "webhooks",
    (
        ListWatch("validatingwebhookconfigurations", f"{_ADMISSION}/validatingwebhookconfigurations", _signed),
        ListWatch("mutatingwebhookconfigurations", f"{_ADMISSION}/mutatingwebhookconfigurations", _signed),
    ),
)
"""Admission webhook configurations (failurePolicy, time-outs)."""

CONTROL_PLANE = WatchGroup(
    "control plane",
    (
        ListWatch("leases", "/apis/coordination.k8s.io/v1/leases", _renewal),
        ListWatch("system pods", "/api/v1/namespaces/kube-system/pods"),
    ),
)
"""Leases of leaders and of nodes, reduced to what checks use; and the pods of kube-system."""

WORKLOAD = WatchGroup("workload", (ListWatch("workload", "/api/v1/pods", _in_chaos),))
"""Pods in all namespaces chaos-* except the canary's, which `canary_pods` watches."""

WORKLOAD_EVENTS = (ListWatch("workload events", "/api/v1/events", _in_chaos),)
"""Events about the pods of WORKLOAD."""


def canary_pods(questions: Collection[Question]) -> tuple[ListWatch, ...]:
    """Return the watch on pods that the admission probe created by these questions, even if it got no answer."""
    demanded = {question.policy: parts for question in questions if (parts := question.pod_parts)}

    def written(pod: ObjectDict) -> ObjectDict:
        kept = ("name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
        metadata = {name: pod["metadata"][name] for name in kept if name in pod["metadata"]}
        mutated_for = [policy for policy, parts in demanded.items() if parts.are_in(pod)]
        return {"kind": pod["kind"], "metadata": metadata, "mutated_for": mutated_for}

    return (ListWatch("canaries", PODS, written),)


def constraints(*kinds: str) -> tuple[ListWatch, ...]:
    """Return the watches on the constraints of these kinds; a kind that is not served is a gap because of "404"."""
    plurals = [kind.lower() for kind in kinds]
    root = "/apis/constraints.gatekeeper.sh/v1beta1"
    return tuple(ListWatch(f"constraints {plural}", f"{root}/{plural}", _signed) for plural in plurals)


CONSTRAINTS_OF_A_KIND = WatchGroup("constraints", of_kind=constraints)
"""The constraints of one kind."""


def watch_objects(cluster: Cluster, history: HistoryWriter, watched: Iterable[ListWatch] = USUAL) -> list[Probe]:
    """Return one probe for each of `watched` that the cluster can have.

    An entry has kind `change`, and in `f` what the watch saw (see clusters.watching.watch.Change). The object is in
    `object` of its value, without managedFields, without kubectl's copy, and without its secrets, which are never on
    disk (see harness.redaction.redact_object). What is Gatekeeper's, or generated by it, has its last `writers`. A gap
    is an entry GAP, and changes that became visible after it have `in_gap`. Signs of life, BOOKMARK, are at most 10 s
    apart; one also comes when the probe settles.
    """
    return [_WatchProbe(cluster, history, list_) for list_ in watched if list_.is_on(cluster)]


class _WatchProbe(Probe):
    def __init__(self, cluster: Cluster, history: HistoryWriter, watched: ListWatch) -> None:
        super().__init__(watch(watched.name), self._follow, late_after=_QUIET_SECONDS)
        self._cluster = cluster
        self._history = history
        self._watched = watched
        self._proofs = Proofs()
        self._heard = False

    def settle(self, deadline: Deadline) -> None:
        """Wait for a sign of life that proves that everything up to now is recorded.

        Without an answer of the API server there is none, and no error. Raises ProbeBroken if the watch died.
        """
        self._proofs.ask(min(deadline.remaining, _PROOF_SECONDS))
        self.require_healthy()

    def _follow(self, _: Probe) -> None:
        path = self._watched.path_on(self._cluster)
        deadline = Deadline.after(_LIFETIME_SECONDS, f"changes of {path}")
        with self._cluster.client() as api:
            watching = Watch(api, path, params=self._watched.selectors)
            changes = watching.changes(deadline, self.stopping, self._asking, self._proofs)
            for change in changes:
                self._heard = True
                self.beat()
                value = _value(change, self._watched)
                if value is not None:
                    self._history.append("change", self.name, change.kind, value)

    def _asking(self) -> None:
        if self._heard:  # the first sign of life is an answer, not a question
            self.beat()


def _value(change: Change, watched: ListWatch) -> ObjectDict | None:
    value: ObjectDict = {"resource_version": change.resource_version}
    if change.object is not None:
        written = watched.written(change.object)
        if written is None:
            return None
        value["object"] = redact_object({**written, "metadata": _metadata(written["metadata"])})
    if change.in_gap:
        value["in_gap"] = True
    if change.kind == GAP:
        value |= {"why": change.why, "detail": change.detail}
    return value


def _metadata(metadata: ObjectDict) -> ObjectDict:
    kept = {name: field for name, field in metadata.items() if name != "managedFields"}
    if _REPEATED in kept.get("annotations", {}):
        kept["annotations"] = {
            name: annotation for name, annotation in kept["annotations"].items() if name != _REPEATED
        }
    return kept
