"""JSONPath: what kubectl finds is found, and what is not supported is said so."""

from typing import Any

import pytest

from chaos_harness.harness.jsonpath import find, parse, same

_POD: dict[str, Any] = {
    "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "gate", "plain": "x"}, "annotations": {}},
    "spec": {"replicas": 3, "paused": False, "containers": [{"name": "one", "ports": [80, 443]}, {"name": "two"}]},
    "status": {
        "phase": "Running",
        "conditions": [
            {"type": "Ready", "status": "True", "since": 5},
            {"type": "Initialized", "status": "False", "since": 9},
        ],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("{.status.phase}", ["Running"]),
        (".status.phase", ["Running"]),
        ("status.phase", ["Running"]),
        ("{$.spec.replicas}", [3]),
        ("{ .spec.paused }", [False]),
        (r"{.metadata.labels.app\.kubernetes\.io/name}", ["gate"]),
        ("{.metadata.labels['app.kubernetes.io/name']}", ["gate"]),
        ("{.metadata.labels.*}", ["gate", "x"]),
        ("{.spec.containers[0].name}", ["one"]),
        ("{.spec.containers[-1].name}", ["two"]),
        ("{.spec.containers[*].name}", ["one", "two"]),
        ("{.spec.containers[7].name}", []),
        ("{.spec.containers[1:].name}", ["two"]),
        ("{.spec.containers[*].ports[0:1]}", [80]),
        ('{.status.conditions[?(@.type=="Ready")].status}', ["True"]),
        ("{.status.conditions[?(@.type!='Ready')].type}", ["Initialized"]),
        ("{.status.conditions[?(@.since>5)].type}", ["Initialized"]),
        ("{.status.conditions[?(@.since<=9)].type}", ["Ready", "Initialized"]),
        ("{.status.conditions[?(@.type>1)].type}", []),
        ("{.spec.containers[?(@.ports)].name}", ["one"]),
        ("{.spec.containers[0].ports[?(@==443)]}", [443]),
        ("{.status.nothing.at.all}", []),
        ("{.status.phase[0]}", []),
    ],
)
def test_found(path: str, found: list[Any]) -> None:
    """Names, escaped and quoted ones, indexes, slices, * and filters lead to what kubectl prints."""
    assert find(parse(path), _POD) == found


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "expected a JSONPath such as {.status.phase}"),
        ("{}", "expected a JSONPath such as {.status.phase}"),
        ("{..phase}", "`..` is not supported; write one expression such as {.status.phase}"),
        ("{.status..phase}", "`..` is not supported"),
        ("{.a}{.b}", "text between expressions is not supported"),
        ("{range .items[*]}{.a}{end}", "is not supported"),
        ("{.spec.containers[0,1]}", "'[0,1]' is not supported"),
        ("{.spec.containers[?(@.name==one)].x}", "expected a number, true, false, or a text in quotes, found 'one'"),
        ("{.spec.containers[?(len(@)==1)]}", "this filter is not supported"),
        ("{.status.phase", "is not supported"),
    ],
)
def test_what_is_refused(path: str, words: str) -> None:
    """What kubectl knows besides, and what it does not know, is told with what to write."""
    with pytest.raises(ValueError, match=r"JSONPath|supported|quotes") as refused:
        parse(path)
    assert words in str(refused.value)


def test_the_same() -> None:
    """Values are compared by their texts."""
    assert same(3, "3")
    assert same(True, "true")
    assert same("True", "True")
    assert not same("True", True)
    assert not same(None, "")
