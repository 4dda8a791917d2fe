"""Asks: what an incident file asks of the author's own policies, and why some of it cannot be asked."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.manifests import policies_of
from chaos_harness.harness.policies import AsUser, Question

_MAP: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap"}
_NAMED = {**_MAP, "metadata": {"name": "a"}}
_POLICY = {
    "apiVersion": "mutations.gatekeeper.sh/v1",
    "kind": "AssignMetadata",
    "metadata": {"name": "owner"},
    "spec": {"location": "metadata.labels.owner"},
}
_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
_ASK: dict[str, Any] = {"ask": "it is told", "object": _MAP, "answer": "denied"}
_OWNER = {"mutated": {"metadata.labels.owner": "me"}}


def _file(folder: Path, *asks: Any, item: dict[str, Any] | None = None, more: Any = None, **claim: Any) -> Path:
    path = folder / "a.yaml"
    values = {"seconds": 9, "fault": "cut registry", **claim}
    check = values.pop("check", "fail_open_window")
    data = {
        "schema": 1,
        "title": "A title",
        "policies": [
            {"object": _NAMESPACE},
            *([{"object": more}] if more else []),
            {**(item or {"object": _POLICY}), **({"asks": asks} if asks else {})},
        ],
        "faults": [{"fault": "cut_registry", "at": "2s", "lasts": "1m"}],
        "claims": [{"check": check, "with": {name: value for name, value in values.items() if value is not None}}],
    }
    path.write_text(yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False), encoding="utf-8")
    return path


def _question(folder: Path, **changes: Any) -> Question:
    policy = policies_of(load(_file(folder, {**_ASK, **changes})))[1]
    (question,) = policy.questions
    assert policy.parts == {question.policy: policy.name}
    return question


def _problems(folder: Path, *asks: Any, **more: Any) -> list[str]:
    with pytest.raises(BadScenario) as error:
        load(_file(folder, *asks, **more))
    return [problem.partition("a.yaml:")[2].partition(" ")[2] for problem in error.value.problems]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("create ConfigMap", "denied", "", "", True, "create", None)),
        ({"answer": "admitted"}, ("create ConfigMap", "admitted", "", "", True, "create", None)),
        (
            {"answer": {"denied": {"by": "webhook", "constraint": "c", "message": "no .*"}}},
            ("create ConfigMap", "denied by webhook", "c", "no .*", True, "create", None),
        ),
        (
            {"answer": {"denied": {"by": "generated policy"}}, "dry_run": False},
            ("create ConfigMap", "denied by policy", "", "", False, "create", None),
        ),
        (
            {"object": _NAMED, "verb": "delete", "as": {"user": "jane", "groups": ["a", "b"]}},
            ("delete ConfigMap", "denied", "", "", True, "delete", AsUser("jane", ("a", "b"))),
        ),
        (
            {"dry_run": False, "verb": "update", "before": _MAP},
            ("update ConfigMap", "denied", "", "", False, "update", None),
        ),
    ],
)
def test_what_is_asked(tmp_path: Path, changes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    """Verb, right answer, who asks and whether it is real are those of the file; its name is the ask's."""
    question = _question(tmp_path, **changes)
    assert question.policy == "it is told"
    told = (question.f, question.wanted, question.names, question.pattern, question.dry_run, question.verb)
    assert (*told, question.asker) == expected


def test_what_is_mutated(tmp_path: Path) -> None:
    """Paths and values are those of the file, also a whole part of the object."""
    question = _question(tmp_path, answer={"mutated": {"metadata": {"labels": {"owner": "me"}}}})
    assert question.wanted == "mutated"
    assert question.parts is not None
    assert question.parts.are_in({"metadata": {"labels": {"owner": "me", "more": "x"}}})
    assert not question.parts.are_in({"metadata": {"labels": {"owner": "you"}}})


@pytest.mark.parametrize(
    ("metadata", "namespace", "expected"), [({}, "team", "team"), ({"namespace": "own"}, "team", "own"), ({}, None, "")]
)
def test_where_it_is(tmp_path: Path, metadata: dict[str, Any], namespace: str | None, expected: str) -> None:
    """The object's own namespace counts more; without both it is the probe's, once a cluster says that it has one."""
    changes = {"namespace": namespace} if namespace else {}
    given = {**_ASK, "object": {**_MAP, "metadata": metadata}, **changes}
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "own"}}
    (question,) = policies_of(load(_file(tmp_path, given, more=own)))[-1].questions
    assert question.namespace == expected


def test_a_file_of_its_own(tmp_path: Path) -> None:
    """What is asked about may be in a file beside, which belongs to the bundle."""
    (tmp_path / "asked.yaml").write_text(yaml.safe_dump(_NAMED), encoding="utf-8")
    loaded = load(_file(tmp_path, {"ask": "x", "file": "asked.yaml", "answer": "denied"}))
    assert policies_of(loaded)[1].questions[0].body["metadata"] == {"name": "a"}
    assert [path.name for path in loaded.files] == ["asked.yaml"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"object": None}, "policies.1.asks.0: expected one of object, file: what is asked about"),
        ({"answer": {}}, "policies.1.asks.0.answer: expected one of admitted, denied, mutated, found none"),
        ({"answer": {"denied": {}, "admitted": True}}, "answer: expected one of admitted, denied, mutated, found adm"),
        ({"answer": "maybe"}, "policies.1.asks.0.answer: expected"),
        ({"answer": {"denied": {"message": "("}}}, "answer.denied.message: no pattern of a message: missing )"),
        ({"answer": {"mutated": {"metadata..labels": 1}}}, "answer.mutated: 'metadata..labels' is no path of a field"),
        ({"answer": {"mutated": {}}}, "policies.1.asks.0.answer.mutated: expected"),
        ({"answer": {"refused": {}}}, "answer.refused: no such field; there are admitted, denied, mutated"),
        ({"verb": "patch"}, "policies.1.asks.0.verb: expected 'create', 'update' or 'delete', found 'patch'"),
        ({"verb": "delete"}, "a dry run of a delete is about one object that is there all the time: give it metadata"),
        ({"object": _NAMED, "dry_run": False}, "a real create needs another name each time: leave metadata.name out"),
        ({"verb": "update", "dry_run": False}, "a real update needs `before`: what it is that is created"),
        ({"object": {**_MAP, "metadata": "web"}}, "metadata: expected fields such as name and namespace, found 'web'"),
        (
            {"object": _NAMED, "verb": "update", "before": {**_NAMED, "metadata": ["a"]}},
            "asks.0.before: metadata: expected fields such as name and namespace",
        ),
        ({"before": _MAP}, "asks.0.before: a create has no object before it but `object`; only an update has"),
        ({"object": _NAMED, "verb": "update", "before": _POLICY}, "before: expected the same kind as in the object"),
        ({"object": _NAMED, "verb": "delete", "answer": _OWNER}, "answer: what is deleted cannot be mutated"),
        (
            {"dry_run": False, "verb": "update", "before": _MAP, "answer": _OWNER},
            "answer: what was mutated before it was updated shows nothing: ask by a dry run",
        ),
        (
            {"dry_run": False, "namespace": "elsewhere"},
            "makes objects in elsewhere, which is no namespace of this file",
        ),
        ({"object": {"kind": "ConfigMap"}}, "asks.0.object: an object needs the field apiVersion"),
        ({"object": {**_MAP, "kind": "Secret"}}, "a Secret does not belong into a file that is passed on"),
        ({"ask": "check ignore label"}, "ask: 'check ignore label' is the name of another question"),
        ({"as": {"groups": ["a"]}}, "policies.1.asks.0.as.user: is missing"),
        ({"user": "jane"}, "policies.1.asks.0.user: no such field; "),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """Each problem is told with its place, before there is a cluster."""
    ask = {name: value for name, value in {**_ASK, **changes}.items() if value is not None}
    found = _problems(tmp_path, ask)
    assert any(problem in words for words in found), found


def test_two_of_one_name(tmp_path: Path) -> None:
    """Claims could not tell them apart."""
    assert any("'it is told' is the name of another question" in words for words in _problems(tmp_path, _ASK, _ASK))


def test_shipped_policies_ask_for_themselves(tmp_path: Path) -> None:
    """The harness's own have their questions."""
    found = _problems(tmp_path, {**_ASK, "ask": "mutate pods"}, item={"policy": "mutate_pods"})
    assert any("the harness's own policies have questions of their own" in words for words in found)
    assert any("'mutate pods' is the name of another question" in words for words in found)


_LINE = "add to the item of owner: `asks: [{ask: NAME, object: {…}, answer: denied}]`"


def test_a_claim_that_nobody_asks_about(tmp_path: Path) -> None:
    """It is refused with the line to add: one that names no question, and one that could judge none."""
    assert _problems(tmp_path, policies=["owner"]) == [
        f"claims.0.with.policies: nobody asks about the policy 'owner'; there is check ignore label; {_LINE}"
    ]
    assert _problems(tmp_path) == [
        f"claims.0.check: fail_open_window judges what is asked, and nobody asks about owner; {_LINE}"
    ]


def test_claims_by_the_name_of_an_ask(tmp_path: Path) -> None:
    """Windows, parity and pods without a mutation are claimed of it; the latter only if it demands a mutation."""
    other = {**_ASK, "ask": "owned", "answer": _OWNER}
    load(_file(tmp_path, _ASK, other, policies=["it is told", "owned"]))
    load(_file(tmp_path, _ASK, other, check="enforcement_parity", webhook="it is told", policy="owned", fault=None))
    load(_file(tmp_path, _ASK, other, check="never_unmutated", policy="owned", seconds=None, fault=None))
    assert _problems(tmp_path, _ASK, other, check="never_unmutated", policy="it is told", seconds=None, fault=None) == [
        "claims.0.with.policy: 'it is told' demands no mutation that pods could lack; those that do: owned"
    ]


def test_the_example_loads() -> None:
    """What docs/how-to shows can be run as it is: each policy is asked about, and claims speak of that."""
    loaded = load(Path(__file__).parents[4] / "docs" / "how-to" / "your-policies.yaml")
    assert [len(policy.questions) for policy in policies_of(loaded)] == [2, 2]
