"""Apply: puts policies into a cluster and waits until every replica of Gatekeeper enforces them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

from chaos_harness.clusters.api.objects import ObjectsByName
from chaos_harness.clusters.api.rest import delete, list_path, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.gatekeeper.readiness import NAMESPACE
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, PolicyRejected, PreparationFailed
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.objects import is_terminating, name_of
from chaos_harness.harness.history.vocabulary import APPLY, IN_FORCE, POLICIES, REMOVE, REMOVED
from chaos_harness.harness.policies import CANARIES, GROUND, Policy, Question
from chaos_harness.harness.probes.answers import ask
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put

__all__ = ["Enforced", "enforce_policies", "put_in_force"]

_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
_OURS = (".gatekeeper.sh",)
_SECONDS = 90.0
_ERROR_SECONDS = 10.0


class Enforced(NamedTuple):
    """The proof that policies are in force, and the questions about them, with the paths that discovery found."""

    proof: str
    questions: list[Question]


@contextmanager
def enforce_policies(
    cluster: Cluster, journal: Journal, history: HistoryWriter, policies: Sequence[Policy]
) -> Iterator[Enforced]:
    """Put `policies` in force for the duration of a block; give the proof, and remove them afterwards.

    What updates and deletes are asked of is created first. Every webhook pod must report that it enforces the current
    generation of each Gatekeeper object, and every question must get the answer that its policy demands. Raises
    PolicyRejected with Gatekeeper's message for a policy that it refuses or cannot enforce; PreparationFailed,
    DeadlineExceeded.
    """
    undos = Undos(cluster.engine, journal)
    parts = {part: name for policy in policies for part, name in policy.parts.items()}
    mutates = {name: by_path for policy in policies for name, by_path in policy.mutates.items()}
    value = {"policies": [policy.name for policy in policies], "parts": parts, "mutates": mutates}
    history.append("invoke", POLICIES, APPLY, value)
    try:
        enforced = _put_in_force(cluster, undos, policies)
        history.append("ok", POLICIES, IN_FORCE, {**value, "proof": enforced.proof})
        yield enforced
    finally:
        history.append("invoke", POLICIES, REMOVE, value)
        undos.run()
        history.append("ok", POLICIES, REMOVED, value)


def _put_in_force(cluster: Cluster, undos: Undos, policies: Sequence[Policy]) -> Enforced:
    deadline = Deadline.after(_SECONDS, f"{', '.join(policy.name for policy in policies)} to be in force")
    for item in GROUND:
        put(cluster, undos, item, deadline)
    with cluster.client() as api:
        questions = _located(api, [question for policy in policies for question in policy.questions], deadline)
        _put_bases(cluster, undos, [question for question in questions if question.path], deadline)
        objects = [item for policy in policies for item in policy.objects]
        proofs = put_in_force(cluster, undos, api, objects, deadline)
        generated = [constraint for policy in policies for constraint in policy.generated]
        proofs += [wait_until(api, _BINDINGS, partial(_find_binding, constraint), deadline) for constraint in generated]
        late = [index for index, question in enumerate(questions) if not question.path]
        questions = _located(api, questions, deadline)
        _put_bases(cluster, undos, [questions[index] for index in late], deadline)
        _wait_for_answers(api, questions, deadline)
    return Enforced("; ".join(proofs), questions)


def put_in_force(
    cluster: Cluster, undos: Undos, api: Any, objects: Iterable[Mapping[str, Any]], deadline: Deadline
) -> list[str]:
    """Apply objects in their order, each when every webhook pod enforces the one before; return the proofs.

    Raises PolicyRejected with Gatekeeper's message for one that it refuses or cannot enforce; DeadlineExceeded.
    """
    pods = request(api, "GET", _PODS, query={"labelSelector": "gatekeeper.sh/operation=webhook"})["items"]
    replicas = {name_of(pod) for pod in pods if not is_terminating(pod)}
    proofs = []
    for item in objects:
        try:
            put(cluster, undos, item, deadline)
        except PreparationFailed as error:
            raise PolicyRejected(str(error)) from error
        if item["apiVersion"].partition("/")[0].endswith(_OURS):
            proofs.append(_wait_for_replicas(api, item, replicas, deadline))
    return proofs


def _located(api: Any, questions: Sequence[Question], deadline: Deadline) -> list[Question]:
    """Return the questions with the paths of their lists, as far as the cluster has the kinds yet."""
    located = []
    for question in questions:
        path = question.path
        if not path:
            with suppress(ApiRefused):
                path = list_path(api, question.body, deadline, namespace=CANARIES)
        located.append(question.at(path))
    return located


def _put_bases(cluster: Cluster, undos: Undos, questions: Sequence[Question], deadline: Deadline) -> None:
    """Create what updates and deletes are asked of as dry runs; raise PolicyRejected for a kind that there is not."""
    for question in questions:
        if not question.path:
            kind = f"{question.kind} of {question.body['apiVersion']}"
            raise PolicyRejected(f"{question.policy}: the cluster has no kind {kind}; see `kubectl api-resources`")
        if question.base is not None and question.dry_run:
            put(cluster, undos, question.placed(question.base), deadline)


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
    """Ask all questions until every answer of one round is right; as dry runs, but for real updates and deletes."""
    wrong = ""
    for number in deadline.attempts():
        wrong = ""
        for question in questions:
            name, made = f"trial-{number}", question.base is not None and not question.dry_run
            answer = ask(api, question, name, dry_run=not made)
            if made:
                with suppress(ApiRefused, ApiUnreachable):
                    delete(api, f"{question.path}/{question.object_name(name)}")
            if answer.kind != "ok":
                wrong = f"{question.policy}: {question.f}: {answer.outcome}, {answer.said}"
                break
        if not wrong:
            return
    raise deadline.error(wrong)
