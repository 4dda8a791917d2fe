"""Job: the manifests of a night on many machines, an Indexed Job of Kubernetes with a privileged pod for each shard."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from chaos_harness.clusters.engine.setup_notice import DISK_GIB
from chaos_harness.clusters.image_name import ImageName
from chaos_harness.clusters.mirror import MIRROR, Mirror
from chaos_harness.harness.nightly.order import FILES, ORDER, Order
from chaos_harness.harness.nightly.planning import NightPlan
from chaos_harness.harness.nightly.pod import JOB

__all__ = [
    "MOUNTED",
    "RESULTS",
    "NightJob",
    "busiest_seconds",
    "deadline_seconds",
    "memory_mib",
    "name_problems",
    "render",
]

MOUNTED = "/etc/chaos-harness"
RESULTS = "/results"
"""Where the order and its files, and the volume with the results, are in a pod."""
_PLAN = "chaos-harness/plan"
"""The annotation with the digest of the plan."""

_NIGHT = "chaos-harness/night"
_VERSION = "chaos-harness/version"
_UID = "batch.kubernetes.io/controller-uid"
_WORK = "/work"
_ENGINE_MIB = 512
_PATIENCE = 3.0
"""As a night has with a cell: by so many times what was planned it may take."""
_START_SECONDS = 3600.0
"""For images, a lost node, and pods that are tried again."""
_GRACE_SECONDS = 420
"""A night gives its runs 300 s to heal and to remove what they made, and writes its ledger then."""
_RETRIES = 3
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LONGEST_NAME = 52
"""A pod's host name is that of the Job and its index, and has at most 63 characters."""
_LONGEST_LABEL, _LONGEST_SUBDOMAIN = 63, 253
_SHORT = 80


@dataclass(frozen=True)
class NightJob:
    """A night as a Job: its name and namespace ("": that of kubectl), the image of the harness, the volume's claim.

    `memory_mib` is what a pod asks for, `seconds` after how long the Job is ended. `carried` are the files of the night
    by their names below FILES.
    """

    name: str
    namespace: str
    image: str
    claim: str
    mirror: Mirror
    order: Order
    carried: Mapping[str, bytes]
    memory_mib: int
    seconds: float


def name_problems(*, name: str, namespace: str, image: str, claim: str) -> list[str]:
    """Return what Kubernetes, or this harness, would refuse of these names."""
    problems = []
    for option, given, form, most in (
        ("--name", name, _LABEL, _LONGEST_NAME),
        ("--namespace", namespace, _LABEL, _LONGEST_LABEL),
        ("--claim", claim, _SUBDOMAIN, _LONGEST_SUBDOMAIN),
    ):
        if given and not (form.fullmatch(given) and len(given) <= most):
            dots = " and dots" if form is _SUBDOMAIN else ""
            problems.append(
                f"{option}: expected at most {most} lower-case letters, digits, inner hyphens{dots}, "
                f"found {given[:_SHORT]!r}"
            )
    return [*problems, *_image_problems(image)]


def _image_problems(image: str) -> Iterator[str]:
    name, at, digest = image.partition("@")
    try:
        ImageName.read(name)
    except ValueError as error:
        yield f"--image: {error}"
        return
    if at and not _DIGEST.fullmatch(digest):
        yield f"--image: expected sha256:<64 digits> after @, found {digest[:_SHORT]!r}"
    if not at and ":" not in name.rpartition("/")[2]:
        yield f"--image: {name} has no tag and no digest: a pod that is tried again might be of another version"


def memory_mib(plan: NightPlan, jobs: int) -> int:
    """Return the memory of a pod that runs `jobs` cells at a time."""
    return max(each.cell.shape.memory_mib for each in plan.cells) * jobs + _ENGINE_MIB


def busiest_seconds(plan: NightPlan) -> float:
    """Return how long the shard with the most to do takes by the plan, one cell after the other."""
    shards = {each.shard: 0.0 for each in plan.cells}
    for each in plan.cells:
        shards[each.shard] += each.seconds
    return max(shards.values())


def deadline_seconds(plan: NightPlan, budget: float | None, jobs: int) -> float:
    """Return after how many seconds from its creation a Job has certainly gone wrong.

    That is the budget, or else what the busiest shard takes, with patience; then the last cell may go on for long.
    """
    night = busiest_seconds(plan) / jobs * _PATIENCE if budget is None else budget
    return night + max(each.seconds for each in plan.cells) * _PATIENCE + _START_SECONDS


def render(job: NightJob) -> str:
    """Return the manifests as YAML that `kubectl apply` takes: a ConfigMap with the plan's files, and the Job."""
    return yaml.dump_all(
        [_config_map(job), _job(job)], Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_LONGEST_SUBDOMAIN
    )


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _metadata(job: NightJob) -> dict[str, Any]:
    return {
        "name": job.name,
        **({"namespace": job.namespace} if job.namespace else {}),
        "labels": _labels(job),
        "annotations": {_PLAN: job.order.digest, _VERSION: job.order.harness},
    }


def _labels(job: NightJob) -> dict[str, str]:
    return {"app.kubernetes.io/name": "chaos-harness", "app.kubernetes.io/component": "nightly", _NIGHT: job.name}


def _keys(job: NightJob) -> dict[str, str]:
    """Return the keys of the files in the ConfigMap, whose names may have no slashes."""
    return {
        f"{number}-{re.sub(r'[^-._A-Za-z0-9]', '-', name.rpartition('/')[2])[:_SHORT]}": name
        for number, name in enumerate(sorted(job.carried))
    }


def _config_map(job: NightJob) -> dict[str, Any]:
    data: dict[str, str] = {ORDER: f"{job.order.model_dump_json(indent=1)}\n"}
    binary: dict[str, str] = {}
    for key, name in _keys(job).items():
        try:
            data[key] = job.carried[name].decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(job.carried[name]).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(job),
        "immutable": True,
        "data": data,
        **({"binaryData": binary} if binary else {}),
    }


def _job(job: NightJob) -> dict[str, Any]:
    """Return the Job.

    A pod is replaced only when it has ended, so that two never write to the folder of one shard; with a
    podFailurePolicy Kubernetes allows nothing else. What a lost or drained node does to a pod is not counted against
    its index: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(job),
        "spec": {
            "completionMode": "Indexed",
            "completions": job.order.shards,
            "parallelism": job.order.shards,
            "backoffLimitPerIndex": _RETRIES,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "activeDeadlineSeconds": round(job.seconds),
            "template": {
                "metadata": {
                    "labels": _labels(job),
                    "annotations": {
                        _PLAN: job.order.digest,
                        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                    },
                },
                "spec": _pod(job),
            },
        },
    }


def _pod(job: NightJob) -> dict[str, Any]:
    """Return the pod of a shard.

    Its names are those of its node: the address of a cluster's own DNS is that of the DNS of the cluster in the pod,
    too, which would ask itself for what it does not know (https://coredns.io/plugins/loop/), and end.
    """
    mounts = {"order": MOUNTED, "results": RESULTS, "work": _WORK, "modules": "/lib/modules"}
    read_only = ("order", "modules")
    items = [
        {"key": ORDER, "path": ORDER},
        *({"key": key, "path": f"{FILES}/{name}"} for key, name in _keys(job).items()),
    ]
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "dnsPolicy": "Default",
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {_NIGHT: job.name}},
            }
        ],
        "containers": [
            {
                "name": "shard",
                "image": job.image,
                "args": ["nightly", "--pod", MOUNTED],
                "workingDir": _WORK,
                "env": list(_environment(job)),
                "securityContext": {"privileged": True, "runAsUser": 0},
                "resources": {
                    "requests": {
                        "cpu": str(job.order.jobs),
                        "memory": f"{job.memory_mib}Mi",
                        "ephemeral-storage": f"{DISK_GIB}Gi",
                    }
                },
                "volumeMounts": [
                    {"name": name, "mountPath": path, **({"readOnly": True} if name in read_only else {})}
                    for name, path in mounts.items()
                ],
            }
        ],
        "volumes": [
            {"name": "order", "configMap": {"name": job.name, "items": items}},
            {"name": "results", "persistentVolumeClaim": {"claimName": job.claim}},
            {"name": "work", "emptyDir": {}},
            {"name": "modules", "hostPath": {"path": "/lib/modules"}},
        ],
    }


def _environment(job: NightJob) -> Iterator[dict[str, Any]]:
    """Yield the environment of a pod: its engine's images lie on an emptyDir, since overlayfs needs another below it.

    CI agrees to what the private engine changes in the pod.
    """
    values = {"CHAOS_ENGINE": "private", "CI": "true"}
    values |= {"XDG_CACHE_HOME": f"{_WORK}/cache", "XDG_STATE_HOME": f"{_WORK}/state"}
    values |= {MIRROR: str(job.mirror)} if job.mirror.address else {}
    yield from ({"name": name, "value": value} for name, value in values.items())
    yield {"name": JOB, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{_UID}']"}}}
