"""Apply: puts policies into a cluster and waits until every replica of Gatekeeper enforces them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from chaos_harness.clusters.api.objects import ObjectsByName
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.gatekeeper.installed import WEBHOOK_PODS, pods_path
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.errors import PolicyRejected, PreparationFailed
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.objects import is_terminating, name_of
from chaos_harness.harness.history.vocabulary import APPLY, IN_FORCE, POLICIES, REMOVE, REMOVED
from chaos_harness.harness.policies import GROUND, Policy, Question
from chaos_harness.harness.probes.answers import ask
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put

__all__ = ["enforce_policies"]

_BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
_OURS = (".gatekeeper.sh",)
_SECONDS = 90.0
_ERROR_SECONDS = 10.0


@contextmanager
def enforce_policies(
    cluster: Cluster, journal: Journal, history: HistoryWriter, policies: Sequence[Policy]
) -> Iterator[str]:
    """Put `policies` in force for the duration of a block; give the proof, and remove them afterwards.

    Every webhook pod must report that it enforces the current generation of each Gatekeeper object, and every question
    must get the answer that its policy demands. Raises PolicyRejected with Gatekeeper's message for a policy that it
    refuses or cannot enforce, or whose objects are Gatekeeper's on a cluster without it; PreparationFailed,
    DeadlineExceeded.
    """
    if not cluster.shape.gatekeeper and (lacking := [policy.name for policy in policies if _needs_gatekeeper(policy)]):
        raise PolicyRejected(f"{', '.join(lacking)}: Gatekeeper enforces it, and the cluster has none")
    undos = Undos(cluster.engine, journal)
    parts = {part: name for policy in policies for part, name in policy.parts.items()}
    value = {"policies": [policy.name for policy in policies], "parts": parts}
    history.append("invoke", POLICIES, APPLY, value)
    try:
        proof = _put_in_force(cluster, undos, policies)
        history.append("ok", POLICIES, IN_FORCE, {**value, "proof": proof})
        yield proof
    finally:
        history.append("invoke", POLICIES, REMOVE, value)
        undos.run()
        history.append("ok", POLICIES, REMOVED, value)


def _needs_gatekeeper(policy: Policy) -> bool:
    return bool(policy.generated) or any(map(_is_gatekeepers, policy.objects))


def _is_gatekeepers(item: Mapping[str, Any]) -> bool:
    return str(item["apiVersion"]).partition("/")[0].endswith(_OURS)


def _put_in_force(cluster: Cluster, undos: Undos, policies: Sequence[Policy]) -> str:
    deadline = Deadline.after(_SECONDS, f"{', '.join(policy.name for policy in policies)} to be in force")
    for item in GROUND:
        put(cluster, undos, item, deadline)
    proofs = []
    with cluster.client() as api:
        pods = request(api, "GET", pods_path(cluster), query={"labelSelector": WEBHOOK_PODS})["items"]
        replicas = {name_of(pod) for pod in pods if not is_terminating(pod)}
        for item in (item for policy in policies for item in policy.objects):
            try:
                put(cluster, undos, item, deadline)
            except PreparationFailed as error:
                raise PolicyRejected(str(error)) from error
            if _is_gatekeepers(item):
                proofs.append(_wait_for_replicas(api, item, replicas, deadline))
        generated = [constraint for policy in policies for constraint in policy.generated]
        proofs += [wait_until(api, _BINDINGS, partial(_find_binding, constraint), deadline) for constraint in generated]
        _wait_for_answers(api, [question for policy in policies for question in policy.questions], deadline)
    return "; ".join(proofs)


def _wait_for_replicas(api: Any, item: Mapping[str, Any], replicas: set[str], deadline: Deadline) -> str:
    """Wait until each replica reports an object as enforced; errors still there after 10 s become PolicyRejected."""
    kind, name = item["kind"], item["metadata"]["name"]
    plural = {"Assign": "assign", "ConstraintTemplate": "constrainttemplates"}.get(kind, kind.lower())
    path, last = f"/apis/{item['apiVersion']}/{plural}", "no status"
    errors: list[str] = []

    def settled(state: ObjectsByName) -> bool:
        nonlocal last
        manifest = state.get(name, {})
        errors[:] = _errors(manifest)
        missing = sorted(replicas - _find_enforcing_pods(manifest))
        last = f"{kind} {name} is not enforced by {', '.join(missing)}" if missing else ""
        return bool(errors) or not missing

    wait_until(api, path, settled, deadline)
    if errors:
        try:
            part = deadline.within(_ERROR_SECONDS, f"{kind} {name} to be enforced")
            wait_until(api, path, lambda state: settled(state) and not errors, part)
        except DeadlineExceeded as error:
            raise PolicyRejected(
                f"{kind} {name}: expected it to be enforced within {part.seconds:.0f} s, Gatekeeper says: "
                f"{'; '.join(errors) or last}; see `kubectl get {plural} {name} -o yaml`"
            ) from error
    return f"{kind} {name} is enforced by {len(replicas)} replicas"


def _current_statuses(manifest: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return what pods report of the object's current generation."""
    generation = manifest.get("metadata", {}).get("generation")
    statuses = manifest.get("status", {}).get("byPod") or ()
    return [status for status in statuses if status.get("observedGeneration") == generation]


def _errors(manifest: Mapping[str, Any]) -> list[str]:
    messages = [
        error.get("message", str(error))
        for status in _current_statuses(manifest)
        for error in status.get("errors") or ()
    ]
    return list(dict.fromkeys(messages))


def _find_enforcing_pods(manifest: Mapping[str, Any]) -> set[str]:
    """Return the pods that enforce the object; a template has no `enforced`, so it only has to be observed."""
    return {
        status["id"]
        for status in _current_statuses(manifest)
        if status.get("enforced", True) and not status.get("errors")
    }


def _find_binding(constraint: str, state: ObjectsByName) -> str:
    for binding in state:
        if binding.startswith("gatekeeper-") and binding.endswith(constraint):
            return f"binding {binding} was generated"
    return ""


def _wait_for_answers(api: Any, questions: Sequence[Question], deadline: Deadline) -> None:
    """Ask all questions as dry runs, until every answer of one round is right."""
    wrong = ""
    for number in deadline.attempts():
        wrong = ""
        for question in questions:
            answer = ask(api, question, f"trial-{number}", dry_run=True)
            if answer.kind != "ok":
                wrong = f"{question.policy}: {question.f}: {answer.outcome}, {answer.said}"
                break
        if not wrong:
            return
    raise deadline.error(wrong)
