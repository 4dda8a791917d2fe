"""Redaction: takes secrets out of whatever leaves a run: reports, attachments, bundles."""

import base64
import binascii
import json
import re
from typing import Any

import yaml

__all__ = ["REDACTED", "redact"]

REDACTED = "<redacted>"

_MENTIONS_SECRET = re.compile(r"\bkind\\*[\"']?\s*:\s*\\*[\"']?Secret(List)?\b")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_BASE64_PEM = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]+={0,2}")

# The field and what follows it up to its value, in YAML, JSON, or JSON inside JSON.
_FIELD = (
    r"\b(?:client-key-data|password|(?:bearer|(?:id|refresh|access)[-_])?token)"
    r"(?:\\*[\"'])?\s*[:=]\s*"
)
_PATTERNS = tuple(
    re.compile(pattern, re.DOTALL | re.IGNORECASE)
    for pattern in (
        r"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.*?(?:-----END (?P=kind)-----|\Z)",
        r"(?P<kept>\bBearer\s+)[A-Za-z0-9._~+/=-]{16,}",
        r"(?P<kept>\bAuthorization\W{1,6}Basic\s+)[A-Za-z0-9+/=]+",
        r"\beyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
        rf"(?P<kept>{_FIELD}(?P<quote>\\*[\"']))(?:(?!(?P=quote)).)+",
        rf"(?P<kept>{_FIELD})(?![\\\"']|<redacted>|(?:null|true|false|\d+)\s*[,}}\]])[^\s,}}]+",
        r"(?P<kept>--(?:token|password|certificate-key)[ =])\S+",
    )
)
# What a `data:` holds in text that parses as nothing: the deeper lines below it, or braces, closed or cut off.
_BLOCKS = (
    re.compile(r"^(?P<kept>(?P<indent>[ ]*(?:- )?)(?:data|stringData):)[ ]*\n(?:(?P=indent)[ ]+.*\n?)+", re.MULTILINE),
    re.compile(r"(?P<kept>\b(?:data|stringData)(?:\\*[\"'])?\s*:\s*)\{[^}]*(?:\}|\Z)"),
)


def redact(text: str) -> str:
    """Return `text` without bearer tokens, private keys, kubeconfig credentials and the data of Secrets.

    Secrets are found as objects in JSON, in lines of JSON and in YAML, at any depth; their names and
    keys stay. Text that mentions a Secret but is none of these loses every `data:` block.
    """
    if _MENTIONS_SECRET.search(text):
        text = _without_secrets(text)
    for pattern in _PATTERNS:
        text = pattern.sub(_replacement, text)
    return _BASE64_PEM.sub(_unless_public, text)


def _replacement(match: re.Match[str]) -> str:
    return match.groupdict().get("kept", "") + REDACTED


def _unless_public(match: re.Match[str]) -> str:
    """Redact base64 of a PEM private key; certificates are public, and are what a report is read for."""
    blob = match.group()
    try:
        clear = base64.b64decode(blob[: len(blob) // 4 * 4])
    except binascii.Error:
        return REDACTED
    return REDACTED if b"PRIVATE KEY" in clear else blob


def _without_secrets(text: str) -> str:
    for clean in (_clean_json, _clean_lines, _clean_yaml):
        try:
            return clean(text)
        except (ValueError, yaml.YAMLError):
            continue
    return _without_blocks(text)


def _without_blocks(text: str) -> str:
    for pattern in _BLOCKS:
        text = pattern.sub(_replacement, text)
    return text


def _clean_json(text: str) -> str:
    indent = 2 if "\n" in text.strip() else None
    end = "\n" if text.endswith("\n") else ""
    return json.dumps(_clean(json.loads(text)), indent=indent, ensure_ascii=False) + end


def _clean_lines(text: str) -> str:
    return "".join(_clean_line(line) for line in text.splitlines(keepends=True))


def _clean_line(line: str) -> str:
    """Clean one line of a history or journal; the last one may be cut off."""
    if line.strip() and not line.startswith("{"):
        raise ValueError("not lines of JSON")
    try:
        return _clean_json(line)
    except ValueError:
        return _without_blocks(line)


def _clean_yaml(text: str) -> str:
    documents = list(yaml.safe_load_all(text))
    if not all(isinstance(document, dict | list) for document in documents):
        raise ValueError("prose")
    return yaml.safe_dump_all([_clean(document) for document in documents], sort_keys=False)


def _clean(value: Any) -> Any:
    """Return `value` with the data of each Secret in it redacted, however deep it lies."""
    match value:
        case {"kind": "Secret"}:
            return {key: _emptied(key, item) for key, item in value.items()}
        case {"kind": "SecretList", "items": [*items]}:
            return {**value, "items": [_clean({**item, "kind": "Secret"}) for item in items]}
        case dict():
            return {key: _clean(item) for key, item in value.items()}
        case list():
            return [_clean(item) for item in value]
        case str() if _MENTIONS_SECRET.search(value):
            return _without_secrets(value)
    return value


def _emptied(key: str, item: Any) -> Any:
    match key, item:
        case (("data" | "stringData"), dict()):
            return dict.fromkeys(item, REDACTED)
        case "metadata", {"annotations": {**annotations}} if _LAST_APPLIED in annotations:
            return {**item, "annotations": {**annotations, _LAST_APPLIED: REDACTED}}
    return _clean(item)
