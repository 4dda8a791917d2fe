"""Resolves one image: in the engine already, else pulled by its digest or, seen for the first time, by its tag."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import ImageUnavailable
from chaos_harness.clusters.images import first_seen, pulling
from chaos_harness.clusters.images.catalogue import ImageEntry
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.pulling import PullProblem
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["LocalImage", "Origin", "find", "identity", "make", "pull", "resolve"]

Origin = Literal["present", "pulled", "built"]

_BUILD_SECONDS = 3600.0


@dataclass(frozen=True)
class LocalImage:
    """An image that the engine holds: its name, its ID, and where it came from."""

    name: str
    id: str
    origin: Origin


def identity(engine: Engine, name: str) -> str:
    """Return the ID of the image that the engine holds under `name`, or "" if it holds none."""
    deadline = Deadline.after(60, f"the engine to say whether it has {name}")
    answer = engine.run(["image", "inspect", "--format", "{{.Id}}", name], deadline, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _has_digest(engine: Engine, name: str, reference: str) -> bool:
    """Whether the engine pulled (or pushed) the image that it holds under `name` by the digest of `reference`."""
    deadline = Deadline.after(60, f"the engine to say which digests {name} has")
    answer = engine.run(["image", "inspect", "--format", "{{json .RepoDigests}}", name], deadline, check=False)
    digests = json.loads(answer.stdout or "null") if answer.returncode == 0 else None
    return reference.rpartition("@")[2] in {str(digest).rpartition("@")[2] for digest in digests or ()}


def resolve(engine: Engine, entry: ImageEntry, lock: Mapping[str, str], progress: Progress) -> LocalImage:
    """Make sure that the engine holds one image by `lock`, and return it: it is there, or pulled, or else built.

    Without an entry in `lock` nothing is pulled. Raises ImageUnavailable if it can be neither pulled nor built.
    """
    rules = PullRules(lock, only_locked=entry.lock not in lock)
    held = find(engine, entry, rules) or pull(engine, entry, rules, progress)
    if isinstance(held, LocalImage):
        return held
    if held:
        progress.say(f"   {held}")
    return make(engine, entry, rules, progress)


def find(engine: Engine, entry: ImageEntry, rules: PullRules) -> LocalImage | None:
    """Return the image of `entry` if the engine holds it: the one that was pulled before the one that was built.

    Where `rules` bind it to the lock, a name proves nothing: the engine itself must know it by the digest.
    """
    known = rules.known(entry.lock)
    if rules.binds(entry.lock):
        name = entry.pulled(known)
        return LocalImage(name, identity(engine, name), "present") if _has_digest(engine, name, known) else None
    for name in (*([entry.pulled(known)] if known else []), entry.name):
        if here := identity(engine, name):
            return LocalImage(name, here, "present")
    return None


def pull(engine: Engine, entry: ImageEntry, rules: PullRules, progress: Progress) -> LocalImage | PullProblem | None:
    """Pull the image of `entry`, unless another process did meanwhile; return it, or why it cannot be pulled.

    The result is None if its digest is not known and `rules` allow no first sight. Without a digest, it is pulled by
    its tag, and the digest is recorded. A digest that does not match is never replaced by the tag: raises
    ImageUnavailable.
    """
    known = rules.known(entry.lock)
    if not known and rules.only_locked:
        return None
    with _lock_image(entry):
        if held := find(engine, entry, rules):
            return held
        pulled = pulling.pull(engine, known or entry.published, rules, progress)
        if isinstance(pulled, PullProblem):
            if pulled.cause == "changed":
                raise ImageUnavailable(f"{entry.lock}: {pulled}")
            return pulled
        if not known:
            first_seen.compare({entry.lock: pulled})
            progress.say(f"   {entry.lock} was in no lock: from now on it is {pulled}")
        name = entry.pulled(pulled)
        engine.run(["tag", rules.asked(pulled), name], Deadline.after(60, f"the name {name}"))
        return LocalImage(name, identity(engine, name), "pulled")


def make(engine: Engine, entry: ImageEntry, rules: PullRules, progress: Progress) -> LocalImage:
    """Build the image of `entry`, unless another process made it meanwhile. Raises ImageUnavailable."""
    with _lock_image(entry):
        held = find(engine, entry, rules)
        if held:
            return held
        entry.build(engine, progress)
        return LocalImage(entry.name, identity(engine, entry.name), "built")


def _lock_image(entry: ImageEntry) -> AbstractContextManager[None]:
    deadline = Deadline.after(_BUILD_SECONDS, f"another process to make {entry.name}")
    return hold_lock(f"image-{entry.name.replace('/', '_')}", deadline)
