"""Kept logs: what is left of a cluster that could not be brought up is written without secrets, for its owner only."""

from pathlib import Path

from clusters.kind.logs import Kept
from harness import private
from harness.redaction import redact

__all__ = ["kept"]


def kept(folder: Path) -> Kept:
    """Return how logs are kept below `folder`: clean from the first moment; what is no text stays as it is."""
    return Kept(folder, _write)


def _write(path: Path, content: bytes) -> None:
    if b"\0" not in content:
        content = redact(content.decode(errors="replace")).encode(errors="backslashreplace")
    private.write(path, content)
