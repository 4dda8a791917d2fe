"""Kept logs: what is left of a cluster that could not be brought up is written without secrets, for its owner only."""

from pathlib import Path

from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.harness import private
from chaos_harness.harness.redaction import redact

__all__ = ["keep_logs"]


def keep_logs(folder: Path) -> LogKeeper:
    """Return how logs are kept below `folder`: clean from the first moment; what is no text stays as it is."""
    return LogKeeper(folder, _write)


def _write(path: Path, content: bytes) -> None:
    if b"\0" not in content:
        content = redact(content.decode(errors="replace")).encode(errors="backslashreplace")
    private.write(path, content)
