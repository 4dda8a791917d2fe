"""Layers and archives: an image as `docker load` and `ctr images import` read it.

An archive is written directly from files, byte for byte the same for the same content. So no engine has to run a build,
and images that share a layer store it once.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos_harness.clusters.engine.guard import IMAGE

__all__ = ["ArchiveImage", "Layer", "architecture", "write_archive", "write_layer"]


def architecture() -> str:
    """Return this machine's architecture by its name in Go and in the image format."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


@dataclass(frozen=True)
class Layer:
    """An uncompressed layer on disk and its digest."""

    tar: Path
    diff_id: str

    @classmethod
    def of(cls, tar: Path) -> "Layer":
        """Return the layer of the tar file `tar`."""
        with tar.open("rb") as stream:
            return cls(tar, f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}")


@dataclass(frozen=True)
class ArchiveImage:
    """An image of an archive: its names, its layers from the bottom up, and its run configuration."""

    names: tuple[str, ...]
    layers: tuple[Layer, ...]
    config: Mapping[str, Any] = field(default_factory=dict)

    def manifest_config(self) -> bytes:
        """Return the image's configuration, as JSON."""
        return json.dumps(
            {
                "architecture": architecture(),
                "config": {**self.config, "Labels": {IMAGE: self.names[0]}},
                "created": "1970-01-01T00:00:00Z",
                "history": [{"created": "1970-01-01T00:00:00Z"} for _ in self.layers],
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
            },
            sort_keys=True,
        ).encode()


def write_layer(
    tar: Path,
    files: Mapping[str, Path] | Mapping[str, Path | str],
    *,
    links: Mapping[str, str] | None = None,
    folders: Mapping[str, int] | None = None,
    executables: Sequence[str] = (),
) -> Layer:
    """Write a layer of `files` (path in the image → source file, or text), symbolic `links` and `folders` (→ mode).

    A file is executable if its source is, or if `executables` names it. Owners are root, times 0.
    """
    with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as archive:
        made: set[str] = set()
        for path, mode in sorted((folders or {}).items()):
            _folder(archive, path.strip("/"), mode, made)
        for path, source in sorted(files.items()):
            name = path.strip("/")
            _parents(archive, name, made)
            info = tarfile.TarInfo(name)
            runs = path in executables or (isinstance(source, Path) and bool(source.stat().st_mode & 0o100))
            info.mode = 0o755 if runs else 0o644
            if isinstance(source, str):
                info.size = len(source.encode())
                archive.addfile(info, io.BytesIO(source.encode()))
            else:
                info.size = source.stat().st_size
                with source.open("rb") as content:
                    archive.addfile(info, content)
        for path, target in sorted((links or {}).items()):
            name = path.strip("/")
            _parents(archive, name, made)
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
            archive.addfile(info)
    return Layer.of(tar)


def _parents(archive: tarfile.TarFile, name: str, made: set[str]) -> None:
    for parent in reversed(Path(name).parents[:-1]):
        _folder(archive, str(parent), 0o755, made)


def _folder(archive: tarfile.TarFile, name: str, mode: int, made: set[str]) -> None:
    if name in made:
        return
    _parents(archive, name, made)
    made.add(name)
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    archive.addfile(info)


def write_archive(path: Path, images: Sequence[ArchiveImage]) -> None:
    """Write `images` into the docker archive `path`, each layer once."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        manifest = []
        written: set[str] = set()
        for image in images:
            for layer in image.layers:
                if layer.diff_id not in written:
                    written.add(layer.diff_id)
                    info = tarfile.TarInfo(_layer_name(layer))
                    info.size = layer.tar.stat().st_size
                    with layer.tar.open("rb") as content:
                        archive.addfile(info, content)
            config = image.manifest_config()
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            manifest.append(
                {
                    "Config": name,
                    "Layers": [_layer_name(layer) for layer in image.layers],
                    "RepoTags": list(image.names),
                }
            )
            if name not in written:
                written.add(name)
                _text(archive, name, config)
        _text(archive, "manifest.json", json.dumps(manifest).encode())


def _layer_name(layer: Layer) -> str:
    return f"{layer.diff_id.removeprefix('sha256:')}/layer.tar"


def _text(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
