"""Bundle files: reads the files of a bundle, a directory or a zip, with limits on what is read."""

import errno
import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario

__all__ = ["BundleFiles", "open_files"]

_PIECE = 2**20
_NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_END_64 = b"PK\x06\x07"
_END_64_BYTES = 20
_MOST_DIRECTORY_BYTES = 4 * 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)
"""What zipfile raises for bytes that are no zip."""


class BundleFiles(Protocol):
    """The files of a bundle; names and sizes are what the bundle claims."""

    @property
    def names(self) -> Sequence[str]:
        """The names that the bundle claims to contain."""

    def size(self, name: str) -> int | None:
        """Return the claimed size of a file, None if there is none. Raises BadScenario if it is a link."""

    def pieces(self, name: str, most: int) -> Iterator[bytes]:
        """Yield a file piece by piece, up to `most` bytes. Raises BadScenario if it is broken."""


@contextmanager
def open_files(path: Path) -> Iterator[BundleFiles]:
    """Give the files of the bundle at `path`. Raises BadScenario if it is neither a directory nor a zip."""
    try:
        there = path.stat()
    except (OSError, ValueError) as error:
        raise BadScenario(
            f"{path}: no such bundle; `{command_line('repro')}` prints the path of the one it left"
        ) from error
    if stat.S_ISDIR(there.st_mode):
        yield _Folder(path)
        return
    with _convert_errors(path):
        if not stat.S_ISREG(there.st_mode):
            raise BadScenario(f"{path}: is neither a directory nor a zip")
        _refuse_large_directory(path)
        file = zipfile.ZipFile(path)
    with file:
        yield _Zip(path, file)


class _Folder:
    """A directory; no link in it is followed."""

    names = ()

    def __init__(self, path: Path) -> None:
        self._path = path

    def size(self, name: str) -> int | None:
        try:
            with self._open(name) as file:
                return os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return None

    def pieces(self, name: str, most: int) -> Iterator[bytes]:
        with self._open(name) as file:
            yield from _pieces(self._path, file, most)

    def _open(self, name: str) -> IO[bytes]:
        """Open a file, one part of its name after the other. Raises FileNotFoundError, BadScenario."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for part in PurePosixPath(name).parts:
                before = handle
                try:
                    handle = os.open(part, _NO_LINK, dir_fd=before)
                finally:
                    os.close(before)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                raise _link(self._path, name)
            return os.fdopen(handle, "rb")
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise _link(self._path, name) from error
            raise BadScenario(f"{self._path}: {name} cannot be read: {error.strerror}") from error


class _Zip:
    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self._path, self._file = path, file
        members = file.infolist()
        self.names = [member.filename for member in members]
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise BadScenario(f"{path}: {escape_controls(twice[0], most=80)!r} is in it twice")
        for member in members:
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _link(path, member.filename)
        self._members = {member.filename: member for member in members}

    def size(self, name: str) -> int | None:
        member = self._members.get(name)
        return member.file_size if member else None

    def pieces(self, name: str, most: int) -> Iterator[bytes]:
        member = self._members[name]
        if member.compress_type not in _METHODS:  # others unpack a piece as large as they like
            raise BadScenario(f"{self._path}: {name} is packed by method {member.compress_type}; zip it by deflate")
        with _convert_errors(self._path):
            file = self._file.open(member)
        with file:
            yield from _pieces(self._path, file, most)


def _pieces(path: Path, file: IO[bytes], most: int) -> Iterator[bytes]:
    left = most
    while left > 0:
        with _convert_errors(path):
            piece = file.read(min(_PIECE, left))
        if not piece:
            return
        left -= len(piece)
        yield piece


@contextmanager
def _convert_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        words = escape_controls(str(error), most=200)
        raise BadScenario(f"{path}: cannot be unpacked, it is no zip or cut in half: {words}") from error


def _refuse_large_directory(path: Path) -> None:
    """Refuse a zip whose list of members is larger than any of ours, before it is read into memory.

    The list is located by the last bytes; a zip with a comment, or in the 64-bit format, is no bundle.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END.size - _END_64_BYTES))
        tail = file.read()
    end = tail[-_END.size :]
    if len(end) < _END.size or not end.startswith(_END_SIGNATURE):
        raise zipfile.BadZipFile("its end is missing")
    directory = _END.unpack(end)[5]
    if directory > _MOST_DIRECTORY_BYTES or tail.startswith(_END_64):
        raise zipfile.BadZipFile("it has more files than any bundle")


def _link(path: Path, name: str) -> BadScenario:
    member = escape_controls(name, most=80)
    return BadScenario(f"{path}: {member}: expected a file: neither symbolic links nor devices are allowed in a bundle")
