"""Plan: where each image and tool of a run will come from, before anything is downloaded, built or touched."""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chaos_harness.clusters.engine.packages import IMAGES_NEED
from chaos_harness.clusters.images import golang, tool_sources
from chaos_harness.clusters.images.catalogue import ImageEntry
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.pulling import host
from chaos_harness.clusters.images.tool_sources import TOOLS

__all__ = ["Supply", "cures", "image_supply", "lacks", "tool_supply"]


@dataclass(frozen=True)
class Supply:
    """Where one image or tool comes from, in words; `there` if nothing has to be fetched or built for it.

    `possible` is whether there is any source at all, `server` the registry that is asked first, and `lacks` what this
    machine lacks to build it. `locked`: it is not built, whatever the machine has.
    """

    name: str
    words: str
    there: bool = False
    possible: bool = True
    server: str = ""
    lacks: tuple[str, ...] = ()
    locked: bool = False

    @property
    def pulled(self) -> str:
        """The registry without which there is no way to it; "" if it can be built."""
        return self.server if self.lacks or self.locked else ""


def image_supply(entry: ImageEntry, rules: PullRules, held: Callable[[ImageEntry], bool]) -> Supply:
    """Return where the image of `entry` comes from; `held` says whether the engine holds it."""
    if held(entry):
        return Supply(entry.lock, "in the engine", there=True)
    known, missing = rules.known(entry.lock), lacks([entry])
    otherwise = f"cannot be built here: {'; '.join(missing)}" if missing else "built from source if that fails"
    if rules.binds(entry.lock):
        asked = rules.asked(known)
        return Supply(entry.lock, f"pulled: {asked} (--locked takes nothing else)", server=host(asked), locked=True)
    if known or not rules.only_locked:
        asked = rules.asked(known or entry.published)
        words = f"pulled: {asked}" if known else f"pulled by its tag, {asked}, whose digest is recorded"
        return Supply(entry.lock, f"{words} ({otherwise})", server=host(asked), lacks=tuple(missing))
    if missing:
        return Supply(entry.lock, f"not in the lock, and {otherwise}", possible=False, lacks=tuple(missing))
    return Supply(entry.lock, "built from source, since it is not in the lock")


def tool_supply(name: str) -> Supply:
    """Return where kind or helm comes from on this machine."""
    missing: list[str] = []
    source = next(tool_sources.find_sources(TOOLS[name], missing), None)
    if source is None:
        return Supply(name, f"not to be had: {'; '.join(missing)}", possible=False)
    return Supply(name, source.words, there=source.origin in ("PATH", "cache"))


def lacks(entries: Iterable[ImageEntry]) -> list[str]:
    """Return what this machine lacks to build these images, a line for each; what was built before lacks nothing."""
    missing = {artefact.name for entry in entries for artefact in entry.artefacts if not artefact.folder.is_dir()}
    packed = {name for name in missing if name.endswith("-rootfs")}
    compiled = {name for name in missing - packed if not name.startswith("gatekeeper-source-")}
    problems = []
    if compiled and (problem := golang.missing(golang.GO_SOURCES / "tools", golang.GO_STEADY)):
        problems.append(problem)
    if packed and not shutil.which("mmdebstrap"):
        if not shutil.which("apt-get"):
            problems.append("no mmdebstrap, and no apt-get that could install it")
        elif os.geteuid() != 0:
            problems.append("no mmdebstrap, and only root can install it")
    return problems


def cures() -> list[str]:
    """Return what makes a machine able to build images, for each thing that this one lacks."""
    lacking = []
    if golang.missing(golang.GO_SOURCES / "tools", golang.GO_STEADY):
        lacking.append("install Go 1.26 or newer: https://go.dev/dl/")
    if not shutil.which("mmdebstrap"):
        lacking.append(f"`sudo apt-get install {' '.join(IMAGES_NEED)}`")
    return lacking
