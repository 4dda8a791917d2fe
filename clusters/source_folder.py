"""Source folder: a folder of the user's that is built, known by what is in it."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from chaos_harness.clusters.errors import BadScenario

__all__ = ["RECORDED", "Folder", "SourceFolder"]

RECORDED: Final = "recorded"
"""pydantic context for shapes of earlier runs: their versions need no recipe, and their files are not read."""

_NO_SOURCES = frozenset({".git", "vendor", "node_modules"})
_MOST_FILES = 50_000
_MOST_BYTES = 512 * 2**20


class SourceFolder(BaseModel):
    """A folder of the user's: where it is, and what is in it, by its sha256 ("" if it was not read).

    Neither `.git` nor `vendor` counts: a build reads its modules from the module cache.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: Annotated[str, Field(min_length=1, max_length=500)]
    sha256: str = ""

    def require_unchanged(self) -> None:
        """Raise BadScenario if it changed since it was read, so that nobody knows what was built."""
        if self.sha256 and _digest(Path(self.path)) != self.sha256:
            raise BadScenario(f"{self.path}: changed since the run began; type the command again")


def _source(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str) or info.context == RECORDED:
        return {"path": value} if isinstance(value, str) else value
    try:
        if not Path(value).is_dir():
            raise ValueError(f"no folder {value}")
        return SourceFolder(path=value, sha256=_digest(Path(value)))
    except OSError as error:
        raise ValueError(f"{value}: cannot be read: {error.strerror}") from error


Folder = Annotated[SourceFolder, BeforeValidator(_source), WithJsonSchema({"type": "string", "minLength": 1})]
"""A folder that a shape names by its path."""


def _digest(folder: Path) -> str:
    whole = hashlib.sha256()
    size = 0
    for number, path in enumerate(_files(folder)):
        size += path.stat().st_size
        if number >= _MOST_FILES or size > _MOST_BYTES:
            most = f"{_MOST_FILES} files and {_MOST_BYTES // 2**20} MiB"
            raise ValueError(f"{folder}: expected a checkout of at most {most}")
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder)}\0{content}\0".encode(errors="surrogateescape"))
    return whole.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _NO_SOURCES)
        yield from (path for name in sorted(names) if (path := Path(root, name)).is_file())
