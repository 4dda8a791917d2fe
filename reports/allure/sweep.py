"""Sweep: searches everything written for a report for secrets once more, when all of it exists."""

import json
from pathlib import Path

from chaos_harness.harness import private
from chaos_harness.harness.redaction import redact, redact_object

__all__ = ["redact_results"]

_PLAIN = (".txt", ".log", ".properties", ".csv", ".html", ".yaml", ".yml", ".uri")
_OURS = (".svg", ".gz")
"""Files that are written clean, or are no text."""


def redact_results(results: Path) -> list[str]:
    """Redact each file below `results` that contains a secret; return those files.

    JSON is redacted string by string, so that it stays JSON; a truncated JSON file is redacted as text.
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
