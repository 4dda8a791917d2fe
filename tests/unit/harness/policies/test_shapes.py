"""Shapes: what a policy, or a review, has in place of fields, lists and texts is told with its place."""

from copy import deepcopy
from typing import Any

import pytest

from chaos_harness.harness.policies import deny_pods, deny_pods_by_cel, mutate_pods, mutate_templates
from chaos_harness.harness.policies.generation_rules import Rules, asked_of_binding, asked_of_policy
from chaos_harness.harness.policies.shapes import CONSTRAINT, REVIEW, TEMPLATE, misshapen, misshapen_policy

_TEMPLATE, _CONSTRAINT = (deepcopy(dict(deny_pods_by_cel().objects[index])) for index in (0, 2))
_CODE = ("spec", "targets", 0, "code")
_SOURCE = (*_CODE, 0, "source")
_SCOPED = ("spec", "scopedEnforcementActions")
_POINTS = (*_SCOPED, 0, "enforcementPoints")
_MATCH = ("spec", "match")


def _put(manifest: dict[str, Any], place: tuple[str | int, ...], value: object) -> dict[str, Any]:
    changed = deepcopy(manifest)
    part: Any = changed
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return changed


@pytest.mark.parametrize("policy", [mutate_pods(), mutate_templates(), deny_pods(), deny_pods_by_cel()])
def test_policies_of_the_harness(policy: Any) -> None:
    """They are as they must be; nothing is asked of objects that are not Gatekeeper's."""
    assert [list(misshapen_policy(manifest)) for manifest in policy.objects] == [[]] * len(policy.objects)
    assert not list(misshapen_policy({"apiVersion": "v1", "kind": "ConfigMap", "spec": "x"}))


@pytest.mark.parametrize("value", [None, {}, {"targets": None}, {"targets": []}, {"targets": [{}]}])
def test_what_may_be_missing(value: object) -> None:
    """A field that is missing, or null, is none that is wrong; and the rules read it."""
    template = {**_TEMPLATE, "spec": value}
    assert not list(misshapen_policy(template))
    assert Rules.of("v3.23.1").policies([template]) == set()


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("spec",), "x", "expected fields such as crd, targets, found 'x'"),
        (("spec", "targets"), {"a": 1}, "expected a list, found {'a': 1}"),
        (("spec", "targets", 0), None, "expected fields such as target, code, found None"),
        (_CODE, "x", "expected a list, found 'x'"),
        ((*_CODE, 0), 5, "expected fields such as engine, source, found 5"),
        (_SOURCE, ["x"], "expected fields such as generateVAP"),
        ((*_SOURCE, "generateVAP"), "yes", "expected true or false, found 'yes'"),
        ((*_SOURCE, "validations"), 5, "expected a list, found 5"),
        ((*_SOURCE, "validations", 0), "x", "expected fields such as expression, found 'x'"),
        ((*_SOURCE, "variables"), [{"name": {}}], "expected a text, found {}"),
        ((*_SOURCE, "failurePolicy"), {"a": 1}, "expected a text, found {'a': 1}"),
    ],
)
def test_templates(place: tuple[str | int, ...], value: object, words: str) -> None:
    """Each is one problem, at the place or below."""
    ((at, problem),) = misshapen_policy(_put(_TEMPLATE, place, value))
    assert at[: len(place)] == place
    assert problem.startswith(words)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("spec",), ["x"], "expected fields such as enforcementAction"),
        (("spec", "enforcementAction"), {"a": 1}, "expected a text, found {'a': 1}"),
        (_SCOPED, "deny", "expected a list, found 'deny'"),
        ((*_SCOPED, 0), "deny", "expected fields such as action, enforcementPoints, found 'deny'"),
        ((*_SCOPED, 0, "action"), ["deny"], "expected a text, found ['deny']"),
        (_POINTS, {"name": "*"}, "expected a list, found {'name': '*'}"),
        ((*_POINTS, 0), "vap.k8s.io", "expected fields such as name, found 'vap.k8s.io'"),
        ((*_POINTS, 0, "name"), {}, "expected a text, found {}"),
        ((*_MATCH, "kinds"), "Pod", "expected a list, found 'Pod'"),
        ((*_MATCH, "kinds", 0, "kinds"), "Pod", "expected a list, found 'Pod'"),
        ((*_MATCH, "namespaces"), [7], "expected a text, found 7"),
        (
            (*_MATCH, "labelSelector"),
            "app=web",
            "expected fields such as matchLabels, matchExpressions, found 'app=web'",
        ),
        ((*_MATCH, "labelSelector", "matchLabels"), "app=web", "expected fields, found 'app=web'"),
    ],
)
def test_constraints(place: tuple[str | int, ...], value: object, words: str) -> None:
    """Each is one problem, at the place or below."""
    ((at, problem),) = misshapen_policy(_put(_CONSTRAINT, place, value))
    assert at[: len(place)] == place
    assert problem.startswith(words)


def test_all_at_once() -> None:
    """Each part that is wrong is told."""
    action = {"action": 1, "enforcementPoints": [1, {"name": 2}]}
    places = [at for at, _ in misshapen_policy(_put(_CONSTRAINT, _SCOPED, [action, None]))]
    assert places == [
        (*_SCOPED, 0, "action"),
        (*_POINTS, 0),
        (*_POINTS, 1, "name"),
        (*_SCOPED, 1),
    ]


def test_mutators() -> None:
    """What a mutator applies to is read, too."""
    ((at, words),) = misshapen_policy(_put(dict(mutate_pods().objects[0]), ("spec", "applyTo"), {"kinds": ["Pod"]}))
    assert (at, words) == (("spec", "applyTo"), "expected a list, found {'kinds': ['Pod']}")


_STRANGE: tuple[object, ...] = (None, "", "x", 5, 0.5, True, [], ["x"], [None], [["x"]], {}, {"a": 1}, [{"name": {}}])


def _places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([at] if at else []), *(place for key, part in inner for place in _places(part, (*at, key)))]


@pytest.mark.parametrize(("manifest", "shape"), [(_TEMPLATE, TEMPLATE), (_CONSTRAINT, CONSTRAINT)])
def test_what_is_not_told_can_be_read(manifest: dict[str, Any], shape: Any) -> None:
    """Whatever stands wherever it may: the rules read all that is not told."""
    rules = Rules.of("v3.23.1")
    for place in _places(manifest.get("spec"), ("spec",)):
        for value in _STRANGE:
            changed = _put(manifest, place, value)
            if not list(misshapen(changed, shape)):
                pair = (changed, _CONSTRAINT) if manifest is _TEMPLATE else (_TEMPLATE, changed)
                rules.bindings(pair[:1], pair[1:])
                asked_of_policy(pair[0])
                asked_of_binding(pair[1])


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        ({"kind": "Pod"}, ("request", "kind")),
        ({"kind": {"version": 1}}, ("request", "kind", "version")),
        ({"userInfo": "jane"}, ("request", "userInfo")),
        ({"userInfo": {"groups": "all"}}, ("request", "userInfo", "groups")),
        ({"operation": ["CREATE"]}, ("request", "operation")),
        ({"object": {"metadata": "x"}}, ("request", "object", "metadata")),
        ({"oldObject": "x"}, ("request", "oldObject")),
        ({"namespace": ["a"]}, ("request", "namespace")),
    ],
)
def test_reviews(request_: dict[str, Any], place: tuple[str, ...]) -> None:
    """The request of a review, and its objects."""
    ((at, _),) = misshapen({"request": request_}, REVIEW)
    assert at == place
