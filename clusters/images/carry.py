"""Ready sets: images and what else a shape needs, in one file, for a machine that reaches nothing."""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clusters.deadline import Deadline
from clusters.engine import Engine
from clusters.errors import BadScenario
from clusters.images import binaries, ensure, sources, store
from clusters.locking import locked
from clusters.paths import cache_dir
from clusters.progress import Progress
from clusters.shape import Shape

__all__ = ["load", "save"]

_FORMAT = 1
_SECONDS = 1800.0
_INDEX = "index.json"
_IMAGES = "images.tar"


def save(engine: Engine, path: Path, shapes: Sequence[Shape], progress: Progress) -> list[str]:
    """Write everything that clusters of `shapes` are made from into the file `path`; return the images' names.

    The file gets its name only when it is complete. Raises ImageUnavailable, BadScenario (no disk).
    """
    names = sorted(ensure(engine, shapes, progress).origin)
    folders = [artefact.get(progress) for artefact in _artefacts(shapes)]
    store.require_disk(2.0 * len(shapes), f"the ready set {path}")
    deadline = Deadline.after(_SECONDS, f"the ready set {path}")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with progress.step(f"save {len(names)} images to {path}"), store.scratch("save") as scratch:
            with (scratch / _IMAGES).open("wb") as archive:
                engine.run(["save", *names], deadline, stdout=archive)
            files = {_IMAGES: scratch / _IMAGES}
            for folder in folders:
                files |= {f"artefacts/{folder.name}/{each.relative_to(folder)}": each for each in _files(folder)}
            index = {
                "format": _FORMAT,
                "images": names,
                "files": {name: _sha256(source) for name, source in files.items()},
            }
            (scratch / _INDEX).write_text(json.dumps(index))
            with tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as archive_of_all:
                for name, source in {_INDEX: scratch / _INDEX, **files}.items():
                    archive_of_all.add(source, name, recursive=False)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return names


def _artefacts(shapes: Sequence[Shape]) -> list[store.Artefact]:
    releases = {shape.gatekeeper for shape in shapes if shape.gatekeeper}
    return [
        *(binaries.gatekeeper_source(version) for version in sorted(releases)),
        sources.artefact("kind"),
        sources.artefact("kubectl"),
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file())


def load(engine: Engine, path: Path, progress: Progress) -> list[str]:
    """Put the ready set `path` into the engine and the cache; return the names of its images.

    All of the file is checked before any of it is kept. Raises BadScenario when it is cut off, has been
    changed or was written by a newer version.
    """
    store.require_disk(2.0 * path.stat().st_size / (1 << 30), f"the ready set {path}")
    deadline = Deadline.after(_SECONDS, f"the engine to load {path}")
    with progress.step(f"load {path}"), store.scratch("load") as scratch:
        index = _unpack(path, scratch)
        engine.run(["load", "--quiet", "--input", scratch / _IMAGES], deadline)
        for folder in sorted((scratch / "artefacts").iterdir()):
            target = cache_dir("artefacts") / folder.name
            with locked(folder.name, deadline):
                if not target.exists():
                    shutil.move(folder, target)
    return list(index["images"])


def _unpack(path: Path, scratch: Path) -> dict[str, Any]:
    advice = f"write it anew with `nox -s images -- --save {path.name}` on the machine it came from"
    try:
        with tarfile.open(path) as archive:
            archive.extractall(scratch, filter="data")
        index: dict[str, Any] = json.loads((scratch / _INDEX).read_text())
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BadScenario(f"{path} is not a whole ready set ({error}): {advice}") from error
    if index.get("format") != _FORMAT:
        raise BadScenario(f"{path} has format {index.get('format')}, this version reads {_FORMAT}: {advice}")
    files: dict[str, str] = index["files"]
    wrong = [name for name, wanted in files.items() if _missing_or_changed(scratch / name, wanted)]
    if wrong:
        raise BadScenario([f"{path}: {name} is missing or its checksum does not match: {advice}" for name in wrong])
    return index


def _missing_or_changed(file: Path, wanted: str) -> bool:
    return not file.is_file() or _sha256(file) != wanted


def _sha256(source: Path) -> str:
    with source.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
