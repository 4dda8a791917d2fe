"""Saved images: an engine's image as files on the disk, once for all registries that get it.

An engine that pushes an image compresses its layers anew each time (2.6 core-seconds for Gatekeeper's 83 MB). Here they
are kept as the engine saves them, in the cache: most engines save them uncompressed, which nodes unpack faster, too.
"""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.images.store import Artefact, digest
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["MANIFEST_TYPE", "Blob", "SavedImage", "saved_image"]

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_COMPRESSED = {b"\x1f\x8b": "+gzip", b"\x28\xb5": "+zstd"}
_FORMAT = 1
_MANIFEST = "manifest.json"
_SECONDS = 300.0


@dataclass(frozen=True)
class Blob:
    """A file of an image: its digest, and its size in bytes."""

    path: Path
    digest: str
    size: int


@dataclass(frozen=True)
class SavedImage:
    """An image on the disk: its manifest, and the blobs to which that refers."""

    manifest: bytes
    blobs: tuple[Blob, ...]


def saved_image(engine: Engine, image: str, deadline: Deadline) -> SavedImage:
    """Return the engine's `image` from the cache; it is saved there first if it is missing.

    It is kept by the engine's id of it, which changes with its content. Raises CommandFailed, DeadlineExceeded.
    """
    identity = json.loads(engine.run(["image", "inspect", image], deadline).stdout)[0]["Id"]

    def save(folder: Path, progress: Progress) -> None:
        del progress
        archive = folder / "image.tar"
        within = deadline.within(_SECONDS, f"the engine to save {image}")
        engine.run(["save", "--output", archive, image], within)
        _unpack(archive, folder, image)
        archive.unlink()

    folder = Artefact("saved-image", digest(_FORMAT, identity), save).get(Progress.quiet())
    manifest = (folder / _MANIFEST).read_bytes()
    parts = json.loads(manifest)
    blobs = [Blob(_path(folder, part["digest"]), part["digest"], part["size"]) for part in _parts(parts)]
    return SavedImage(manifest, tuple(dict.fromkeys(blobs)))


def _parts(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield manifest["config"]
    yield from manifest["layers"]


def _path(folder: Path, blob: str) -> Path:
    return folder / blob.replace(":", "-")


def _unpack(archive: Path, folder: Path, image: str) -> None:
    """Write the blobs and the manifest of the only image in an archive of `docker save` into a folder."""
    with tarfile.open(archive) as tar:

        def take(name: str, media_type: str) -> dict[str, Any]:
            source = tar.extractfile(name)  # follows the links by which older engines save a layer once
            if source is None:
                raise CommandFailed(f"{image} was saved without the file {name}, which it names")
            with source:
                return _keep(source, folder, media_type)

        listed = tar.extractfile("manifest.json")
        saved = json.load(listed) if listed else []
        if len(saved) != 1:
            raise CommandFailed(f"expected one image in what the engine saved of {image}, found {len(saved)}")
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": take(saved[0]["Config"], _CONFIG_TYPE),
            "layers": [take(name, _LAYER_TYPE) for name in saved[0]["Layers"]],
        }
    (folder / _MANIFEST).write_bytes(json.dumps(manifest, sort_keys=True).encode())


def _keep(source: IO[bytes], folder: Path, media_type: str) -> dict[str, Any]:
    """Copy a blob into the folder; return its descriptor."""
    if media_type == _LAYER_TYPE:
        media_type += _COMPRESSED.get(source.read(2), "")
        source.seek(0)
    copy = folder / "blob"
    with copy.open("wb") as into:
        shutil.copyfileobj(source, into, 1 << 20)
    with copy.open("rb") as stream:
        blob = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    size = copy.stat().st_size
    copy.rename(_path(folder, blob))
    return {"mediaType": media_type, "digest": blob, "size": size}
