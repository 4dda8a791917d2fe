"""Questions: the request by which a case is asked of a cluster, or why it cannot be asked."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from chaos_harness.clusters.api.objects import Object, metadata
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.policies import CANARIES, AsUser, Policy, Question, Verb
from chaos_harness.harness.policies.generation_rules import Rules
from chaos_harness.harness.suites.model import Case, SuiteTest

__all__ = ["namespaces_of", "policy_of", "question_of", "rights_of", "why_not"]

_VERBS: Mapping[str, Verb] = {"CREATE": "create", "UPDATE": "update", "DELETE": "delete"}
_POINTS = ("*", "validation.gatekeeper.sh", "vap.k8s.io")
_QUIET = {
    "dryrun": "what violates it is admitted, and audit alone tells",
    "warn": "what violates it is admitted with a warning",
}
_THERE = ("default", "kube-node-lease", "kube-public", "kube-system", CANARIES)
"""Namespaces that are in every cluster, or that the harness makes."""
_DIGITS = 12


def _case_name(test: SuiteTest, case: Case) -> str:
    """Return the name under which answers about a case are counted: the suite's file, the test and the case."""
    return f"{test.suite}: {test.name}: {case.name}"


def question_of(test: SuiteTest, case: Case) -> Question | None:
    """Return the question that a case is, asked as a dry run; None if `why_not` says why it is none.

    An object without a namespace is asked in the namespace of the harness's own questions, if its kind has namespaces.
    """
    if why_not(test, case):
        return None
    verb, new, old = _request(case)
    body, before = (_patch(old, new), old) if verb == "update" else (old if verb == "delete" else new, None)
    user = ((case.review or {}).get("userInfo") or {}).get("username")
    return Question(
        f"{verb} {(new or old)['kind']}",
        _case_name(test, case),
        "denied" if case.wants_denial else "admitted",
        "",
        body,
        names=test.constraint_name if case.wants_denial else "",
        verb=verb,
        before=before,
        asker=AsUser(user, _groups(case)) if user else None,
    )


def why_not(test: SuiteTest, case: Case, operations: Sequence[str] = tuple(_VERBS)) -> str:
    """Return why a case cannot be asked of any cluster whose webhook is called for these `operations`, or ""."""
    if test.skip or case.skip:
        return "it is skipped"
    return _quiet(test.constraint) or _why_no_request(case.review or {}, operations) or _lacks(case)


def _why_no_request(request: Object, operations: Sequence[str]) -> str:
    """Return why the request of an AdmissionReview cannot be made, or ""; an object is one to be created."""
    operation = str(request.get("operation") or "CREATE")
    if operation not in _VERBS:
        return f"an AdmissionReview for {operation}: only requests to create, update or delete an object are asked"
    if operation not in operations:
        return (
            f"an AdmissionReview for {operation}: Gatekeeper's webhook is called for {' and '.join(operations)} alone"
        )
    return f"an AdmissionReview for the subresource {request['subResource']}" if request.get("subResource") else ""


def _lacks(case: Case) -> str:
    """Return what the API server would need of a case's objects, or ""."""
    verb, new, old = _request(case)
    needed = [("object", new)] if verb == "create" else [("oldObject", old)] if verb == "delete" else []
    for name, thing in needed or [("object", new), ("oldObject", old)]:
        lacks = [field for field in ("apiVersion", "kind") if not thing.get(field)]
        lacks += [] if metadata(thing).get("name") or metadata(thing).get("generateName") else ["metadata.name"]
        if not thing:
            return f"an AdmissionReview to {verb} without its {name}"
        if lacks:
            return f"the object has no {', '.join(lacks)}, which the API server needs"
    return ""


def policy_of(test: SuiteTest, gatekeeper: str | None) -> Policy:
    """Return the policy of a test, with the questions that its cases are; those with an inventory are none.

    `gatekeeper` is the version, which decides whether a binding must be generated before it is in force.
    """
    cases = [case for case in test.cases if not case.inventory]
    questions = tuple(question for case in cases if (question := question_of(test, case)))
    objects = (*namespaces_of(cases), *rights_of(questions), test.template, *test.expansion, test.constraint)
    return Policy(f"{test.suite}: {test.name}", objects, questions, _bound(test, gatekeeper))


def namespaces_of(cases: Iterable[Case]) -> list[Object]:
    """Return the namespaces that must be there before cases are asked; those of an inventory come with it."""
    things = [thing for case in cases for thing in (*case.reviewed, *case.inventory)]
    brought = {
        metadata(thing).get("name") for case in cases for thing in case.inventory if thing["kind"] == "Namespace"
    }
    wanted = [*(metadata(thing).get("namespace") for thing in things), *(_namespace(case) for case in cases)]
    names = dict.fromkeys(name for name in wanted if name and name not in (*_THERE, *brought))
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]


def rights_of(questions: Iterable[Question]) -> list[Object]:
    """Return what gives the users in whose names questions are asked the rights of an administrator."""
    users = sorted({question.asker.user for question in questions if question.asker})
    group = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"chaos-harness-asks-{sha256(user.encode()).hexdigest()[:_DIGITS]}"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }
        for user in users
    ]


def _quiet(constraint: Object) -> str:
    """Return why a constraint denies nothing at admission, or ""."""
    spec = constraint.get("spec") or {}
    action = str(spec.get("enforcementAction") or "deny")
    if action == "scoped":
        scoped = [each for each in spec.get("scopedEnforcementActions") or () if each.get("action") == "deny"]
        points = [point.get("name") for each in scoped for point in each.get("enforcementPoints") or ()]
        denies = any(point in _POINTS for point in points)
        return "" if denies else "enforcementAction scoped: no enforcement point at admission denies"
    return f"enforcementAction {action}: {_QUIET.get(action, 'it is not known')}" if action != "deny" else ""


def _request(case: Case) -> tuple[Verb, dict[str, Any], dict[str, Any]]:
    """Return what is asked for, and the new and the old object; {} if there is none."""
    request = case.review
    if request is None:
        return "create", dict(case.object), {}
    kind = request.get("kind") or {}
    version = f"{kind['group']}/{kind.get('version')}" if kind.get("group") else kind.get("version")
    head = {name: value for name, value in (("apiVersion", version), ("kind", kind.get("kind"))) if value}
    place = {name: request[name] for name in ("name", "namespace") if request.get(name)}
    new, old = (
        {**head, **thing, "metadata": {**place, **metadata(thing)}} if (thing := request.get(name)) else {}
        for name in ("object", "oldObject")
    )
    return _VERBS.get(str(request.get("operation") or "CREATE"), "create"), new, old


def _namespace(case: Case) -> Any:
    return (case.review or {}).get("namespace")


def _groups(case: Case) -> tuple[str, ...]:
    groups = ((case.review or {}).get("userInfo") or {}).get("groups") or ()
    return tuple(str(group) for group in groups if group != "system:authenticated")


def _patch(old: Any, new: Any) -> Any:
    """Return the merge patch that makes the old value the new one (RFC 7396)."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    kept = {name: _patch(old.get(name), value) for name, value in new.items() if old.get(name) != value}
    identity = {name: new[name] for name in ("apiVersion", "kind") if name in new}
    return {**identity, **kept, **{name: None for name in old if name not in new}}


def _bound(test: SuiteTest, gatekeeper: str | None) -> tuple[str, ...]:
    """Return the constraint if a binding of it must be generated; one that is invalid has none."""
    if test.invalid:
        return ()
    try:
        asks = Rules.of(gatekeeper).bindings([test.template], [test.constraint])
    except BadScenario:
        return ()
    return (test.constraint_name,) if asks else ()
