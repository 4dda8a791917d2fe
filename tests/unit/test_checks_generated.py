"""Generated: what each version should make of templates and constraints."""

from typing import Any

import pytest

from harness.checks import generated
from harness.checks.generated import Binding, Rules
from harness.errors import BadScenario
from harness.probes.objects import USUAL
from tests.fakes.histories import Told

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
        action = {"action": "deny", "enforcementPoints": [{"name": each} for each in points]}
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


def test_watched() -> None:
    """The rules are those of the last Gatekeeper that was watched, with its flags."""
    assert generated._DEPLOYMENTS in {f"watch {each.name}" for each in USUAL}
    told = Told()
    for at, version in enumerate(("v3.20.1", "v3.23.1")):
        args = ["--default-create-vap-for-templates=false"]
        containers = [
            {"image": f"docker.io/openpolicyagent/gatekeeper:{version}", "args": args},
            {"image": "other:v1.2.3"},
        ]
        found = {"metadata": {"name": "a"}, "spec": {"template": {"spec": {"containers": containers}}}}
        told.add(at, "change", "watch deployments", "MODIFIED", {"resource_version": "1", "object": found})
    other = {"metadata": {"name": "b"}, "spec": {"template": {"spec": {"containers": [{"image": "other:v1.2.3"}]}}}}
    told.add(2, "change", "watch deployments", "ADDED", {"resource_version": "1", "object": other})
    assert Rules.read(told.recorded()) == Rules(templates=False, constraints=True, named_by_kind=True)
    assert Rules.read(Told().recorded()) is None


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
