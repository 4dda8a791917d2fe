"""Sweep: a second look for secrets at whatever was written for a report, once all of it is there."""

import json
from pathlib import Path

from chaos_harness.harness import private
from chaos_harness.harness.redaction import redact, redact_object

__all__ = ["sweep"]

_PLAIN = (".txt", ".log", ".properties", ".csv", ".html", ".yaml", ".yml", ".uri")
_OURS = (".svg", ".gz")
"""What is written clean, or is no text."""


def sweep(results: Path) -> list[str]:
    """Rewrite each file below `results` in which a secret stands; return which ones those were.

    A file of JSON is cleaned string by string, so that it stays JSON; one that is cut off is cleaned as text.
    """
    rewritten = []
    for path in sorted(results.iterdir()):
        if path.suffix in _OURS or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        clean = redact(text) if path.suffix in _PLAIN or path.suffix == ".jsonl" else _json(text)
        if clean != text:
            private.write(path, clean)
            rewritten.append(path.name)
    return rewritten


def _json(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return redact(text)
    clean = redact_object(value)
    return text if clean == value else json.dumps(clean, ensure_ascii=False)
