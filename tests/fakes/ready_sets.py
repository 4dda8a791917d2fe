"""Ready sets for tests: small ones as they are written, and ones that nobody would write."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["IMAGE", "archive", "images", "index", "ready_set"]

IMAGE = "chaos-harness/registry:0123456789ab"


def archive(*members: tuple[str | tarfile.TarInfo, bytes], format_: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar file with these members in their order."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=format_) as file:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return written.getvalue()


def images(*tags: str, **others: Any) -> bytes:
    """Return what an engine saves: a manifest with the images' names, and `others` beside it."""
    manifest = [{"Config": "config.json", "RepoTags": list(tags or (IMAGE,)), "Layers": []}]
    files = {"manifest": manifest, **others}
    return archive(*((f"{name}.json", json.dumps(value).encode()) for name, value in files.items()))


def index(held: Mapping[str, bytes], **changes: Any) -> bytes:
    """Return the index of a ready set that holds these files."""
    contents = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in held.items()
    }
    return json.dumps({"format": 2, "images": [IMAGE], "files": contents, **changes}).encode()


def ready_set(path: Path, more: Mapping[str, bytes] | None = None, **changes: Any) -> Path:
    """Write a ready set with these files beside its images; `changes` are fields of its index."""
    held = {"images.tar": images(), **(more or {})}
    path.write_bytes(archive(("index.json", index(held, **changes)), *held.items()))
    return path
