"""Misshapen: what a suite's files have in place of fields, lists and texts is told, with file and line."""

import json
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.suites.answered import validations_of
from chaos_harness.harness.suites.groups import grouped
from chaos_harness.harness.suites.model import Suite
from chaos_harness.harness.suites.questions import policy_of, question_of
from chaos_harness.harness.suites.read import read_suite

_POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"}},
}
_FILES: dict[str, Any] = {
    "template": {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": "k"},
        "spec": {
            "crd": {"spec": {"names": {"kind": "K"}}},
            "targets": [
                {
                    "target": "admission.k8s.gatekeeper.sh",
                    "code": [{"engine": "K8sNativeValidation", "source": {"validations": [{"expression": "true"}]}}],
                }
            ],
        },
    },
    "constraint": {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": "K",
        "metadata": {"name": "c"},
        "spec": {
            "enforcementAction": "scoped",
            "scopedEnforcementActions": [{"action": "deny", "enforcementPoints": [{"name": "*"}]}],
            "match": {
                "kinds": [{"apiGroups": [""], "kinds": ["Pod"]}],
                "namespaces": ["n*"],
                "excludedNamespaces": ["m"],
                "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
            },
        },
    },
    "review": {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "operation": "UPDATE",
            "name": "p",
            "namespace": "n",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "userInfo": {"username": "u", "groups": ["g"]},
            "object": _POD,
            "oldObject": _POD,
        },
    },
    "inventory": _POD,
    "object": _POD,
}
_TEST = {"name": "one", "template": "template.yaml", "constraint": "constraint.yaml"}
_CASES = [
    {"name": "r", "object": "review.yaml", "inventory": ["inventory.yaml"], "assertions": [{"violations": "yes"}]},
    {"name": "o", "object": "object.yaml", "assertions": [{"violations": "no"}]},
]
_STRANGE: tuple[object, ...] = (None, "", "x", 5, True, [], ["x"], [None], [["x"]], {}, {"a": 1}, [{"name": {}}])


def _put(value: Any, place: tuple[str | int, ...], new: object) -> Any:
    if not place:
        return new
    key, rest = place[0], place[1:]
    if isinstance(value, list):
        return [_put(one, rest, new) if index == key else one for index, one in enumerate(value)]
    return {**value, key: _put(value[key], rest, new)}


def _suite(folder: Path, *, invalid: bool = False, **changed: Any) -> Suite:
    for name, content in {**_FILES, **changed}.items():
        (folder / f"{name}.yaml").write_text(json.dumps(content), encoding="utf-8")
    tests = [{**_TEST, "invalid": True} if invalid else {**_TEST, "cases": _CASES}]
    data = {"apiVersion": "test.gatekeeper.sh/v1alpha1", "kind": "Suite", "tests": tests}
    (folder / "suite.yaml").write_text(json.dumps(data), encoding="utf-8")
    return read_suite(folder / "suite.yaml")


def _problems(folder: Path, **changed: Any) -> list[str]:
    with pytest.raises(BadScenario) as refused:
        _suite(folder, **changed)
    return [problem.replace(f"{folder}/", "") for problem in refused.value.problems]


def _ask(suite: Suite) -> None:
    """Do all that is done with a suite before a cluster is asked."""
    grouped([*suite.tests, *suite.tests])
    for test in suite.tests:
        policy_of(test, "v3.23.1")
        validations_of(test.template)
        for case in test.cases:
            question_of(test, case)


def test_a_good_one(tmp_path: Path) -> None:
    """Nothing is told of it, and its cases are questions."""
    suite = _suite(tmp_path)
    _ask(suite)
    (test,) = suite.tests
    assert [question_of(test, case) is not None for case in test.cases] == [True, True]


@pytest.mark.parametrize(
    ("name", "place", "value", "problem"),
    [
        ("template", ("spec", "targets", 0, "code"), "x", "spec.targets.0.code: expected a list"),
        (
            "constraint",
            ("spec", "scopedEnforcementActions", 0, "enforcementPoints", 0),
            "*",
            "spec.scopedEnforcementActions.0.enforcementPoints.0: expected fields such as name, found '*'",
        ),
        ("constraint", ("spec", "match", "kinds"), "Pod", "spec.match.kinds: expected a list, found 'Pod'"),
        (
            "review",
            ("request", "kind"),
            "Pod",
            "request.kind: expected fields such as group, version, kind, found 'Pod'",
        ),
        ("review", ("request", "object"), "x", "request.object: expected fields such as apiVersion"),
        ("review", ("request", "userInfo"), "jane", "request.userInfo: expected fields such as username, groups"),
        (
            "review",
            ("request", "oldObject", "metadata"),
            ["x"],
            "request.oldObject.metadata: expected fields such as name",
        ),
        ("object", ("metadata",), "x", "metadata: expected fields such as name"),
        ("object", ("metadata", "namespace"), ["n"], "metadata.namespace: expected a text, found ['n']"),
        ("object", ("metadata", "labels"), "a=b", "metadata.labels: expected fields, found 'a=b'"),
        ("inventory", ("metadata",), {}, "metadata: an object of an inventory is created, and so needs"),
        (
            "inventory",
            ("metadata",),
            None,
            "metadata: an object of an inventory is created, and so needs the field metadat",
        ),
        ("inventory", ("metadata", "name"), 7, "metadata.name: expected a text, found 7"),
    ],
)
def test_what_is_told(tmp_path: Path, name: str, place: tuple[str | int, ...], value: object, problem: str) -> None:
    """Each is one problem, in its file."""
    (said,) = _problems(tmp_path, **{name: _put(_FILES[name], place, value)})
    assert said.startswith(f"{name}.yaml:")
    assert problem in said


def test_a_constraint_that_is_to_be_refused(tmp_path: Path) -> None:
    """It may be as it likes: that is what its test is about."""
    for place in (("spec",), ("spec", "match"), ("spec", "enforcementAction")):
        _ask(_suite(tmp_path, invalid=True, constraint=_put(_FILES["constraint"], place, ["x"])))


def _places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, part in inner for place in _places(part, (*at, key)))]


@pytest.mark.parametrize("name", _FILES)
def test_whatever_stands_there(tmp_path: Path, name: str) -> None:
    """A suite is refused, or all that is done with it before a cluster is asked can be done."""
    for place in _places(_FILES[name]):
        for value in _STRANGE:
            try:
                suite = _suite(tmp_path, **{name: _put(_FILES[name], place, value)})
            except BadScenario:
                continue
            _ask(suite)
