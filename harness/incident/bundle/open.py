"""Open a bundle from anybody, and check everything in it before it is believed."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.machine.scratch import hold_folder
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness import __version__
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.incident.bundle.files import BundleFiles, open_files
from chaos_harness.harness.incident.bundle.write import INCIDENT, MANIFEST, SCHEMA, BundleContent, Manifest

__all__ = ["open_bundle"]

_MOST_FILES = 5_000
_MOST_BYTES = 2 * 2**30
_MOST_MANIFEST_BYTES = 16 * 2**20
_MIB = 2**20
_SHORT = 80
_LONGEST_VERSION = 20


@contextmanager
def open_bundle(path: Path) -> Iterator[tuple[Manifest, Path]]:
    """Give the manifest of a bundle, a directory or a zip, and a directory with its files.

    That directory is new and removed afterwards. It has the files that the manifest names and no others, each with the
    size and the checksum in the manifest. Raises BadScenario, with one reason, if this is no bundle, or one of another
    schema, truncated, changed, too large, or with a path that leads elsewhere; HarnessError if the disk refuses it.
    """
    with _temporary() as folder:
        with open_files(path) as source:
            _refuse_paths(path, source.names)
            manifest = _manifest(path, _text(path, source))
            _require_room(path, folder, manifest)
            for name, content in manifest.files.items():
                _take(path, source, name, content, folder / name)
        yield manifest, folder


@contextmanager
def _temporary() -> Iterator[Path]:
    """Give a temporary directory; `gc` removes it after a kill."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(hold_folder("chaos-bundle", Path(tempfile.gettempdir())))
        except OSError as error:
            raise HarnessError(
                f"no directory can be made to unpack into: {error.strerror}; set TMPDIR to one that you may write to"
            ) from error
        yield folder


def _text(path: Path, source: BundleFiles) -> str:
    size = source.size(MANIFEST)
    if size is None:
        raise BadScenario(f"{path}: is no bundle: it has no {MANIFEST}")
    if size > _MOST_MANIFEST_BYTES:
        raise BadScenario(f"{path}: {MANIFEST} is larger than {_MOST_MANIFEST_BYTES // _MIB} MiB")
    return b"".join(source.pieces(MANIFEST, size)).decode(errors="replace")


def _require_room(path: Path, folder: Path, manifest: Manifest) -> None:
    needed = sum(content.bytes for content in manifest.files.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadScenario(
            f"{path}: needs {needed // _MIB + 1} MiB in {folder.parent}, {free // _MIB} MiB are free: "
            "free some, or set TMPDIR to a larger disk"
        )


def _take(path: Path, source: BundleFiles, name: str, content: BundleContent, target: Path) -> None:
    """Write one file, with no more bytes than the manifest says, and refuse it if its checksum is another one."""
    size = source.size(name)
    if size is None:
        raise BadScenario(f"{path}: lacks {name}, which {MANIFEST} names: it is cut in half")
    digest = hashlib.sha256()
    if size == content.bytes:
        size = 0
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as copy:
                for piece in source.pieces(name, content.bytes):
                    size += len(piece)
                    digest.update(piece)
                    copy.write(piece)
        except OSError as error:
            raise HarnessError(
                f"{target}: cannot be written: {error.strerror}; see `df {tempfile.gettempdir()}`"
            ) from error
    if size != content.bytes:
        raise BadScenario(f"{path}: {name} should have {content.bytes} bytes and has {size}: it is cut in half")
    if digest.hexdigest() != content.sha256:
        raise BadScenario(f"{path}: {name} is not what it was when the bundle was written")


def _manifest(path: Path, text: str) -> Manifest:
    try:
        fields = json.loads(text)
        schema, harness = fields["schema_version"], fields.get("harness")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadScenario(f"{path}: {MANIFEST} is not one, or cut in half: {_words(repr(error))}") from error
    if type(schema) is not int or schema != SCHEMA:
        raise BadScenario(
            f"{path}: has schema {_named(schema)}, written by chaos-harness {_version(harness)}; this is "
            f"{__version__}, which reads schema {SCHEMA}; {_remedy(path, schema)}"
        )
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadScenario(f"{path}: {MANIFEST}: {_words(where)}: {_words(first['msg'])}") from error
    directories = [run.directory for run in manifest.runs]
    _refuse_paths(path, [*manifest.files, manifest.incident, *directories])
    for name in [*manifest.files, manifest.incident, *directories]:
        if str(PurePosixPath(name)) != name or name in (".", MANIFEST) or escape_controls(name) != name:
            raise BadScenario(f"{path}: {MANIFEST} names {_named(name)}, which no bundle has")
    if len(manifest.files) > _MOST_FILES or sum(content.bytes for content in manifest.files.values()) > _MOST_BYTES:
        raise BadScenario(f"{path}: holds more than {_MOST_FILES} files or {_MOST_BYTES // 2**30} GiB")
    if manifest.incident not in manifest.files:
        raise BadScenario(f"{path}: lacks {manifest.incident}, which {MANIFEST} names: it is cut in half")
    if len(set(directories)) < len(directories):
        raise BadScenario(f"{path}: two runs in it have the same directory: it was changed")
    return manifest


def _remedy(path: Path, schema: object) -> str:
    """Return what to type for a bundle of another schema; there is no older schema than the first."""
    if type(schema) is int and schema > SCHEMA:
        return f"it is newer than this harness: `git pull`, then `{command_line('recheck --')} {path}`"
    again = f"{command_line('repro --')} {path}/{INCIDENT}/…yaml"
    return f"no version ever wrote that, so it was changed: replay it by `{again}`"


def _refuse_paths(path: Path, names: Iterable[str]) -> None:
    for name in names:
        parts = PurePosixPath(name)
        if not name or parts.is_absolute() or ".." in parts.parts or "\\" in name or "\0" in name or ":" in name:
            raise BadScenario(f"{path}: the path {_named(name)} in it leads elsewhere; the bundle is refused")


def _named(value: Any) -> str:
    """Return a value of a manifest as it was written, if it is short."""
    if value is None or isinstance(value, str | int | float):
        return escape_controls(repr(value), most=_SHORT)
    return f"a {type(value).__name__}"


def _version(value: Any) -> str:
    return escape_controls(value, most=_LONGEST_VERSION) if isinstance(value, str) else "of no version"


def _words(text: str) -> str:
    return escape_controls(text, most=4 * _SHORT)
