"""Bounds: the redactor on text that was made to harm it: it stays linear, keeps what parses, and raises nothing."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaos_harness.harness.redaction import REDACTED, redact, redact_object
from tests.fakes.secrets import KINDS
from tests.thorough import examples, sampled

_PIECES = (
    *("password", "token", "secret: x", "password: Winter 26", "kind: Secret", "data", 'a"b', "it's", "\\", "\n"),
    *("--token x", "http://u:p@h", "env", "#", "- ", "{", "}", "[", "]", ": ", ",", "é", "\x85", "\ud800", "\x00"),
    *("\t", "'", "|", " ", "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ", "H4sIA", "=", "~", "123", "true"),
)
_TEXTS = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=5)), max_size=7).map("".join)
_LEAVES = st.one_of(_TEXTS, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
_OBJECTS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)),
    max_leaves=10,
)
_quick = settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))


def _nested(levels: int, text: str) -> str:
    for _ in range(levels):
        text = json.dumps({"token": 1, "a": text})
    return text


def _settled(clean: Callable[[Any], Any], value: Any) -> bool:
    """Whether a cleaned value stays as it is; what only now can be read as YAML is cleaned as such, once."""
    again = clean(value)
    return bool(again == value or clean(again) == again)


_HOSTILE: dict[str, Callable[[int], str]] = {
    "beginnings of JWTs": lambda n: "eyJ-" * n,
    "headers of JWTs": lambda n: "eyJ." * n,
    "base64": lambda n: "secret " + "QUJD" * n,
    "base64 of PEM, begun often": lambda n: "LS0tLS1CRUdJTi" * (n // 3),
    "base64 of PEM, wrapped": lambda n: ("LS0tLS1CRUdJTi\n" + "A" * 50 + "\n") * (n // 16),
    "keys that do not end": lambda n: "-----BEGIN PRIVATE KEY-----" * (n // 6),
    "fields without values": lambda n: "token:" * n,
    "quotes that do not close": lambda n: 'token:"' * n,
    "quotes in strings in strings": lambda n: "".join("token:" + "\\" * (number % 16) + '"' for number in range(n)),
    "lists that do not close": lambda n: "token:[" * n,
    "blocks in blocks": lambda n: "".join(" " * (number % 50) + "token: |\n" for number in range(n // 8)),
    "dashes": lambda n: "secret " + "-" * 4 * n,
    "blanks": lambda n: "bearer " + " " * 4 * n,
    "backslashes": lambda n: "token:" + "\\" * 4 * n,
    "addresses": lambda n: "://a@" * n,
    "braces of Secrets": lambda n: "kind: Secret data:{" * (n // 4),
    "data of Secrets": lambda n: "%kind: Secret\n" + "data:\n a: b\n" * (n // 4),
    "YAML": lambda n: "kind: Secret\n" + "".join(f"k{number}: {{name: x, value: y}}\n" for number in range(n // 6)),
    "YAML that doubles": lambda n: (
        "kind: Secret\na0: &a0 [x]\n"
        + "".join(f"a{number + 1}: &a{number + 1} [*a{number}, *a{number}]\n" for number in range(n // 8))
    ),
    "YAML that contains itself": lambda n: "kind: Secret\na: &a [*a]\n" + "b: c\n" * n,
    "YAML without an end": lambda n: "kind: Secret\na: " + "[" * n,
    "JSON without an end": lambda n: '{"kind":"Secret","a":' + "[" * n,
    "JSON in lines": lambda n: '{"kind":"Secret","data":{"a":"b"}}\n' * (n // 8),
    "JSON begun often": lambda n: 'kind: Secret {"' * (n // 4),
    "ends of keys": lambda n: "-----END PRIVATE KEY-----\n" * (n // 6),
    "bodies of keys": lambda n: ("QUJD" * 16 + "\n") * (n // 16) + "-----END PRIVATE KEY-----",
    "base64 of YAML": lambda n: ("YXBpVmVyc2lvbj" + "A" * 50 + "\n") * (n // 16),
    "elements of XML": lambda n: "<token>" * n,
    "colons and hosts": lambda n: "a:bcd" * n + "@x.y ",
    "JSON in JSON": lambda n: _nested(6, "x" * n),
}


@pytest.mark.parametrize("kind", sampled(list(_HOSTILE), 10))
def test_time_grows_with_the_text_and_not_faster(kind: str) -> None:
    """Eight times the text takes far less than the 64 times that a quadratic redactor would need."""

    def seconds(length: int) -> float:
        text = _HOSTILE[kind](length)
        began = time.process_time()
        redact(text)
        return time.process_time() - began

    short = max(min(seconds(500) for _ in range(3)), 0.000_2)
    assert min(seconds(4_000) for _ in range(5)) < 24 * short


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "Secret", "data": {"a": "planted"}, "b": ' + "[" * 100_000 + "]" * 100_000 + "}",
        json.dumps({"kind": "Secret", "data": {"a": "planted"}, "b": json.loads("[" * 300 + "]" * 300)}),
        "kind: Secret\ndata: {a: planted}\nb: " + "[" * 5_000 + "]" * 5_000,
        _nested(12, json.dumps({"kind": "Secret", "data": {"a": "planted"}})),
        json.dumps({"kind": "Secret", "data": {"a": "planted"}}).replace('"data"', '"n": ' + "9" * 5_000 + ', "data"'),
        json.dumps({"kind": "SecretList", "items": ["planted", 1, None, {"data": {"a": "planted"}}]}),
        "kind: SecretList\nitems: [planted]\n",
    ],
    ids=["deep JSON", "deep object", "deep YAML", "strings in strings", "long number", "odd list", "odd YAML"],
)  # fmt: skip
def test_what_cannot_be_read_is_taken_out(text: str) -> None:
    """Depth, size and nonsense end with text that has no secret and says that something is missing, never an error."""
    clean = redact(text)

    assert "planted" not in clean
    assert REDACTED in clean


def test_the_rest_of_a_file_survives_a_line_that_cannot_be_read() -> None:
    """Of lines of JSON only the one that is too deep is taken out; it stays a line of JSON."""
    deep = '{"token": ' + "[" * 100_000 + "]" * 100_000 + "}"
    first, second, third = redact(f'{{"a": 1}}\n{deep}\n{{"password": "planted"}}\n').splitlines()

    assert json.loads(first) == {"a": 1}
    assert "RecursionError" in json.loads(second)
    assert json.loads(third) == {"password": REDACTED}


@_quick
@given(_OBJECTS, st.sampled_from([None, 2]))
def test_json_stays_json(value: Any, indent: int | None) -> None:
    """JSON is JSON afterwards, and the same if it is redacted again."""
    clean = redact(json.dumps(value, indent=indent))

    json.loads(clean)
    assert _settled(redact, clean)


@_quick
@given(st.one_of(st.lists(_OBJECTS, max_size=4), st.dictionaries(_TEXTS, _OBJECTS, max_size=4)), st.booleans())
def test_yaml_stays_yaml(value: Any, flow: bool) -> None:
    """YAML is YAML afterwards, and the same if it is redacted again."""
    try:
        text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
        list(yaml.load_all(text, yaml.CSafeLoader))
    except (yaml.YAMLError, UnicodeError):
        return
    clean = redact(text)

    list(yaml.safe_load_all(clean))
    assert _settled(redact, clean)


@_quick
@given(_TEXTS)
def test_any_text_is_redacted_once(text: str) -> None:
    """Whatever the text, nothing is raised, and a second time changes nothing."""
    assert _settled(redact, redact(text))


@_quick
@given(_OBJECTS)
def test_any_object_is_recorded(value: Any) -> None:
    """What is recorded of an object is JSON as before, and stays as it is when it is recorded again."""
    before = json.dumps(value)
    clean = redact_object(value)

    assert json.dumps(value) == before
    assert _settled(redact_object, clean)
    json.dumps(clean)


def test_yaml_keeps_its_comments_and_its_layout() -> None:
    """Of a file that a person wrote only the secrets are replaced, in its comments, too."""
    text = "# a token: abc123\na:   [1, {password: 'x y'}]   # why\n\nb: |\n  password: z9\n  more\nc: d\n"

    assert redact(text) == (
        f'# a token: {REDACTED}\na:   [1, {{password: "{REDACTED}"}}]   # why\n\n'
        f'b: "password: {REDACTED}\\nmore\\n"\nc: d\n'
    )


def test_what_somebody_wrote_to_be_used_again_keeps_its_variables() -> None:
    """In an authored file `env` stays, for it is applied again; a name or a form of a secret still takes it out."""
    text = "env:\n- {name: MODE, value: slow}\n- {name: DB_PASSWORD, value: x}\n- {name: U, value: 'http://a:b@c'}\n"

    assert redact(text, authored=True) == (
        f"env:\n- {{name: MODE, value: slow}}\n- {{name: DB_PASSWORD, value: {REDACTED}}}\n"
        f'- {{name: U, value: "http://{REDACTED}@c"}}\n'
    )
    assert "slow" not in redact(text)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_survives_in_an_object(kind: str) -> None:
    """Whatever text stands somewhere in an object that is recorded, its secret is gone."""
    text, planted = KINDS[kind]

    assert planted not in json.dumps(redact_object({"metadata": {"annotations": {"a": text}}, "said": [text]}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_drafted_can_be_read_whatever_it_holds(kind: str) -> None:
    """YAML as `record` writes it, with a secret in a policy's parameters, keeps its shape and loses the secret."""
    text, planted = KINDS[kind]
    policy = {"apiVersion": "v1", "kind": "Labels", "metadata": {"name": "c"}, "spec": {"parameters": {"a": text}}}
    body = {"schema": 1, "title": "What went wrong", "policies": [{"object": policy}], "budget": "10m"}
    clean = redact("# a comment\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110))
    parsed = yaml.safe_load(clean)

    assert clean.startswith("# a comment\nschema: 1\n")
    assert parsed["policies"][0]["object"]["spec"]["parameters"].keys() == {"a"}
    assert {**parsed, "policies": []} == {**body, "policies": []}
    assert planted not in str(parsed)
    assert planted not in clean
