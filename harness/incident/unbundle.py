"""Unbundle: opens a bundle from whomever, and believes nothing of it that it has not checked."""

import hashlib
import json
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from harness import __version__
from harness.errors import BadScenario
from harness.incident.bundle import INCIDENT, MANIFEST, SCHEMA, Content, Manifest

__all__ = ["opened"]

_MOST_FILES = 5_000
_MOST_BYTES = 2 * 2**30
_MOST_MANIFEST_BYTES = 16 * 2**20
_PIECE = 2**20


@contextmanager
def opened(path: Path) -> Iterator[tuple[Manifest, Path]]:
    """Give the manifest of a bundle, a directory or a zip, and the directory where its files lie.

    Raises BadScenario, with one reason, if it is no bundle, of another schema, cut in half or changed, too
    large, or if a path in it leads elsewhere. A zip is unpacked into a directory that is removed afterwards.
    """
    if path.is_dir():
        manifest = _manifest(path, _text(path))
        _check(path, path, manifest)
        yield manifest, path
        return
    with tempfile.TemporaryDirectory(prefix="chaos-bundle-") as folder:
        manifest = _unpack(path, Path(folder))
        _check(path, Path(folder), manifest)
        yield manifest, Path(folder)


def _text(path: Path) -> str:
    file = path / MANIFEST
    if not file.is_file() or file.is_symlink():
        raise BadScenario(f"{path}: is no bundle: it has no {MANIFEST}")
    if file.stat().st_size > _MOST_MANIFEST_BYTES:
        raise BadScenario(f"{path}: {MANIFEST} is larger than {_MOST_MANIFEST_BYTES // 2**20} MiB")
    return file.read_text(encoding="utf-8", errors="replace")


def _unpack(path: Path, folder: Path) -> Manifest:
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            _refuse_paths(path, (each.filename for each in members))
            links = [each.filename for each in members if stat.S_ISLNK(each.external_attr >> 16)]
            if links:
                raise BadScenario(f"{path}: {links[0]} is a link, which a bundle has none of")
            known = {each.filename: each for each in members}
            if MANIFEST not in known:
                raise BadScenario(f"{path}: is no bundle: it has no {MANIFEST}")
            if known[MANIFEST].file_size > _MOST_MANIFEST_BYTES:
                raise BadScenario(f"{path}: {MANIFEST} is larger than {_MOST_MANIFEST_BYTES // 2**20} MiB")
            manifest = _manifest(path, file.read(MANIFEST).decode(errors="replace"))
            for name, content in manifest.files.items():
                if name in known:
                    _extract(file, known[name], content, folder / name)
    except FileNotFoundError as error:
        raise BadScenario(f"{path}: no such bundle; `nox -s repro` tells where it left one") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise BadScenario(f"{path}: cannot be unpacked, it is no zip or cut in half: {error}") from error
    return manifest


def _extract(file: zipfile.ZipFile, member: zipfile.ZipInfo, content: Content, target: Path) -> None:
    """Write one member, and not a byte more than the manifest says that there are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = content.bytes + 1
    with file.open(member) as source, target.open("wb") as copy:
        while left > 0 and (piece := source.read(min(_PIECE, left))):
            copy.write(piece)
            left -= len(piece)


def _manifest(path: Path, text: str) -> Manifest:
    try:
        fields = json.loads(text)
        found = fields["schema_version"]
        harness = str(fields.get("harness"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadScenario(f"{path}: {MANIFEST} is not one, or cut in half: {error!r}"[:300]) from error
    if found != SCHEMA:
        raise BadScenario(
            f"{path}: has schema {found!r}, written by chaos-harness {harness[:20]}; this is {__version__}, which "
            f"reads schema {SCHEMA}; {_remedy(path, found)}"
        )
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadScenario(f"{path}: {MANIFEST}: {where}: {first['msg']}") from error
    _refuse_paths(path, [*manifest.files, manifest.incident, *(run.directory for run in manifest.runs)])
    if len(manifest.files) > _MOST_FILES or sum(each.bytes for each in manifest.files.values()) > _MOST_BYTES:
        raise BadScenario(f"{path}: holds more than {_MOST_FILES} files or {_MOST_BYTES // 2**30} GiB")
    return manifest


def _remedy(path: Path, schema: object) -> str:
    """Return what to type for a bundle of another schema; there is no older one than the first."""
    if isinstance(schema, int) and schema > SCHEMA:
        return f"it is newer than this harness: `git pull`, then `nox -s recheck -- {path}`"
    return f"no version ever wrote that, so it was changed: live it again by `nox -s repro -- {path}/{INCIDENT}/…yaml`"


def _refuse_paths(path: Path, names: Iterable[str]) -> None:
    for name in names:
        parts = PurePosixPath(name)
        if not name or parts.is_absolute() or ".." in parts.parts or "\\" in name or "\0" in name or ":" in name:
            raise BadScenario(f"{path}: the path {name!r} in it leads elsewhere; the bundle is refused")


def _check(path: Path, folder: Path, manifest: Manifest) -> None:
    """Refuse files that are missing, links, or other than when the bundle was written."""
    root = folder.resolve()
    for name, content in manifest.files.items():
        file = folder / name
        if not file.resolve().is_relative_to(root) or file.is_symlink():
            raise BadScenario(f"{path}: {name} is a link, which a bundle has none of")
        if not file.is_file():
            raise BadScenario(f"{path}: lacks {name}, which {MANIFEST} names: it is cut in half")
        size = file.stat().st_size
        if size != content.bytes:
            raise BadScenario(f"{path}: {name} should have {content.bytes} bytes and has {size}: it is cut in half")
        with file.open("rb") as opened_file:
            if hashlib.file_digest(opened_file, "sha256").hexdigest() != content.sha256:
                raise BadScenario(f"{path}: {name} is not what it was when the bundle was written")
