"""Resolves one image: in the engine already, else pulled by the digest in the lock, else built."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import BadScenario, CommandFailed, DeadlineExceeded
from chaos_harness.clusters.images.catalogue import ImageEntry
from chaos_harness.clusters.images.downloads import retry_download
from chaos_harness.clusters.machine import bounded_files
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.terminal.escape import escape_controls, last_line
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["LOCK", "LocalImage", "Origin", "find", "identity", "make", "read_lock", "resolve"]

Origin = Literal["present", "pulled", "built"]

LOCK = Path(__file__).with_name("lock.yaml")
_PULL_SECONDS = 900.0
"""For a node image of 1.2 GB on a slow line; an engine gives up on a silent registry after 15 to 25 s."""

_BUILD_SECONDS = 3600.0
_REFERENCE = re.compile(r"[a-z0-9][a-z0-9_.\-/:]*@sha256:[0-9a-f]{64}", re.ASCII)
_MOST_BYTES = 256 * 1024
_MOST_TOLD = 20
_SHORT = 100


@dataclass(frozen=True)
class LocalImage:
    """An image that the engine holds: its name, its ID, and where it came from."""

    name: str
    id: str
    origin: Origin


def read_lock(path: Path = LOCK) -> dict[str, str]:
    """Return the lock: image name → repository@digest.

    Raises BadScenario with every entry that is not pinned by a digest.
    """
    entries = bounded_files.read_plain_yaml(path, _MOST_BYTES) or {}
    if not isinstance(entries, dict):
        raise BadScenario(f"{path}: expected NAME/VERSION: REPOSITORY@sha256:…, found {type(entries).__name__}")
    loose = [name for name, reference in entries.items() if not _REFERENCE.fullmatch(str(reference))]
    if loose:
        shown_entries = {
            escape_controls(str(name), most=_SHORT): escape_controls(repr(entries[name]), most=_SHORT)
            for name in loose[:_MOST_TOLD]
        }
        raise BadScenario(
            [f"{path}: {name}: {words} is not REPOSITORY@sha256:<64 digits>" for name, words in shown_entries.items()]
        )
    return {str(name): str(reference) for name, reference in entries.items()}


def identity(engine: Engine, name: str) -> str:
    """Return the ID of the image that the engine holds under `name`, or "" if it holds none."""
    deadline = Deadline.after(60, f"the engine to say whether it has {name}")
    answer = engine.run(["image", "inspect", "--format", "{{.Id}}", name], deadline, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def resolve(engine: Engine, entry: ImageEntry, lock: Mapping[str, str], progress: Progress) -> LocalImage:
    """Make sure that the engine holds the image of `entry`, and return it: `find` it, or else `make` it.

    Raises ImageUnavailable if it can be neither pulled nor built.
    """
    return find(engine, entry, lock, progress) or make(engine, entry, lock, progress)


def find(engine: Engine, entry: ImageEntry, lock: Mapping[str, str], progress: Progress) -> LocalImage | None:
    """Return the image of `entry` if the engine holds it or can pull it by the lock; the pulled one is preferred.

    A pull that breaks off is tried again a few times. If it fails, a line says so and the result is None: a digest that
    does not match is never replaced by the tag, and the engine keeps no part of a broken pull under the image's name.
    """
    held = _find_local(engine, entry, lock)
    if held or entry.lock not in lock:
        return held
    with _lock_image(entry):
        return _find_local(engine, entry, lock) or _pull(engine, entry, lock[entry.lock], progress)


def make(engine: Engine, entry: ImageEntry, lock: Mapping[str, str], progress: Progress) -> LocalImage:
    """Build the image of `entry`, unless another process made it meanwhile. Raises ImageUnavailable."""
    with _lock_image(entry):
        held = _find_local(engine, entry, lock)
        if held:
            return held
        entry.build(engine, progress)
        return LocalImage(entry.name, identity(engine, entry.name), "built")


def _lock_image(entry: ImageEntry) -> AbstractContextManager[None]:
    deadline = Deadline.after(_BUILD_SECONDS, f"another process to make {entry.name}")
    return hold_lock(f"image-{entry.name.replace('/', '_')}", deadline)


def _find_local(engine: Engine, entry: ImageEntry, lock: Mapping[str, str]) -> LocalImage | None:
    pulled = [entry.pulled(lock[entry.lock])] if entry.lock in lock else []
    for name in (*pulled, entry.name):
        if here := identity(engine, name):
            return LocalImage(name, here, "present")
    return None


def _pull(engine: Engine, entry: ImageEntry, reference: str, progress: Progress) -> LocalImage | None:
    deadline = Deadline.after(_PULL_SECONDS, f"the pull of {reference}")
    name = entry.pulled(reference)
    try:
        with progress.step(f"pull {reference}"):
            retry_download(lambda: engine.run(["pull", "--quiet", reference], deadline), deadline, progress)
            engine.run(["tag", reference, name], deadline)
    except (CommandFailed, DeadlineExceeded) as error:
        progress.say(f"   {reference} cannot be pulled, it is built instead: {last_line(str(error))}")
        return None
    return LocalImage(name, identity(engine, name), "pulled")
