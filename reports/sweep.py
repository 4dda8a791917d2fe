"""Sweep: takes secrets out of whatever Allure's own plugin wrote: messages, traces, captured output, parameters."""

import json
from pathlib import Path
from typing import Any

from harness.redaction import redact

__all__ = ["sweep"]

_PLAIN = (".txt", ".log", ".properties", ".csv", ".html", ".yaml", ".yml", ".uri")
_OURS = (".svg", ".gz")
"""What is written clean, or is no text."""


def sweep(results: Path) -> list[str]:
    """Rewrite each file below `results` in which a secret stands; return which ones those were.

    A file of JSON is cleaned string by string, so that it stays JSON; one that is cut off is cleaned as text.
    """
    found = []
    for path in sorted(results.iterdir()):
        if path.suffix in _OURS or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        clean = redact(text) if path.suffix in _PLAIN or path.suffix == ".jsonl" else _json(text)
        if clean != text:
            fresh = path.with_name(f".{path.name}")
            fresh.write_text(clean, encoding="utf-8")
            fresh.replace(path)
            found.append(path.name)
    return found


def _json(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return redact(text)
    clean = _clean(value)
    return text if clean == value else json.dumps(clean, ensure_ascii=False)


def _clean(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case list():
            return [_clean(each) for each in value]
        case dict():
            return {key: _clean(each) for key, each in value.items()}
    return value
