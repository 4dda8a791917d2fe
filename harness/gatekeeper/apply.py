"""Apply: puts policies into a cluster and waits until every replica of Gatekeeper enforces them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from chaos_harness.clusters.api.objects import Object, ObjectsByName
from chaos_harness.clusters.api.rest import list_path
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.installed import pods_path
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.errors import ApiRefused, PolicyRejected, PreparationFailed
from chaos_harness.harness.gatekeeper.in_force import Reporters, wait_for_workload, webhook_pods
from chaos_harness.harness.gatekeeper.trials import wait_for_answers, wait_for_each_replica
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import APPLY, IN_FORCE, POLICIES, REMOVE, REMOVED
from chaos_harness.harness.policies import CANARIES, GROUND, Policy, Question
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put

__all__ = ["enforce_policies", "put_in_force", "wait_for_bindings"]

_BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
_OURS = ".gatekeeper.sh"
_MUTATORS = "mutations.gatekeeper.sh/"
_SECONDS = 90.0
_STOOD_ON = ("Namespace", "ClusterRoleBinding")
"""Kinds that policies need before they are in force, and that another policy could deny."""
_DATA = ("Config", "SyncSet", "Provider")
"""Kinds of Gatekeeper's objects that bring data, of which no status says that a replica has it."""


class Enforced(NamedTuple):
    """The proof that policies are in force, and the questions about them, with the paths that discovery found."""

    proof: str
    questions: list[Question]


@contextmanager
def enforce_policies(
    cluster: Cluster, journal: Journal, history: HistoryWriter, policies: Sequence[Policy]
) -> Iterator[Enforced]:
    """Put `policies` in force for the duration of a block; give the proof, and remove them afterwards.

    Namespaces, rights, and what updates and deletes are asked of, are created before the first of Gatekeeper's
    objects: no policy denies them. Every webhook pod must report that it enforces the current generation of each of
    those, workloads must be Ready, and every question must get the answer that its policy demands. Raises
    PolicyRejected with Gatekeeper's message for a policy that it refuses or cannot enforce, or whose objects are
    Gatekeeper's on a cluster without it; PreparationFailed, DeadlineExceeded.
    """
    if not cluster.shape.gatekeeper and (lacking := [policy.name for policy in policies if _needs_gatekeeper(policy)]):
        raise PolicyRejected(f"{', '.join(lacking)}: Gatekeeper enforces it, and the cluster has none")
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
        undos.run(patient=True)
        history.append("ok", POLICIES, REMOVED, value)


def _needs_gatekeeper(policy: Policy) -> bool:
    return bool(policy.generated) or any(map(_is_gatekeepers, policy.objects))


def _put_in_force(cluster: Cluster, undos: Undos, policies: Sequence[Policy]) -> Enforced:
    deadline = Deadline.after(_SECONDS, f"{', '.join(policy.name for policy in policies)} to be in force")
    for item in GROUND:
        put(cluster, undos, item, deadline)
    objects = [item for policy in policies for item in policy.objects]
    ground, ruling = _divided(objects)
    questions = [question for policy in policies for question in policy.questions]
    proofs: list[str] = []
    with cluster.client() as api:
        replicas = webhook_pods(api, cluster)
        _put(cluster, undos, ground, deadline)
        early = _located(api, questions, deadline)
        _put_bases(cluster, undos, [question for question in early if question.path], deadline)
        proofs += put_in_force(cluster, undos, api, ruling, deadline)
        generated = [constraint for policy in policies for constraint in policy.generated]
        proofs += wait_for_bindings(api, generated, deadline)
        questions = [_sharing(question, objects) for question in _located(api, early, deadline)]
        late = [one for one, before in zip(questions, early, strict=True) if not before.path]
        _put_bases(cluster, undos, late, deadline)
        proofs += wait_for_workload(api, objects)
        answering = Deadline.after(_SECONDS, f"{', '.join(policy.name for policy in policies)} to be in force")
        wait_for_answers(api, questions, answering)
        if any(item["kind"] in _DATA for item in objects):
            proofs.append(wait_for_each_replica(api, questions, pods_path(cluster), replicas, answering))
    return Enforced("; ".join(proofs), questions)


def _divided(objects: Sequence[Object]) -> tuple[list[Object], list[Object]]:
    """Return what comes before the first of Gatekeeper's objects, with all namespaces and rights; and all the rest."""
    first = next((number for number, item in enumerate(objects) if _is_gatekeepers(item)), len(objects))
    later = [item for item in objects[first:] if item["kind"] in _STOOD_ON]
    return [*objects[:first], *later], [item for item in objects[first:] if item["kind"] not in _STOOD_ON]


def put_in_force(cluster: Cluster, undos: Undos, api: Any, objects: Iterable[Object], deadline: Deadline) -> list[str]:
    """Apply objects in their order, each when every webhook pod enforces the one before; return the proofs.

    Raises PolicyRejected with Gatekeeper's message for one that it refuses or cannot enforce; DeadlineExceeded.
    """
    reporters = Reporters.of(api, cluster)
    proofs = []
    for item in objects:
        _put(cluster, undos, [item], deadline)
        proofs += [reporters.wait(item, deadline)] if reporters.are_asked_about(item) else []
    return proofs


def wait_for_bindings(api: Any, constraints: Iterable[str], deadline: Deadline) -> list[str]:
    """Wait until a binding is generated for each of these constraints; return the proofs. Raises DeadlineExceeded."""
    return [wait_until(api, _BINDINGS, partial(_find_binding, constraint), deadline) for constraint in constraints]


def _is_gatekeepers(item: Object) -> bool:
    return str(item["apiVersion"]).partition("/")[0].endswith(_OURS)


def _put(cluster: Cluster, undos: Undos, objects: Sequence[Object], deadline: Deadline) -> None:
    for item in objects:
        try:
            put(cluster, undos, item, deadline)
        except PreparationFailed as error:
            raise PolicyRejected(str(error)) from error


def _sharing(question: Question, objects: Sequence[Object]) -> Question:
    """Return a question that knows whether several of these mutators change objects of its kind."""
    mutators = [item for item in objects if str(item["apiVersion"]).startswith(_MUTATORS)]
    applied = [item for item in mutators if question.kind in _applied_to(item, question.kind)]
    return replace(question, shared=len(applied) > 1)


def _applied_to(mutator: Object, any_kind: str) -> list[str]:
    """Return the kinds that a mutator changes; one of metadata says none, and may change `any_kind`."""
    applied = mutator["spec"].get("applyTo") or [{"kinds": [any_kind]}]
    return [kind for part in applied for kind in part.get("kinds") or ()]


def _located(api: Any, questions: Sequence[Question], deadline: Deadline) -> list[Question]:
    """Return the questions with the paths of their lists, as far as the cluster has the kinds yet."""
    located = []
    for question in questions:
        path = question.path
        if not path:
            with suppress(ApiRefused):
                path = list_path(api, question.base or question.body, deadline, namespace=CANARIES)
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


def _find_binding(constraint: str, state: ObjectsByName) -> str:
    for binding in state:
        if binding.startswith("gatekeeper-") and binding.endswith(constraint):
            return f"binding {binding} was generated"
    return ""
