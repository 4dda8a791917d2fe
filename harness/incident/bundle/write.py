"""Write a bundle: what is left of a replay, for a colleague without a cluster, without secrets."""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chaos_harness.harness import __version__, private
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.incident.judge import JudgedClaim
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.machine import host
from chaos_harness.harness.redaction import redact, redact_object

__all__ = [
    "INCIDENT",
    "MANIFEST",
    "MOST_RUNS",
    "SCHEMA",
    "BundleContent",
    "Manifest",
    "Reason",
    "Replay",
    "left_out",
    "write",
]

SCHEMA = 1
MANIFEST = "bundle.json"
INCIDENT = "incident"
MOST_RUNS = 1000

_LINES = ".jsonl"
_MOST_BYTES = 8 * 2**20
"""Of all files that an incident brings along; those that it names itself have at most half of it."""

Reason = Literal["refused", "inconclusive", "broken"]
"""Why a run did not finish: it cannot be replayed, its trigger never came, or something failed."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BundleContent(_Part):
    """Size and checksum of a file in the bundle."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: str


class Replay(_Part):
    """One run: its directory in the bundle, what was seen, its verdicts, and the error that stopped it, if any.

    `error` is the error's text; `reason` is its category, None if there was no error, or in older bundles.
    """

    directory: str
    seen: Literal["reproduced", "not reproduced", "inconclusive", "broken"]
    seconds: float
    verdicts: tuple[JudgedClaim, ...] = ()
    error: str = ""
    reason: Reason | None = None
    missing: tuple[str, ...] = ()


class Manifest(_Part):
    """The first file of a bundle to read; `files` are all others, so that a truncated bundle is noticed."""

    schema_version: int
    harness: str
    created: str
    incident: str
    shape: dict[str, Any]
    seed: int
    host: dict[str, str]
    environment: dict[str, str]
    images: dict[str, str]
    runs: Annotated[tuple[Replay, ...], Field(max_length=MOST_RUNS)]
    files: dict[str, BundleContent]


def write(
    target: Path,
    loaded: LoadedIncident,
    *,
    seed: int,
    runs: Sequence[tuple[Replay, Path]],
    environment: Mapping[str, str],
    images: Mapping[str, str],
) -> Path:
    """Write the bundle as the directory `target` and as a zip beside it; return the zip.

    `runs` come with the directories of their experiments, which are kept. Every file is redacted. Raises HarnessError
    if the disk refuses it.
    """
    try:
        return _write(target, loaded, seed, runs, environment, images)
    except OSError as error:
        raise HarnessError(
            f"{target}: the bundle cannot be written: {error.strerror}; what the runs left is beside it; "
            f"see `df {target.parent}`"
        ) from error


def left_out(loaded: LoadedIncident) -> list[Path]:
    """Return the files of an incident that its bundle cannot have: secrets are found in text alone."""
    left, size = [], 0
    for path in loaded.files:
        content = path.read_bytes()
        if size + len(content) > _MOST_BYTES or not _is_text(content):
            left.append(path)
        else:
            size += len(content)
    return left


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _write(
    target: Path,
    loaded: LoadedIncident,
    seed: int,
    runs: Sequence[tuple[Replay, Path]],
    environment: Mapping[str, str],
    images: Mapping[str, str],
) -> Path:
    private.directory(target.parent)
    target.mkdir(mode=0o700)
    left = left_out(loaded)
    for path in (path for path in (loaded.path, *loaded.files) if path not in left):
        _copy(path, target / INCIDENT / os.path.relpath(path, loaded.path.parent), authored=True)
    for replay, directory in runs:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            _copy(path, target / replay.directory / path.relative_to(directory))
    manifest = Manifest(
        schema_version=SCHEMA,
        harness=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        incident=f"{INCIDENT}/{loaded.path.name}",
        shape=loaded.shape.model_dump(mode="json"),
        seed=seed,
        host=host(),
        environment=dict(environment),
        images=dict(images),
        runs=tuple(replay for replay, _ in runs),
        files=dict(_contents(target)),
    )
    text = json.dumps(redact_object(manifest.model_dump(mode="json")), indent=1, ensure_ascii=False)
    private.write(target / MANIFEST, f"{text}\n".encode(errors="replace").decode())  # half characters are no JSON
    return _zip(target)


def _copy(source: Path, target: Path, *, authored: bool = False) -> None:
    """Copy a file without secrets; `authored` files keep the variables that they set, because they are used again."""
    private.directory(target.parent)
    with source.open(encoding="utf-8", errors="replace", newline="\n") as file, private.replace_file(target) as copy:
        for text in file if source.suffix == _LINES else (file.read(),):
            copy.write(redact(text, authored=authored).encode(errors="backslashreplace"))


def _contents(directory: Path) -> Iterator[tuple[str, BundleContent]]:
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield path.relative_to(directory).as_posix(), BundleContent(bytes=path.stat().st_size, sha256=digest)


def _zip(directory: Path) -> Path:
    target = directory.with_name(f"{directory.name}.zip")
    unfinished = target.with_suffix(".part")
    with private.replace_file(unfinished) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            file.write(path, path.relative_to(directory).as_posix())
    return Path(shutil.move(unfinished, target))
