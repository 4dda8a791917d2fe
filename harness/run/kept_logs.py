"""Kept logs: writes the logs of a cluster that could not be created, without secrets and only for their owner."""

from pathlib import Path

from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.harness import private
from chaos_harness.harness.redaction import redact

__all__ = ["keep_logs"]


def keep_logs(folder: Path) -> LogKeeper:
    """Return a keeper of logs below `folder`, which redacts text as it is written; binary content stays as it is."""
    return LogKeeper(folder, _write)


def _write(path: Path, content: bytes) -> None:
    if b"\0" not in content:
        content = redact(content.decode(errors="replace")).encode(errors="backslashreplace")
    private.write(path, content)
