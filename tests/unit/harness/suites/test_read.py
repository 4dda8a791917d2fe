"""Suites are read as gator reads them, and all their problems are told at once."""

import re
from pathlib import Path

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.suites.model import Assertion
from chaos_harness.harness.suites.read import find_suites, read_suite, read_suites

_SUITES = Path(__file__).parents[3] / "suites"
_GATOR = _SUITES / "gator-v3.23.1.txt"
"""What `gator verify -v tests/suites/...` printed, without the times; gator is cmd/gator of Gatekeeper's module."""

_RUN = re.compile(r"( *)=== (RUN|SKIP) +(.+)")
_HEAD = "apiVersion: test.gatekeeper.sh/v1alpha1\nkind: Suite\n"
_FILES = {
    "template.yaml": "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {name: a}\n"
    "spec: {crd: {spec: {names: {kind: A}}}, targets: [{target: admission.k8s.gatekeeper.sh, rego: package a}]}\n",
    "constraint.yaml": "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: A\nmetadata: {name: a}\n",
    "object.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {on: yes, at: 12:30:00}}\n",
}
_TEST = "  - name: one\n    template: template.yaml\n    constraint: constraint.yaml\n"
_CASE = "    cases:\n      - {name: a, object: object.yaml, assertions: [{violations: yes}]}\n"


def _suite(folder: Path, text: str, **files: str) -> Path:
    """Write a suite with its files and return it; `files` replace some, by their names without the suffix."""
    for name, content in {**_FILES, **{f"{name}.yaml": content for name, content in files.items()}}.items():
        (folder / name).write_text(content, encoding="utf-8")
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _problems(path: Path) -> list[str]:
    with pytest.raises(BadScenario) as caught:
        read_suite(path)
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_every_shape_is_read() -> None:
    """The suites in this repository have objects of many kinds, inventory, reviews, expansions, and what is skipped."""
    cases = {
        (suite.path.parent.name, test.name, case.name): case
        for suite in read_suites([_SUITES / "..."])
        for test in suite.tests
        for case in test.cases
    }
    assert len(cases) == 58
    taken = cases["unique-ingress-host", "hosts-are-unique", "taken"]
    moved = cases["review-update", "the-team-stays", "other-team"]
    assert [thing["kind"] for thing in taken.inventory] == ["Ingress"]
    assert [thing["metadata"]["labels"]["team"] for thing in moved.reviewed] == ["pay", "shop"]
    assert (cases["skipped", "now", "not-yet"].skip, cases["skipped", "later", "anything"].skip) == (True, True)
    assert cases["counted", "each-port-is-named", "three-without"].assertions == (Assertion(3),)


def test_gator_read_the_same() -> None:
    """Gator ran, or skipped, the tests and cases that are read here, in this order, and they passed."""
    told = _GATOR.read_text(encoding="utf-8").strip().splitlines()
    ran = [found.groups() for line in told if (found := _RUN.fullmatch(line))]
    expected = []
    for suite in read_suites([_SUITES / "..."]):
        for test in suite.tests:
            expected.append(("", "SKIP" if test.skip else "RUN", test.name))
            cases = () if test.skip else test.cases
            expected += [("    ", "SKIP" if case.skip else "RUN", case.name) for case in cases]
    assert ran == expected
    assert told[-1] == "PASS"


def test_yes_is_a_word(tmp_path: Path) -> None:
    """For gator yes, on and 12:30:00 are text, in a suite and in its objects."""
    suite = read_suite(_suite(tmp_path, f"{_HEAD}tests:\n{_TEST}{_CASE}"))
    (case,) = suite.tests[0].cases
    assert case.assertions == (Assertion("yes"),)
    assert case.object["metadata"]["labels"] == {"on": "yes", "at": "12:30:00"}


def test_the_same_name_twice(tmp_path: Path) -> None:
    """Gator takes two cases of one name; here the second gets a number, so that each can be named."""
    suite = read_suite(_suite(tmp_path, f"{_HEAD}tests:\n{_TEST}{_CASE}{_CASE.partition('cases:')[2].lstrip(chr(10))}"))
    assert [case.name for case in suite.tests[0].cases] == ["a", "a (2)"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("object.yaml", "objekt.yaml", "suite.yaml:8:19: tests.0.cases.0.object: no file 'objekt.yaml' in"),
        ("object.yaml", "/object.yaml", "suite.yaml:8:19: tests.0.cases.0.object: '/object.yaml' is an absolute path"),
        ("violations: yes", "violations: maybe", "assertions.0.violations: expected yes, no, or how many violations"),
        ("violations: yes", "violations: true", "expected yes, no, or how many violations there must be, found 'True'"),
        ("violations: yes", "violations: -1", "expected yes, no, or how many violations there must be, found '-1'"),
        ("violations: yes", "violation: yes", "no such field; did you mean violations? there are violations, message"),
        ("violations: yes", 'message: "("', "assertions.0.message: expected a regular expression, found '('"),
        (
            "assertions: [{violations: yes}]",
            "assertions: []",
            "8:9: tests.0.cases.0: a case needs assertions",
        ),
        ("    constraint: constraint.yaml\n", "", "suite.yaml:4:5: tests.0: a test needs a constraint"),
        ("    cases:", "    invalid: true\n    cases:", "a test whose constraint is invalid has no cases"),
        ("kind: Suite", "kind: Sweet", "suite.yaml:1:1: expected a suite of gator's"),
        ("name: one", "skip: yes", "suite.yaml:4:5: tests.0.skip: expected true or false, found 'yes'"),
    ],
)
def test_a_wrong_suite(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """A wrong field, a missing file or an unknown assertion is told with its place."""
    text = f"{_HEAD}tests:\n{_TEST}{_CASE}"
    assert old in text
    (only,) = _problems(_suite(tmp_path, text.replace(old, new)))
    assert problem in only


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"object": f"{_FILES['object.yaml']}---\n{_FILES['object.yaml']}"},
            "expected one document, found 2",
        ),
        ({"constraint": f"{_FILES['constraint.yaml']}---\na: b\n"}, "constraint.yaml: expected one document, found 2"),
        ({"object": "# nothing\n"}, "object.yaml: there is no object in this file"),
        ({"object": "kind: Pod\n"}, "object.yaml:1:1: an object needs the field apiVersion"),
        ({"object": "a: [\n"}, "object.yaml:2:1: not YAML"),
        (
            {"template": _FILES["template.yaml"].replace("admission.k8s.gatekeeper.sh", "example.com")},
            "template.yaml:4:51: spec.targets.0: expected the target admission.k8s.gatekeeper.sh, found 'example.com'",
        ),
        ({"constraint": _FILES["constraint.yaml"].replace("kind: A", "kind: B")}, "expected the kind A, found 'B'"),
        ({"constraint": _FILES["object.yaml"]}, "expected an object of constraints.gatekeeper.sh/…, found 'v1'"),
        (
            {"object": "apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\nrequest: {operation: DELETE}\n"},
            "object.yaml:3:1: request: the request of an AdmissionReview needs an object or an oldObject",
        ),
    ],
)
def test_a_wrong_file(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    """What is wrong in a file that the suite names is told with the place in that file."""
    assert problem in "\n".join(_problems(_suite(tmp_path, f"{_HEAD}tests:\n{_TEST}{_CASE}", **files)))


def test_all_problems_at_once(tmp_path: Path) -> None:
    """A missing file, a foreign target and two documents are one error with three problems."""
    template = _FILES["template.yaml"].replace("admission.k8s.gatekeeper.sh", "example.com")
    twice = f"{_FILES['object.yaml']}---\n{_FILES['object.yaml']}"
    text = f"{_HEAD}tests:\n{_TEST.replace('constraint.yaml', 'gone.yaml')}{_CASE}"
    assert len(_problems(_suite(tmp_path, text, template=template, object=twice))) == 3


def test_outside(tmp_path: Path) -> None:
    """A file outside of the folder is refused where all files must lie in it, and taken elsewhere."""
    inner = tmp_path / "inner"
    inner.mkdir()
    path = _suite(inner, f"{_HEAD}tests:\n{_TEST}{_CASE.replace('object.yaml', '../object.yaml')}")
    (tmp_path / "object.yaml").write_text(_FILES["object.yaml"], encoding="utf-8")
    assert read_suite(path).files[-1] == tmp_path / "object.yaml"
    with pytest.raises(BadScenario, match=r"suite.yaml:8:19: .*'\.\./object\.yaml' leads out of"):
        read_suite(path, inside=inner)


def test_what_lies_beside_suites_is_left_out(tmp_path: Path) -> None:
    """Whatever it is: a definition that is larger than a suite may be, or what is no UTF-8."""
    suite = tmp_path / "suite.yaml"
    suite.write_text("kind: Suite\napiVersion: test.gatekeeper.sh/v1alpha1\n", encoding="utf-8")
    (tmp_path / "definition.yaml").write_text(f"kind: CustomResourceDefinition\n# {'x' * 300_000}\n", encoding="utf-8")
    (tmp_path / "latin.yaml").write_bytes("title: Übung\n".encode("latin-1"))
    assert find_suites([tmp_path]) == [suite]


def test_folders() -> None:
    """A folder has the suites directly in it, FOLDER/... those below, and one without any is a problem."""
    assert find_suites([_SUITES / "privileged"]) == [_SUITES / "privileged" / "suite.yaml"]
    assert len(find_suites([_SUITES / "..."])) == 23
    with pytest.raises(BadScenario, match=r"no suite in this folder .* also looks in the folders below"):
        find_suites([_SUITES])


@pytest.mark.parametrize(
    ("assertion", "messages", "unseen", "judged"),
    [
        (Assertion(), ["a"], 0, True),
        (Assertion(), [], 0, False),
        (Assertion("no"), [], 0, True),
        (Assertion("no"), ["a"], 0, False),
        (Assertion(2), ["a", "b"], 0, True),
        (Assertion(2), ["a"], 0, False),
        (Assertion(2), ["a"], 1, None),
        (Assertion("yes"), ["a"], 5, True),
        (Assertion("yes", "b"), ["a"], 1, None),
        (Assertion("no", "a"), ["a"], 1, False),
        (Assertion("no", "b"), ["a"], 1, None),
        (Assertion(1, "^b$"), ["a", "b", "bb"], 0, True),
        (Assertion(0), [], 0, True),
    ],
)
def test_assertions(assertion: Assertion, messages: list[str], unseen: int, judged: bool | None) -> None:
    """Messages are counted that match; what depends on violations that were not told is not decided."""
    assert assertion.judge(messages, unseen) is judged
