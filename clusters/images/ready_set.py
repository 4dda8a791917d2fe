"""Ready set: the file in which images travel to a machine without a network; it is read as untrusted input."""

import hashlib
import json
import re
import struct
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.errors import BadScenario, HarnessError
from chaos_harness.clusters.images import store
from chaos_harness.clusters.images.catalogue import NAME
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["FORMAT", "IMAGES", "INDEX", "Index", "ReadySetContent", "read_index", "unpack"]

FORMAT = 2
"""Since 2, the index contains the size of each file."""

INDEX = "index.json"
IMAGES = "images.tar"

_ARTEFACTS = "artefacts"
_DEEPEST = 2
_MOST_FILES = 20_000
_MOST_IMAGES = 1000
_MOST_INDEX_BYTES = 8 * 2**20
_MOST_HEADER_BYTES = 8 * 2**10
_PIECE = 2**20
_GIB = 1 << 30
_SHORT = 80
_IMAGE = rf"^{NAME}/[a-z0-9][a-z0-9._/-]{{0,200}}:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}$"
_PACKED = {b"\xfd7zXZ": "xz", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}
_BROKEN = (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError, struct.error)
"""What tarfile raises at bytes that are no archive."""


class _ReadySetPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ReadySetContent(_ReadySetPart):
    """Size and checksum of a file of the set."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Index(_ReadySetPart):
    """The first file of a ready set, which names the images and all other files."""

    format: int
    images: Annotated[list[Annotated[str, Field(pattern=_IMAGE)]], Field(max_length=_MOST_IMAGES)]
    files: Annotated[dict[str, ReadySetContent], Field(max_length=_MOST_FILES)]

    @property
    def size(self) -> int:
        """Total size of all files in bytes."""
        return sum(content.bytes for content in self.files.values())


def read_index(path: Path) -> Index:
    """Return the index of a ready set. Raises BadScenario if `path` is no ready set, or of another format."""
    with _open(path) as archive:
        return _index(path, archive)


def unpack(path: Path, target: Path) -> Index:
    """Write exactly the files named by the index of a ready set below `target`; return the index.

    Raises BadScenario if it contains anything else, if a file is missing or differs from the index, or if its images
    have other names than in the index; ImageUnavailable if the disk has too little room, HarnessError if it cannot be
    written.
    """
    with _open(path) as archive:
        index = _index(path, archive)
        store.require_disk(2.0 * index.size / _GIB, f"the ready set {path}")
        left = dict(index.files)
        while (member := archive.next()) is not None:
            content = left.pop(member.name, None)
            if content is None:
                raise _refusal(
                    path,
                    f"holds {escape_controls(member.name, most=_SHORT)!r}, which its index must name exactly once",
                )
            _unpack_file(path, archive, member, content, target / member.name)
        if left:
            raise BadScenario([str(_refusal(path, f"lacks {name}")) for name in sorted(left)[:_SHORT]])
    others = sorted(_tags(path, target / IMAGES) - set(index.images))
    if others:
        shown_names = ", ".join(escape_controls(name, most=_SHORT) for name in others[:5])
        raise _refusal(path, f"contains images that its index does not name: {shown_names}")
    return index


class _BoundedFile:
    """A file that refuses headers longer than ours: `tarfile` reads as much as a header says."""

    def __init__(self, file: IO[bytes]) -> None:
        self.left = _MOST_HEADER_BYTES
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.left:
            raise tarfile.ReadError("a header in it is too long")
        self.left -= size
        return self._file.read(size)


class _Archive:
    """An uncompressed archive in a file; compressed data could unpack to any size. `path` is the ready set's."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        begin = file.read(8)
        for sign, name in _PACKED.items():
            if begin.startswith(sign):
                raise BadScenario(f"{path}: is packed by {name}: decompress it first, and load the result")
        file.seek(0)
        self._headers = _BoundedFile(file)
        with _wrap_errors(path):
            self._tar = tarfile.TarFile(fileobj=cast("IO[bytes]", self._headers), mode="r")

    def next(self) -> tarfile.TarInfo | None:
        """Return the next member, or None at the end."""
        with _wrap_errors(self._path):
            self._headers.left = _MOST_HEADER_BYTES
            return self._tar.next()

    def pieces(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        """Yield the bytes of a regular file."""
        left = member.size
        with _wrap_errors(self._path):
            self._file.seek(member.offset_data)
        while left > 0:
            with _wrap_errors(self._path):
                piece = self._file.read(min(_PIECE, left))
                if not piece:
                    raise tarfile.ReadError("it is cut off")
            left -= len(piece)
            yield piece


@contextmanager
def _open(path: Path, owner: Path | None = None) -> Iterator[_Archive]:
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        advice = f"`{command_line('images --')} --save FILE` writes one"
        raise BadScenario(f"{path}: no ready set can be read: {said}; {advice}") from error
    with file:
        yield _Archive(owner or path, file)


@contextmanager
def _wrap_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise _refusal(path, f"is not a whole ready set ({escape_controls(str(error), most=2 * _SHORT)})") from error


def _refusal(path: Path, words: str) -> BadScenario:
    advice = f"write it again with `{command_line('images --')} --save {path.name}` on the machine it came from"
    return BadScenario(f"{path}: {words}: {advice}")


def _index(path: Path, archive: _Archive) -> Index:
    member = archive.next()
    if member is None or member.name != INDEX or not _is_plain(member) or member.size > _MOST_INDEX_BYTES:
        raise _refusal(path, f"is not a ready set: it does not begin with {INDEX}")
    text = b"".join(archive.pieces(member))
    try:
        fields = json.loads(text)
        its_format = fields["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _refusal(
            path, f"is not a whole ready set ({INDEX}: {escape_controls(repr(error), most=_SHORT)})"
        ) from error
    if type(its_format) is not int or its_format != FORMAT:
        described = its_format if isinstance(its_format, int | str | None) else type(its_format).__name__
        raise _refusal(path, f"has format {escape_controls(str(described), most=_SHORT)}, this version reads {FORMAT}")
    try:
        index = Index.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = escape_controls(".".join(str(part) for part in first["loc"]), most=_SHORT)
        raise _refusal(path, f"{INDEX}: {where}: {escape_controls(first['msg'], most=_SHORT)}") from error
    for name in index.files:
        if name != IMAGES and not _is_artefact_s(name):
            raise _refusal(
                path, f"{INDEX} names {escape_controls(name, most=_SHORT)!r}, which is no file of a ready set"
            )
    if IMAGES not in index.files:
        raise _refusal(path, f"lacks {IMAGES}")
    return index


def _is_artefact_s(name: str) -> bool:
    parts = PurePosixPath(name).parts
    plain = str(PurePosixPath(name)) == name and escape_controls(name) == name and not {"..", "."} & set(parts)
    return plain and parts[:1] == (_ARTEFACTS,) and len(parts) > _DEEPEST


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.isreg() and not member.issparse() and member.size >= 0


def _unpack_file(
    path: Path, archive: _Archive, member: tarfile.TarInfo, content: ReadySetContent, target: Path
) -> None:
    """Write one file; refuse it if it differs from the index."""
    if not _is_plain(member) or member.size != content.bytes:
        raise _refusal(path, f"{member.name} is missing or its checksum does not match")
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as copy:
            for piece in archive.pieces(member):
                digest.update(piece)
                copy.write(piece)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)
    except OSError as error:
        raise HarnessError(f"{target}: cannot be written: {error.strerror}; see `df {target.parent}`") from error
    if digest.hexdigest() != content.sha256:
        raise _refusal(path, f"{member.name} is missing or its checksum does not match")


def _tags(path: Path, images: Path) -> set[str]:
    """Return the names that an engine gives to the images of an archive, whichever format it reads."""
    names: set[str] = set()
    listed = False
    with _open(images, path) as archive:
        while (member := archive.next()) is not None:
            name = str(PurePosixPath(member.name))
            if name not in ("manifest.json", INDEX, "repositories"):
                continue
            if not _is_plain(member) or member.size > _MOST_INDEX_BYTES:
                raise _refusal(path, f"{IMAGES} is no archive of images")
            text = b"".join(archive.pieces(member))
            try:
                names |= set(_docker_names(name, json.loads(text)))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise _refusal(path, f"{IMAGES} is no archive of images ({name})") from error
            listed = listed or name == "manifest.json"
    if not listed:
        raise _refusal(path, f"{IMAGES} is no archive of images")
    return {re.sub(r"^docker\.io/(library/)?", "", name) for name in names}


def _docker_names(name: str, value: Any) -> Iterator[str]:
    if name == "manifest.json":
        yield from (str(tag) for image in value for tag in image.get("RepoTags") or ())
    elif name == INDEX:
        for manifest in value["manifests"]:
            annotations = manifest.get("annotations") or {}
            for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"):
                reference = str(annotations.get(key, ""))
                if "/" in reference or ":" in reference:  # else a tag alone
                    yield reference
    else:
        yield from (f"{repository}:{tag}" for repository, tags in value.items() for tag in tags)
