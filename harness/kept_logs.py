"""Kept logs: what is left of a cluster that could not be brought up loses its secrets, too, and is its owner's only."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import private
from harness.redaction import redact

__all__ = ["cleaned"]


@contextmanager
def cleaned(logs: Path) -> Iterator[None]:
    """Clean what the block, or another process that it ran, leaves below `logs`, also if it raises.

    kind exports them whole: what `docker inspect` tells of a node's environment, static pods, the kubelet's journal.
    """
    known = set(_files(logs))
    try:
        yield
    finally:
        for path in _files(logs):
            if path not in known:
                _clean(path)


def _files(logs: Path) -> list[Path]:
    return [path for path in logs.rglob("*") if path.is_file() and not path.is_symlink()] if logs.is_dir() else []


def _clean(path: Path) -> None:
    """Clean a file; what the disk does not let be cleaned does not stay."""
    try:
        content = path.read_bytes()
        if b"\0" not in content:
            content = redact(content.decode(errors="replace")).encode(errors="backslashreplace")
        private.write(path, content)
    except OSError:
        with suppress(OSError):
            path.unlink()
