"""Generation rules: what each version should make of templates and constraints."""

from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.policies.generation_rules import (
    Binding,
    Rules,
    asked_of_binding,
    asked_of_policy,
    binding_content,
    policy_content,
)

VERSIONS = ("v3.17.1", "v3.18.3", "v3.20.1", "v3.23.1")


def template(generate: bool | None, name: str = "chaoslabels", **metadata: Any) -> dict[str, Any]:
    """Return a template with CEL that says, or does not say, whether a policy is to be generated."""
    source: dict[str, Any] = {"validations": []} if generate is None else {"generateVAP": generate}
    code = [{"engine": "Rego", "source": {}}, {"engine": "K8sNativeValidation", "source": source}]
    return {"metadata": {"name": name, **metadata}, "spec": {"targets": [{"target": "t", "code": code}]}}


def constraint(*points: str, name: str = "c", kind: str = "ChaosLabels", **metadata: Any) -> dict[str, Any]:
    """Return a constraint, scoped to these enforcement points if there are any."""
    spec: dict[str, Any] = {"match": {}}
    if points:
        action = {"action": "deny", "enforcementPoints": [{"name": point} for point in points]}
        spec = {"enforcementAction": "scoped", "scopedEnforcementActions": [action]}
    return {"kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_said_is_done_by_every_version(version: str) -> None:
    """A template that asks for a policy gets one, and its scoped constraint a binding; one that refuses gets none."""
    rules = Rules.of(version)
    assert rules.policies([template(True), template(False, "other")]) == {"gatekeeper-chaoslabels"}
    assert len(rules.bindings([template(True)], [constraint("vap.k8s.io")])) == 1
    assert rules.bindings([template(False)], [constraint("vap.k8s.io")]) == set()
    assert rules.bindings([template(True)], [constraint("validation.gatekeeper.sh")]) == set()
    assert len(rules.bindings([template(True)], [constraint("*")])) == 1


@pytest.mark.parametrize(("version", "by_default"), [("v3.17.1", 0), ("v3.18.3", 0), ("v3.20.1", 1), ("v3.23.1", 1)])
def test_defaults(version: str, by_default: int) -> None:
    """Who says nothing gets policies and bindings from v3.20 on."""
    rules = Rules.of(version)
    assert len(rules.policies([template(None)])) == by_default
    assert len(rules.bindings([template(True)], [constraint()])) == by_default


def test_flags() -> None:
    """A flag says otherwise than the default, for templates and for constraints."""
    no_templates = Rules.of("v3.23.1", ["--port=8443", "--default-create-vap-for-templates=false"])
    assert (no_templates.templates, no_templates.constraints) == (False, True)
    bindings = Rules.of("v3.18.3", ["--default-create-vap-binding-for-constraints"])
    assert (bindings.templates, bindings.constraints) == (False, True)


def deployment(name: str, *images: str, args: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a Deployment of containers of these images."""
    containers = [{"image": image, "args": list(args)} for image in images]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers}}}}


def test_deployments() -> None:
    """The rules are those of the last Gatekeeper among Deployments, with the flags of all of its own."""
    images = [f"docker.io/openpolicyagent/gatekeeper:{version}" for version in ("v3.20.1", "v3.23.1")]
    flags = ("--default-create-vap-for-templates=false",)
    ours = [deployment("a", image, "other:v1.2.3", args=flags) for image in images]
    expected = Rules(templates=False, constraints=True, named_by_kind=True)
    assert Rules.of_deployments([*ours, deployment("b", "other:v1.2.3")]) == expected
    assert Rules.of_deployments([]) is None
    assert Rules.of_deployments([deployment("a", "docker.io/openpolicyagent/gatekeeper:v3.16.3")]) is None


SOURCE: dict[str, Any] = {
    "failurePolicy": "Fail",
    "validations": [{"expression": "a", "message": "m"}, {"expression": "b"}],
    "variables": [{"name": "v", "expression": "1"}],
    "matchCondition": [{"name": "c", "expression": "true"}],
}
POLICY: dict[str, Any] = {
    "failurePolicy": "Fail",
    "validations": [{"expression": "a"}, {"expression": "b"}],
    "variables": [{"name": "params", "expression": "x"}, {"name": "v", "expression": "1"}],
    "matchConditions": [{"name": "c", "expression": "true"}, {"name": "gatekeeper_internal_match_kinds"}],
}


def of_source(source: dict[str, Any]) -> dict[str, Any]:
    """Return a template of this source."""
    return {
        "metadata": {"name": "t"},
        "spec": {"targets": [{"code": [{"engine": "K8sNativeValidation", "source": source}]}]},
    }


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"matchConstraints": {}, "matchConditions": [{"name": "c", "expression": "true"}]}, True),
        ({"validations": [{"expression": "true"}, {"expression": "b"}]}, False),
        ({"validations": [{"expression": "b"}, {"expression": "a"}]}, False),
        ({"validations": [], "auditAnnotations": [{"key": "k"}]}, False),
        ({"failurePolicy": "Ignore"}, False),
        ({"variables": [{"name": "v", "expression": "2"}]}, False),
        ({"matchConditions": [{"name": "c", "expression": "false"}]}, False),
    ],
)
def test_content_of_policies(changed: dict[str, Any], *, same: bool) -> None:
    """What a template says stands word for word in its policy; what else there is in it does not matter."""
    policy = policy_content({"spec": {**POLICY, **changed}})
    assert asked_of_policy(of_source(SOURCE)).is_in(policy) is same


def test_failure_policy_that_is_not_asked_for() -> None:
    """What happens if a policy fails is each version's own affair, unless its template says it."""
    silent = {name: setting for name, setting in SOURCE.items() if name != "failurePolicy"}
    assert asked_of_policy(of_source(silent)).is_in(policy_content({"spec": {**POLICY, "failurePolicy": "Ignore"}}))


def bound(*actions: str, param: str = "c") -> dict[str, Any]:
    """Return a binding."""
    return {"spec": {"validationActions": list(actions), "paramRef": {"name": param}}}


@pytest.mark.parametrize(
    ("spec", "binding", "same"),
    [
        ({}, bound("Deny"), True),
        ({"enforcementAction": "warn"}, bound("Warn"), True),
        ({"enforcementAction": "dryrun"}, bound("Audit"), True),
        ({"enforcementAction": "deny"}, bound("Audit"), False),
        ({"enforcementAction": "deny"}, bound("Deny", "Audit"), False),
        ({}, bound("Deny", param="other"), False),
        ({"enforcementAction": "strange"}, bound("Audit"), True),
        ({}, {"spec": {}}, True),
    ],
)
def test_content_of_bindings(spec: dict[str, Any], binding: dict[str, Any], *, same: bool) -> None:
    """A binding acts as its constraint says, with the constraint's parameters; missing fields decide nothing."""
    asked = asked_of_binding({"metadata": {"name": "c"}, "spec": spec})
    assert asked.is_in(binding_content(binding)) is same


def test_actions_of_scopes() -> None:
    """Of a scoped constraint what counts is what is to be done by a generated policy."""
    points = [("deny", "vap.k8s.io"), ("warn", "validation.gatekeeper.sh"), ("dryrun", "*")]
    actions = [{"action": action, "enforcementPoints": [{"name": point}]} for action, point in points]
    spec = {"enforcementAction": "scoped", "scopedEnforcementActions": actions}
    assert asked_of_binding({"metadata": {"name": "c"}, "spec": spec}).exact == ("Audit", "Deny")


def test_names() -> None:
    """Bindings carry their constraint's kind in their names from v3.22.1 on, which keeps two of one name apart."""
    one, two = constraint(name="c"), constraint(name="c", kind="ChaosNames")
    old, new = Rules.of("v3.20.1"), Rules.of("v3.23.1")
    assert old.binding(one) == Binding("gatekeeper-c", "gatekeeper-chaoslabels")
    assert old.binding(one).name == old.binding(two).name
    assert new.binding(one) == Binding("gatekeeper-chaoslabels-c", "gatekeeper-chaoslabels")
    assert new.binding(one).name != new.binding(two).name
    assert str(new.binding(one)) == "gatekeeper-chaoslabels-c of gatekeeper-chaoslabels"


def test_long_names() -> None:
    """A name that is too long for the API server is cut, and told from its like by a hash."""
    rules = Rules.of("v3.23.1")
    one, two = (rules.binding(constraint(name="c" * 240 + end)).name for end in ("a", "b"))
    assert max(len(one), len(two)) <= 253
    assert one != two
    assert one[:200] == two[:200]


def test_no_cel_no_policy() -> None:
    """A template without CEL, or with two targets, asks for nothing, whatever the default."""
    rego, two = template(None), template(True)
    rego["spec"]["targets"][0]["code"].pop()
    two["spec"]["targets"] *= 2
    assert Rules.of("v3.23.1").policies([rego, two]) == set()


def test_what_is_being_deleted_asks_for_nothing() -> None:
    """A template or constraint that waits for its end wants no policy and no binding any more."""
    rules, going = Rules.of("v3.23.1"), {"deletionTimestamp": "2026-11-24T00:00:00Z"}
    assert rules.policies([template(True, **going)]) == set()
    assert rules.bindings([template(True)], [constraint("vap.k8s.io", **going)]) == set()


@pytest.mark.parametrize("version", ["v3.16.3", None])
def test_versions_that_do_not_generate_like_this(version: str | None) -> None:
    """Older versions go by a label, and a cluster without Gatekeeper by nothing: refused, not guessed."""
    with pytest.raises(BadScenario, match=r">=3\.17"):
        Rules.of(version)
