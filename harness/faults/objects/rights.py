"""Rights: the faults that revoke what RBAC allows, as the API server says when it is asked: a rule, or a binding."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from kubernetes.client import ApiClient
from pydantic import Field

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import find_object, list_objects, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.objects.edit import edit

__all__ = ["revoke_binding", "revoke_rule"]

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_ANYBODY = "system:authenticated"
_MOST_ASKED = 60
_WORDS = {
    "verb": (r"[a-z]{1,40}|\*", "a verb such as list"),
    "resource": (r"[a-z0-9.-]{1,253}(/[a-z0-9.-]{1,253})?|\*", "a resource such as pods or pods/status"),
    "group": (r"([a-z0-9.-]{1,253})?|\*", "a group such as apps, or none for the core"),
}


def revoke_rule(
    role: Annotated[str, Field(examples=["view"])],
    verb: Annotated[str, Field(examples=["list"])],
    resource: Annotated[str, Field(examples=["pods"])],
    *,
    group: str = "",
    namespace: str = "",
) -> Fault:
    """Return the fault that takes each rule that allows `verb` on `resource` of the API `group` out of a role.

    The rule goes with all else that it allows. The `role` is a ClusterRole, or with a `namespace` a Role there. It is
    proved by SubjectAccessReviews for all whom the role is bound to: allowed before, denied after, and allowed again
    when it is healed. Watches that are open go on until they end. Raises BadScenario.
    """
    given = {"verb": verb, "resource": resource, "group": group}
    problems = [
        f"revoke_rule, {name}: expected {_WORDS[name][1]}, found {value!r}"
        for name, value in given.items()
        if not re.fullmatch(_WORDS[name][0], value)
    ]
    if problems:
        raise BadScenario(problems)
    object_names.require_names(name=role, namespace=namespace)
    return _RuleRevocation(role, namespace, given)


def revoke_binding(name: str, *, namespace: str = "") -> Fault:
    """Return the fault that takes all subjects out of a binding; healing puts them back.

    It is a ClusterRoleBinding, or with a `namespace` a RoleBinding there. It is proved as in `revoke_rule`, by what the
    rules of the role allow: each subject must have lost one of them. Raises BadScenario.
    """
    object_names.require_names(name=name, namespace=namespace)
    return _BindingRevocation(name, namespace)


@dataclass(frozen=True)
class _Question:
    """What the API server is asked: whether somebody may do something; `namespace` is empty for everywhere."""

    user: str
    groups: tuple[str, ...]
    namespace: str
    attributes: tuple[tuple[str, str], ...]

    def is_allowed(self, api: ApiClient) -> bool:
        given, where = dict(self.attributes), "nonResourceAttributes"
        if "path" not in given:
            given, where = {**given, "namespace": self.namespace}, "resourceAttributes"
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
        spec = {"user": self.user, "groups": list(self.groups), where: given}
        return bool(request(api, "POST", _REVIEWS, body={**review, "spec": spec})["status"]["allowed"])

    def __str__(self) -> str:
        given = dict(self.attributes)
        what = ".".join(given[name] for name in ("resource", "group") if given.get(name)) or given.get("path", "")
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.user} {given['verb']} {what}{where}"


class _Revocation:
    """Rights that are taken away by an edit of one field of `kind` `name`."""

    def __init__(self, name: str, namespace: str) -> None:
        self._object = name
        self._namespace = namespace
        self._allowed: Sequence[_Question] = ()

    def _revoke(self, injection: Injection, path: str, patch: Mapping[str, Any], asked: Sequence[_Question]) -> None:
        with injection.cluster.client() as api:
            self._allowed = [question for question in asked if question.is_allowed(api)]
            if not self._allowed:
                raise BadScenario(
                    f"nobody is allowed by {self._object!r} what would be revoked: asked about "
                    f"{', '.join(map(str, asked)) or 'nobody'}; see `kubectl describe {path.split('/')[-2]} "
                    f"{self._object}`"
                )
            edit(injection.cluster, injection.undos, api, path, patch)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        keep: list[str] = []
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.1):
                denied = [question for question in self._allowed if not question.is_allowed(api)]
                lost = {(question.user, question.namespace) for question in denied}
                keep = [str(one) for one in self._allowed if (one.user, one.namespace) not in lost]
                if denied and not keep:
                    return f"allowed before, denied now by SubjectAccessReview: {'; '.join(map(str, denied))}"
        raise FaultNotApplied(
            f"expected that what {self._object!r} allowed is denied, still allowed is {'; '.join(keep) or 'nothing'}; "
            "another role may allow it: see `kubectl auth can-i --list --as USER`"
        )

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._object} was not asked about")
        with cluster.client() as api:
            denied = [str(question) for question in self._allowed if not question.is_allowed(api)]
        if denied:
            raise FaultNotApplied(
                f"expected that what {self._object!r} allowed is allowed again, denied is {'; '.join(denied)}"
            )
        return f"allowed again by SubjectAccessReview: {'; '.join(map(str, self._allowed)) or 'nothing was revoked'}"


class _RuleRevocation(_Revocation):
    name = "revoke rule"

    def __init__(self, role: str, namespace: str, given: Mapping[str, str]) -> None:
        super().__init__(role, namespace)
        self._given = given

    def inject(self, injection: Injection) -> None:
        path = f"{_root(self._namespace)}/{'roles' if self._namespace else 'clusterroles'}/{self._object}"
        with injection.cluster.client() as api:
            role = _read(api, path)
            asked = list(_questions(_bindings_of(api, self._object, self._namespace), [_rule_of(self._given)]))
        if role.get("aggregationRule"):
            raise BadScenario(f"the rules of {self._object!r} come from other roles: revoke that of one of them")
        rules = role.get("rules") or []
        kept = [rule for rule in rules if not _allows(rule, self._given)]
        if kept == rules:
            raise BadScenario(
                f"no rule of {self._object!r} allows {self._given['verb']} {self._given['resource']} of "
                f"{self._given['group'] or 'the core'}; see `kubectl get --raw {path}`"
            )
        self._revoke(injection, path, {"rules": kept}, asked)


class _BindingRevocation(_Revocation):
    name = "revoke binding"

    def inject(self, injection: Injection) -> None:
        path = f"{_root(self._namespace)}/{'rolebindings' if self._namespace else 'clusterrolebindings'}/{self._object}"
        with injection.cluster.client() as api:
            binding = _read(api, path)
            bound = binding["roleRef"]
            where = self._namespace if bound["kind"] == "Role" else ""
            role = _read(api, f"{_root(where)}/{bound['kind'].lower()}s/{bound['name']}")
        asked = list(_questions([binding], role.get("rules") or ()))[:_MOST_ASKED]
        self._revoke(injection, path, {"subjects": None}, asked)


def _root(namespace: str) -> str:
    return f"{_RBAC}/namespaces/{namespace}" if namespace else _RBAC


def _read(api: ApiClient, path: str) -> dict[str, Any]:
    there: dict[str, Any] | None = find_object(api, path)
    if there is None:
        kind = path.split("/")[-2]
        raise BadScenario(f"there is no {path.rpartition('/')[2]!r} among {kind}; see `kubectl get {kind}`")
    return there


def _bindings_of(api: ApiClient, role: str, namespace: str) -> list[dict[str, Any]]:
    """Return all bindings of a role."""
    lists = [f"{_root(namespace)}/rolebindings", *([] if namespace else [f"{_RBAC}/clusterrolebindings"])]
    named = ("Role" if namespace else "ClusterRole", role)
    bindings = [binding for path in lists for binding in list_objects(api, path, "items")]
    return [one for one in bindings if (one["roleRef"]["kind"], one["roleRef"]["name"]) == named]


def _questions(bindings: Sequence[Mapping[str, Any]], rules: Sequence[Mapping[str, Any]]) -> Iterator[_Question]:
    """Yield whether each subject of bindings may do what each rule allows first."""
    for binding in bindings:
        namespace = binding["metadata"].get("namespace", "")
        for subject in binding.get("subjects") or ():
            for rule in rules:
                yield _Question(*_identity(subject, namespace), namespace, _attributes(rule))


def _identity(subject: Mapping[str, Any], namespace: str) -> tuple[str, tuple[str, ...]]:
    """Return the name and the groups by which the API server knows a subject; of a group, those of a member of it."""
    name = subject["name"]
    if subject["kind"] == "Group":
        return "chaos-harness", (name,)
    if subject["kind"] == "User":
        return name, (_ANYBODY,)
    namespace, accounts = subject.get("namespace", namespace), "system:serviceaccounts"
    return f"system:serviceaccount:{namespace}:{name}", (accounts, f"{accounts}:{namespace}", _ANYBODY)


def _attributes(rule: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the first thing that a rule allows, in the words of a SubjectAccessReview."""
    verb = ("verb", rule["verbs"][0])
    if "nonResourceURLs" in rule:
        return verb, ("path", rule["nonResourceURLs"][0])
    resource, _, part = rule["resources"][0].partition("/")
    named = (rule.get("resourceNames") or [""])[0]
    return verb, ("group", rule["apiGroups"][0]), ("resource", resource), ("subresource", part), ("name", named)


def _rule_of(given: Mapping[str, str]) -> dict[str, Any]:
    return {"verbs": [given["verb"]], "apiGroups": [given["group"]], "resources": [given["resource"]]}


def _allows(rule: Mapping[str, Any], given: Mapping[str, str]) -> bool:
    fields = {"verbs": "verb", "apiGroups": "group", "resources": "resource"}
    return all({given[name], "*"} & set(rule.get(field) or ()) for field, name in fields.items())
