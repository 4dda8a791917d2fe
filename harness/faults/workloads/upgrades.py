"""Upgrades: faults that bring Gatekeeper to another release while its policies are asked about, and back.

Their undo goes back to the version of before the first of them. It does not make the cluster as new: what the newer
release brought, such as definitions, stays, as with upstream's own means. So who makes a cluster anew compares its
fingerprint, and a cluster of several releases is used for one replay of an incident.
"""

from collections.abc import Sequence
from pathlib import Path

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.gatekeeper.install import manifest
from chaos_harness.clusters.gatekeeper.installed import OPERATION, pods_path
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.gatekeeper.unready import reasons
from chaos_harness.clusters.gatekeeper.upgrade import deployed_versions, roll_back_chart, upgrade
from chaos_harness.clusters.shape import Install, Release
from chaos_harness.harness.errors import ApiRefused, BadScenario, CommandFailed, DeadlineExceeded, FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.targets import find_pods
from chaos_harness.harness.history.vocabulary import ROLLED_BACK, UPGRADED
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, undo_by_kubectl

__all__ = ["go_back", "rollback_gatekeeper", "upgrade_gatekeeper"]

_APPLY_SECONDS = 240.0
_SERVE_SECONDS = 300.0
_UNDO_SECONDS = 180.0


def upgrade_gatekeeper(to: Release, by: Install | None = None) -> Fault:
    """Return the fault that upgrades Gatekeeper `to` a version, `by` its manifest or its chart, as upstream documents.

    By default it is done as Gatekeeper was installed. It is proved when all replicas of that version serve admission.
    By the manifest `to` may be an older version. It is one-shot; the experiment goes back to the first version when it
    ends.
    """
    return _Change("upgrade gatekeeper", UPGRADED, to, by)


def rollback_gatekeeper(to: Release, by: Install | None = None) -> Fault:
    """Return the fault that rolls Gatekeeper back `to` a version that ran before: `helm rollback`, or its manifest.

    No hook of the chart runs then, so that definitions stay those of the newer version. All else is as in
    `upgrade_gatekeeper`.
    """
    return _Change("rollback gatekeeper", ROLLED_BACK, to, by)


@undo
def go_back(
    engine: Engine, *, control_plane: str, version: str, install: Install, kubeconfig: str, others: Sequence[str] = ()
) -> None:
    """Go back to the version of before, without waiting until it serves; a cluster that is gone needs nothing."""
    if install == "manifest":
        text = manifest(version).read_text(encoding="utf-8")
        words = ("apply", "--server-side", "--force-conflicts", "--field-manager=chaos-harness", "--filename=-")
        undo_by_kubectl(engine, control_plane, others, *words, seconds=_UNDO_SECONDS, stdin=text)
    elif undo_by_kubectl(engine, control_plane, others, "get", "--raw", "/version") is not None:
        roll_back_chart(Path(kubeconfig), version, Deadline.after(_UNDO_SECONDS, f"helm to roll back to {version}"))


class _Change:
    """A change of the version; the cluster's pods are harmed as they are replaced."""

    healed = ONE_SHOT
    proved_within = _SERVE_SECONDS
    stays = True

    def __init__(self, name: str, how: str, to: str, by: Install | None) -> None:
        self.name = name
        self.harms_pods = how
        self.to = to
        self.by = by

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        method = self.by or cluster.shape.install
        if method != cluster.shape.install:
            raise BadScenario(f"{self.name}: it was installed by its {cluster.shape.install}, not by its {method}")
        with cluster.client() as api:
            before = self._version_before(api, cluster)
            targets = find_pods(api, cluster.shape.namespace, (), OPERATION)
        standing = injection.undos.standing(go_back)
        injection.undo(
            go_back,
            harm={},
            version=standing[0].arguments["version"] if standing else before,
            install=method,
            kubeconfig=str(cluster.kubeconfig),
            **control_plane_arguments(cluster),
        )
        for target in targets:
            injection.note_harm(self.harms_pods, target)
        self._do(cluster, method)

    def _version_before(self, api: ApiClient, cluster: Cluster) -> str:
        versions = deployed_versions(api, cluster)
        if not versions:
            raise BadScenario(f"{self.name}: the cluster has no Gatekeeper")
        if set(versions.values()) == {self.to}:
            raise BadScenario(f"{self.name}: it is {self.to} already")
        return next(version for version in versions.values() if version != self.to)

    def _do(self, cluster: Cluster, method: Install) -> None:
        deadline = Deadline.after(_APPLY_SECONDS, f"{self.name} to {self.to} by its {method}")
        try:
            if method == "chart" and self.harms_pods == ROLLED_BACK:
                roll_back_chart(cluster.kubeconfig, self.to, deadline)
            else:
                upgrade(cluster, self.to, method, deadline)
        except (ApiRefused, CommandFailed, DeadlineExceeded) as error:
            raise FaultNotApplied(_told(f"{self.name} to {self.to} by its {method}: {error}", cluster)) from error

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        try:
            serving = wait_until_serving(cluster, deadline)
            with cluster.client() as api:
                images = _images(api, cluster, serving)
                asked = deployed_versions(api, cluster)
        except DeadlineExceeded as error:
            raise FaultNotApplied(_told(f"expected {self.to} to serve: {error}", cluster)) from error
        wrong = {pod: image for pod, image in images.items() if not image.endswith(f":{self.to}")}
        if wrong or set(asked.values()) != {self.to}:
            raise FaultNotApplied(f"expected {self.to} to serve, found {wrong or asked}")
        return f"{', '.join(serving)} serve admission by {self.to}; all Deployments are rolled out"


def _images(api: ApiClient, cluster: Cluster, names: Sequence[str]) -> dict[str, str]:
    """Return the image of each of these pods, "gone" for one that is not there."""
    pods = {pod["metadata"]["name"]: pod for pod in request(api, "GET", pods_path(cluster))["items"]}
    return {name: pods[name]["spec"]["containers"][0]["image"] if name in pods else "gone" for name in names}


def _told(words: str, cluster: Cluster) -> str:
    """Return what went wrong, with the reasons of the pods that are not ready."""
    return "\n".join([words, *reasons(cluster)])
