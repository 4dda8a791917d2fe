"""Draft: an incident file made from the current state of a user's cluster: versions, webhooks, policies, events."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.api.readonly import ReadOnlyCluster
from chaos_harness.clusters.gatekeeper.installed import OPERATION, WEBHOOK_PODS, webhook_deployment_of
from chaos_harness.clusters.shape import NAMESPACE
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.watching.changes import ObjectDict
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.contents import kinds_of_templates
from chaos_harness.harness.incident.kinds import KINDS
from chaos_harness.harness.incident.model import SCHEMA
from chaos_harness.harness.incident.object_files import problems_of_manifest
from chaos_harness.harness.incident.yaml_source import MOST_BYTES, parse
from chaos_harness.harness.redaction import REDACTED, redact

__all__ = ["draft"]


_HOUR = timedelta(hours=1)
_MOST_EVENTS = 40
_MOST_POLICIES = 100
_MOST_PARTS = 15_000
_MOST_COMMENTS = 300
_LONGEST_COMMENT = 2000
_SHORT = 100
_WIDTH = 110
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_GROUPS = tuple(f"{name}.gatekeeper.sh" for name in ("templates", "constraints", "mutations", "config"))
_DROPPED = ("creationTimestamp", "generation", "managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid")
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def draft(cluster: ReadOnlyCluster, now: datetime | None = None) -> str:
    """Return the text of an incident that resembles this cluster; its author fills in faults and claims.

    The text is always a valid incident file: what an incident cannot hold is left out, with a comment. Secrets are
    neither read nor written. Raises BadScenario if there is no Gatekeeper, or if something else than Kubernetes
    answers; ClusterUnavailable.
    """
    try:
        return _draft(cluster, now or datetime.now(UTC))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError) as error:
        raise BadScenario(
            f"expected objects of Kubernetes, found something else ({escape_controls(repr(error), most=_SHORT)}); "
            "`kubectl version` with the same kubeconfig shows what answers there"
        ) from error


def _draft(cluster: ReadOnlyCluster, now: datetime) -> str:
    deployments = _deployments(cluster)
    serving = webhook_deployment_of(deployments)
    if serving is None:
        names = ", ".join(str(deployment["metadata"]["name"]) for deployment in deployments)
        listed = escape_controls(names, most=_LONGEST_COMMENT)
        raise BadScenario(
            f"expected a Deployment whose pods have the label {WEBHOOK_PODS}, found "
            f"{listed or 'none that this user may see'}"
        )
    serving = dict(serving)
    namespace = serving["metadata"].get("namespace", NAMESPACE)
    kubernetes = str((cluster.get("/version") or {}).get("gitVersion", "unknown"))
    gatekeeper = _tag(serving)
    nodes = cluster.items("/api/v1/nodes")
    workers = [node for node in nodes if _CONTROL_PLANE not in (node["metadata"].get("labels") or {})]
    chart = _is_chart(serving)
    policies, left_out = _choose_policies(_policies(cluster))
    policies, unmet = _takeable_policies(policies)
    comments = [
        f"drafted {now.isoformat(timespec='minutes')} from a cluster that was only read",
        f"Kubernetes {kubernetes}{_near(kubernetes, known_versions.KUBERNETES)}",
        (
            f"Gatekeeper {gatekeeper}{_near(gatekeeper, known_versions.GATEKEEPER)}, "
            f"installed by {chart or 'its manifest'}"
        ),
        f"{len(nodes)} nodes, {len(workers)} of them workers",
        *_deployed(deployments),
        *_webhooks(cluster),
        *_failed(cluster, now, namespace),
        *(f"left out, because no incident can hold it: {name}" for name in left_out),
        *(f"left out, because {why}" for why in unmet),
    ]
    shape: ObjectDict = {"workers": max(1, min(3, len(workers))), "install": "chart" if chart else "manifest"}
    shape |= {"gatekeeper": gatekeeper} if known_versions.resolve_gatekeeper(gatekeeper) == gatekeeper else {}
    shape |= {"kubernetes": kubernetes} if kubernetes in known_versions.KUBERNETES else {}
    body: ObjectDict = {
        "schema": SCHEMA,
        "title": "What went wrong, in one sentence",
        "story": "Drafted from a cluster; see the comments above for what it was like.\n",
        "shape": shape,
        "budget": "10m",
        "policies": [{"object": policy} for policy in policies],
        "faults": [{"fault": "kill_containers", "with": {"selector": "gatekeeper.sh/operation=webhook"}, "at": "10s"}],
        "lasts": "80s",
        "claims": [{"check": "recovers", "with": {"seconds": "60s", "how": "killed"}}],
    }
    lines = [line for comment in comments[:_MOST_COMMENTS] for line in redact(comment).splitlines()]
    head = "".join(f"# {escape_controls(line, most=_LONGEST_COMMENT)}\n" for line in lines)
    return f"# yaml-language-server: $schema=schema.json\n{head}{_redact(body)}"


def _deployments(cluster: ReadOnlyCluster) -> list[ObjectDict]:
    """Return Gatekeeper's Deployments; a user who may not list all namespaces sees those of the release's."""
    labelled = cluster.items("/apis/apps/v1/deployments", {"labelSelector": OPERATION})
    return labelled or cluster.items(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")


def _choose_policies(policies: Iterable[ObjectDict]) -> tuple[list[ObjectDict], list[str]]:
    """Return the policies that an incident file can hold, and the names of those that are left out."""
    kept: list[ObjectDict] = []
    left_out: list[str] = []
    room, parts = MOST_BYTES // 2, _MOST_PARTS
    for policy in policies:
        text = _yaml([policy])
        held = _parts_of(text, policy)
        if held and len(text) <= room and held <= parts and len(kept) < _MOST_POLICIES:
            kept.append(policy)
            room, parts = room - len(text), parts - held
        else:
            left_out.append(f"{policy['kind']} {policy['metadata'].get('name')}")
    return kept, left_out


def _takeable_policies(policies: Iterable[ObjectDict]) -> tuple[list[ObjectDict], list[str]]:
    """Return the policies that the draft's cluster takes, and why it takes no others."""
    policies = list(policies)
    templates = kinds_of_templates(policies)
    kept: list[ObjectDict] = []
    unmet: list[str] = []
    for policy in policies:
        named = f"{policy['kind']} {policy['metadata'].get('name')}"
        namespace = policy["metadata"].get("namespace") or NAMESPACE
        if policy["kind"] not in (*KINDS, *templates):
            unmet.append(f"no ConstraintTemplate of its kind is here: {named}")
        elif namespace != NAMESPACE:
            unmet.append(f"no cluster of the harness has its namespace {namespace}: {named}")
        else:
            kept.append(policy)
    return kept, unmet


def _parts_of(text: str, policy: ObjectDict) -> int:
    """Return how many parts the text of a policy has; 0 if an incident cannot hold it."""
    try:
        (source,) = parse(text, Path("draft"))
    except BadScenario:
        return 0
    return len(source.marks) if source.data == [policy] and not list(problems_of_manifest(policy)) else 0


def _redact(body: ObjectDict) -> str:
    """Return the text of an incident without secrets; it is valid YAML, whatever the redactor removes."""
    text = _yaml(_clean(body))
    cleaned = redact(text)
    try:
        parse(cleaned, Path("draft"))
    except BadScenario:
        return text
    return cleaned


def _clean(value: Any, name: str = "") -> Any:
    match value:
        case dict():
            return {key: _clean(part, str(key)) for key, part in value.items()}
        case list():
            return [_clean(part, name) for part in value]
        case str():
            field = f"{name}: {value}"
            return value if redact(field) == field else REDACTED
    return value


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_WIDTH)
    if escape_controls(text, lines=True) == text:
        return text
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=False, width=_WIDTH)


def _tag(deployment: ObjectDict) -> str:
    image = str(deployment["spec"]["template"]["spec"]["containers"][0]["image"]).partition("@")[0]
    return image.rpartition("/")[2].partition(":")[2] or "unknown"


def _is_chart(deployment: ObjectDict) -> str:
    """Return the name of the chart if Helm installed a Deployment, by labels and annotations; else ""."""
    metadata = deployment["metadata"]
    labels = metadata.get("labels") or {}
    helm = labels.get("app.kubernetes.io/managed-by") == "Helm" or labels.get("heritage") == "Helm"
    release = (metadata.get("annotations") or {}).get("meta.helm.sh/release-name")
    return f"the chart {labels.get('helm.sh/chart', labels.get('chart', 'gatekeeper'))}" if helm or release else ""


def _near(version: str, known: tuple[str, ...]) -> str:
    return "" if version in known else f" (there is no recipe for it; there are {', '.join(known)})"


def _deployed(deployments: Iterable[ObjectDict]) -> Iterator[str]:
    for deployment in deployments:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            limits = (container.get("resources") or {}).get("limits") or {}
            yield (
                f"{deployment['metadata']['name']}: {deployment['spec'].get('replicas', 1)} replicas, "
                f"imagePullPolicy {container.get('imagePullPolicy')}, limits {json.dumps(limits)}, "
                f"args {' '.join(container.get('args') or ())}"
            )


def _webhooks(cluster: ReadOnlyCluster) -> Iterator[str]:
    for kind in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        for configuration in cluster.items(f"{_ADMISSION}/{kind}"):
            for webhook in configuration.get("webhooks") or ():
                if webhook["name"].endswith("gatekeeper.sh"):
                    yield (
                        f"webhook {webhook['name']}: failurePolicy {webhook.get('failurePolicy')}, timeoutSeconds "
                        f"{webhook.get('timeoutSeconds')}, {len(webhook.get('matchConditions') or ())} matchConditions"
                    )


def _failed(cluster: ReadOnlyCluster, now: datetime, namespace: str) -> Iterator[str]:
    """Yield the failures in the events of the last hour, newest first, each once."""
    failures: dict[str, None] = {}
    events = cluster.items("/api/v1/events", {"fieldSelector": "type=Warning", "limit": "500"})
    for event in sorted(events, key=_when, reverse=True):
        about = event.get("involvedObject") or {}
        message = " ".join(str(event.get("message", "")).split())
        ours = about.get("namespace") == namespace or "gatekeeper" in message or "admission webhook" in message
        if ours and _when(event) >= (now - _HOUR).isoformat():
            failures[f"event {event.get('reason')} {about.get('kind')}/{about.get('name')}: {message[:200]}"] = None
    yield from list(failures)[:_MOST_EVENTS]
    if not failures:
        yield "no event of the last hour says that something of Gatekeeper failed"


def _when(event: ObjectDict) -> str:
    for name in ("lastTimestamp", "eventTime", "firstTimestamp"):
        if event.get(name):
            return str(event[name]).replace("Z", "+00:00")
    return str((event.get("metadata") or {}).get("creationTimestamp") or "")


def _policies(cluster: ReadOnlyCluster) -> Iterator[ObjectDict]:
    """Yield templates, constraints, mutators and configurations, without the fields that the server set."""
    for group in _GROUPS:
        api_group = cluster.get(f"/apis/{group}")
        if not isinstance(api_group, Mapping):
            continue
        version = api_group["preferredVersion"]["groupVersion"]
        resources = (cluster.get(f"/apis/{version}") or {}).get("resources") or ()
        for resource in resources:
            if "/" in resource["name"] or "list" not in resource["verbs"]:
                continue
            for policy in cluster.items(f"/apis/{version}/{resource['name']}"):
                yield _bare({**policy, "apiVersion": version, "kind": resource["kind"]})


def _bare(manifest: ObjectDict) -> ObjectDict:
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in _DROPPED}
    annotations = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != _LAST_APPLIED}
    metadata = {name: value for name, value in metadata.items() if name != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": metadata,
        "spec": manifest.get("spec", {}),
    }
