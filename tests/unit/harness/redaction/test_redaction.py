"""Redaction: each secret below is planted and must not be found again."""

import base64
import json

import pytest
import yaml

from chaos_harness.harness.redaction import REDACTED, redact

_PEM = "-----BEGIN RSA PRIVATE KEY-----\nTUlJRXBBSUJBQUtDQVFFQQ==\n-----END RSA PRIVATE KEY-----\n"
_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nTUlJRHB6Q0NBbytnQXdJQkFn\n-----END CERTIFICATE-----\n"
_JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"
_SECRET = {
    "kind": "Secret",
    "metadata": {"name": "gatekeeper-webhook-server-cert"},
    "data": {"tls.key": "cGxhbnRlZA=="},
}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "planted"),
    [
        ("Authorization: Bearer planted.token-0123456789", "planted"),
        ('{"headers": {"authorization": "bearer cGxhbnRlZHBsYW50ZWQ="}}', "cGxhbnRlZHBsYW50ZWQ"),
        ("Authorization: Basic cGxhbnRlZA==", "cGxhbnRlZA"),
        (f"the token was {_JWT}, it said", "c2lnbmF0dXJl"),
        ("users:\n- user:\n    token: planted\n", "planted"),
        ("    client-key-data: cGxhbnRlZA==\n", "cGxhbnRlZA"),
        ('{"password": "planted, with a comma"}', "comma"),
        ('{"value": "{\\"id_token\\": \\"planted\\"}"}', "planted"),
        ("access_token=planted&more", "planted"),
        ("kubeadm join --token abcdef.planted0planted0 --certificate-key planted", "planted"),
        (_PEM, "TUlJRXBBSUJBQUtDQVFFQQ"),
        (json.dumps({"log": _PEM}), "TUlJRXBBSUJBQUtDQVFFQQ"),
        ("-----BEGIN PRIVATE KEY-----\nplanted and cut off", "planted"),
        (f"tls.key: {_base64(_PEM)}", _base64(_PEM)[40:]),
    ],
)
def test_credential_is_redacted(text: str, planted: str) -> None:
    """A token, password or private key is gone, in each form that logs and dumps have."""
    assert planted in text

    assert planted not in redact(text)
    assert REDACTED in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(_SECRET),
        json.dumps({"kind": "List", "items": [_SECRET]}, indent=2),
        json.dumps({"kind": "SecretList", "items": [{"data": _SECRET["data"]}]}),
        json.dumps({"index": 1}) + "\n" + json.dumps({"value": {"object": _SECRET}}) + "\n",
        json.dumps({"index": 1}) + "\n" + json.dumps({"value": _SECRET})[:-3],
        json.dumps({"value": json.dumps(_SECRET)}),
        json.dumps({**_SECRET, "metadata": {"annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps(_SECRET)}}}),
        yaml.safe_dump(_SECRET),
        yaml.safe_dump_all([{"kind": "ConfigMap"}, {"kind": "List", "items": [_SECRET]}]),
        "I got: %nothing\nkind: Secret\ndata:\n  tls.key: cGxhbnRlZA==\ntype: Opaque\n",
        "I got: %nothing\nkind: Secret\ndata: {tls.key: cGxhbnRlZA==}\n",
    ],
)  # fmt: skip
def test_secret_loses_its_data(text: str) -> None:
    """A Secret's data is gone from JSON, lines of JSON, YAML, strings inside them, and broken text."""
    assert "cGxhbnRlZA" in text

    assert "cGxhbnRlZA" not in redact(text)
    assert REDACTED in redact(text)


def test_names_of_a_secret_stay() -> None:
    """What a reader needs of a Secret, its name and its keys, is left."""
    clean = json.loads(redact(json.dumps(_SECRET)))

    assert clean["metadata"] == {"name": "gatekeeper-webhook-server-cert"}
    assert clean["data"] == {"tls.key": REDACTED}


@pytest.mark.parametrize(
    "text",
    [
        "kind: Pod\nspec:\n  automountServiceAccountToken: true\n",
        '{"token": null, "data": {"a": "b"}}',
        '{"kind": "ConfigMap", "data": {"a": "b"}}',
        "the webhook uses basic authentication and a bearer of news; token expired",
        _CERTIFICATE,
        f"ca.crt: {_base64(_CERTIFICATE)}",
        "",
    ],
)
def test_harmless_text_is_unchanged(text: str) -> None:
    """Text without a secret comes back as it was, certificates included."""
    assert redact(text) == text


def test_redaction_keeps_lines_of_json_readable() -> None:
    """Each redacted line of a history still parses, one line for one."""
    lines = [json.dumps({"index": index, "value": _SECRET, "token": 7, "password": "p"}) for index in range(3)]

    clean = redact("\n".join(lines)).splitlines()

    assert [json.loads(line)["index"] for line in clean] == [0, 1, 2]


def test_redacting_twice_changes_nothing() -> None:
    """Redacted text is a fixed point: an attachment may pass the redactor more than once."""
    once = redact(yaml.safe_dump(_SECRET) + "token: planted\nAuthorization: Bearer 0123456789abcdef\n")

    assert redact(once) == once


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"a":1,"password":"planted"}', f'{{"a":1,"password":"{REDACTED}"}}'),
        ("login: password='it''s planted' user=me", f"login: password='{REDACTED}' user=me"),
        (
            '{"auths":{"registry.example":{"auth":"cGxhbnRlZA=="}}}',
            f'{{"auths":{{"registry.example":{{"auth":"{REDACTED}"}}}}}}',
        ),
    ],
)
def test_what_is_around_a_secret_stays_as_it_was(text: str, kept: str) -> None:
    """The layout of JSON in one line, a quote that YAML has doubled, and which registry a login is for."""
    assert redact(text) == kept
