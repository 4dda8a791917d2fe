"""Store of built artefacts: one folder each, named by what it is made from, complete or absent."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import HarnessError, ImageUnavailable
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.machine.paths import cache_dir, remove_write_access, require_trusted
from chaos_harness.clusters.machine.scratch import ARTEFACTS, MAKING, hold_folder, remove_abandoned
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["Artefact", "digest", "require_disk", "scratch_folder"]

_KEY_LENGTH = 12
_GIB = 1 << 30
_SECONDS = 3600.0


def digest(*ingredients: Any) -> str:
    """Return a short key of the ingredients: JSON values, and files by their content."""
    return hashlib.sha256(
        json.dumps([_plain(ingredient) for ingredient in ingredients], sort_keys=True).encode()
    ).hexdigest()[:_KEY_LENGTH]


def _plain(ingredient: Any) -> Any:
    if isinstance(ingredient, Path):
        files = (
            sorted(path for path in ingredient.rglob("*") if path.is_file()) if ingredient.is_dir() else [ingredient]
        )
        return [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]
    if isinstance(ingredient, Mapping):
        return {str(key): _plain(value) for key, value in ingredient.items()}
    if isinstance(ingredient, list | tuple):
        return [_plain(value) for value in ingredient]
    return ingredient


@dataclass(frozen=True)
class Artefact:
    """Something that is built: its name, the key of its ingredients, and how it is made in an empty folder."""

    name: str
    key: str
    make: Callable[[Path, Progress], None]

    @property
    def folder(self) -> Path:
        """The folder of the artefact, which may not exist yet."""
        return cache_dir(ARTEFACTS) / f"{self.name}-{self.key}"

    def get(self, progress: Progress) -> Path:
        """Return the folder; the artefact is made first if it is missing.

        If two processes need it at once, one makes it and the other waits. An interrupted attempt leaves nothing that
        counts: the folder gets its name only when it is complete. Each process works in a folder of its own, so the
        remains of a killed one, which may still write, are harmless. Raises HarnessError for a folder that
        others than root and this user could have created or changed.
        """
        if self.folder.is_dir():
            return require_trusted(self.folder)
        deadline = Deadline.after(_SECONDS, f"another process to build {self.folder.name}")
        with hold_lock(self.folder.name, deadline):
            if self.folder.is_dir():
                return require_trusted(self.folder)
            try:
                remove_abandoned()
            except HarnessError as error:
                progress.say(f" ! {error}")
            with hold_folder(f"{MAKING}{self.folder.name}", self.folder.parent) as folder:
                folder.chmod(0o755)  # apt's own user reads below it while mmdebstrap runs
                self.make(folder, progress)
                remove_write_access(folder)
                try:
                    folder.rename(self.folder)
                except OSError:  # another user of this cache, whose locks lie elsewhere, was faster
                    if not self.folder.is_dir():
                        raise
        return require_trusted(self.folder)


@contextlib.contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """Return a folder on the cache's disk that is removed after the block."""
    with contextlib.suppress(HarnessError):
        remove_abandoned()
    with hold_folder(name) as folder:
        yield folder


def require_disk(gib: float, purpose: str) -> None:
    """Raise ImageUnavailable unless the cache's file system has `gib` GiB free; `purpose` is what they are for."""
    cache = cache_dir()
    free = shutil.disk_usage(cache).free / _GIB
    if free < gib:
        raise ImageUnavailable(
            f"{purpose} needs {gib:.1f} GiB in {cache}, {free:.1f} GiB are free: "
            "free some, or set XDG_CACHE_HOME to a larger disk"
        )
