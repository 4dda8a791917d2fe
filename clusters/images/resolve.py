"""Resolution of one image: in the engine already, else pulled by the digest in the lock, else built."""

import re
from pathlib import Path
from typing import Literal

import yaml

from clusters.deadline import Deadline
from clusters.engine import Engine
from clusters.errors import BadScenario, CommandFailed, DeadlineExceeded
from clusters.images.catalogue import Entry
from clusters.locking import locked
from clusters.progress import Progress

__all__ = ["LOCK", "Origin", "present", "read_lock", "resolve"]

Origin = Literal["present", "pulled", "built"]

LOCK = Path(__file__).with_name("lock.yaml")
_PULL_SECONDS = 900.0
_BUILD_SECONDS = 3600.0
_REFERENCE = re.compile(r"^[a-z0-9][\w.\-/:]*@sha256:[0-9a-f]{64}$")


def read_lock(path: Path = LOCK) -> dict[str, str]:
    """Return the lock: image name → repository@digest.

    Raises BadScenario with every entry that is not pinned by a digest.
    """
    entries = yaml.safe_load(path.read_text()) or {}
    if not isinstance(entries, dict):
        raise BadScenario(f"{path}: expected NAME/VERSION: REPOSITORY@sha256:…, found {type(entries).__name__}")
    loose = [name for name, reference in entries.items() if not _REFERENCE.match(str(reference))]
    if loose:
        raise BadScenario([f"{path}: {name}: {entries[name]!r} is not REPOSITORY@sha256:<64 digits>" for name in loose])
    return {str(name): str(reference) for name, reference in entries.items()}


def present(engine: Engine, name: str) -> bool:
    """Whether the engine holds the image `name`."""
    deadline = Deadline.after(60, f"the engine to say whether it has {name}")
    answer = engine.run(["image", "inspect", "--format", "{{.Id}}", name], deadline, check=False)
    return answer.returncode == 0


def resolve(engine: Engine, entry: Entry, lock: dict[str, str], progress: Progress) -> Origin:
    """Make the engine hold `entry`'s image and say where it came from.

    A pull that fails for whatever reason is told and then the image is built: the engine keeps no part
    of a broken pull under the image's name. Raises ImageUnavailable when it cannot be built either.
    """
    if present(engine, entry.name):
        return "present"
    name = f"image-{entry.name.replace('/', '_')}"
    with locked(name, Deadline.after(_BUILD_SECONDS, f"another process to make {entry.name}")):
        if present(engine, entry.name):
            return "present"
        reference = lock.get(entry.lock)
        if reference and _pull(engine, reference, entry.name, progress):
            return "pulled"
        entry.build(engine, progress)
        return "built"


def _pull(engine: Engine, reference: str, name: str, progress: Progress) -> bool:
    deadline = Deadline.after(_PULL_SECONDS, f"the pull of {reference}")
    try:
        with progress.step(f"pull {reference}"):
            engine.run(["pull", "--quiet", reference], deadline)
            engine.run(["tag", reference, name], deadline)
    except (CommandFailed, DeadlineExceeded) as error:
        progress.say(f"   {reference} cannot be pulled, it is built instead: {str(error).splitlines()[-1]}")
        return False
    return True
