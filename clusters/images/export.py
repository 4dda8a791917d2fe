"""Ready sets: exports the images of shapes, and what else they need, to one file for a machine without a network."""

import contextlib
import hashlib
import os
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import BadScenario, HarnessError
from chaos_harness.clusters.images import binaries, ensure, ready_set, sources, store, tool_sources
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.tool_sources import TOOLS
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.machine.paths import cache_dir
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["load", "save"]

_SECONDS = 1800.0
_RELEASE = re.compile(r"gatekeeper-source-(v[0-9.]+)-[0-9a-f]+", re.ASCII)


def save(
    engine: Engine, path: Path, shapes: Sequence[Shape], progress: Progress, rules: PullRules | None = None
) -> list[str]:
    """Write everything that clusters of `shapes` are made from into the file `path`; return the images' names.

    The file gets its name only when it is complete. Raises ImageUnavailable (also: disk full), BadScenario (no such
    folder), HarnessError if it cannot be written.
    """
    _require_place(path)
    names = sorted(ensure(engine, shapes, progress, rules).origin)
    releases = {version for shape in shapes for version in (shape.gatekeeper, *shape.releases) if version}
    folders = _folders(sorted(releases), sources.needed_tools(shapes), progress)
    store.require_disk(2.0 * len(shapes), f"the ready set {path}")
    deadline = Deadline.after(_SECONDS, f"the ready set {path}")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with progress.step(f"save {len(names)} images to {path}"), store.scratch_folder("save") as scratch:
            with (scratch / ready_set.IMAGES).open("wb") as archive:
                engine.run(["save", *names], deadline, stdout=archive)
            files = {ready_set.IMAGES: scratch / ready_set.IMAGES}
            for folder in folders:
                files |= {f"artefacts/{folder.name}/{file.relative_to(folder)}": file for file in _files(folder)}
            contents = {name: _content(source) for name, source in files.items()}
            index = ready_set.Index(format=ready_set.FORMAT, images=names, files=contents)
            (scratch / ready_set.INDEX).write_text(index.model_dump_json(), encoding="utf-8")
            with tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as archive_of_all:
                for name, source in {ready_set.INDEX: scratch / ready_set.INDEX, **files}.items():
                    archive_of_all.add(source, name, recursive=False)
        unfinished.rename(path)
    except OSError as error:
        raise HarnessError(f"{path}: cannot be written: {error.strerror}; see `df {path.parent}`") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return names


def _folders(releases: Sequence[str], tools: Sequence[str], progress: Progress) -> list[Path]:
    """Return the folders of the cache with these releases of Gatekeeper and these tools; what is missing is made."""
    programs = [tool_sources.get(TOOLS[name], progress, carried=True) for name in tools]
    kept = [binaries.gatekeeper_source(version).get(progress) for version in releases]
    return list(dict.fromkeys([*kept, *(program.parent for program in programs)]))


def _known() -> set[str]:
    """Return the names of the folders that this version can use, besides those of Gatekeepers that nobody tried."""
    known = [binaries.gatekeeper_source(version) for version in known_versions.GATEKEEPER]
    known += [artefact for tool in TOOLS.values() for artefact in tool_sources.artefacts(tool)]
    return {artefact.folder.name for artefact in (*known, binaries.kubernetes(known_versions.DEFAULT_KUBERNETES))}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def load(engine: Engine, path: Path, progress: Progress) -> list[str]:
    """Load the ready set `path` into the engine and the cache; return the names of its images.

    The whole file is checked first. Only what the index names and this version can use is kept: a folder in the cache
    is trusted by its name. Raises BadScenario if the file is cut off, was changed, or was written by another version.
    """
    deadline = Deadline.after(_SECONDS, f"the engine to load {path}")
    known = _known()
    with progress.step(f"load {path}"), store.scratch_folder("load") as scratch:
        index = ready_set.unpack(path, scratch)
        engine.run(["load", "--quiet", "--input", scratch / ready_set.IMAGES], deadline)
        there = scratch / "artefacts"
        for folder in sorted(there.iterdir()) if there.is_dir() else ():
            if folder.name not in known and not _is_release(folder.name):
                progress.say(f"   left out: {escape_controls(folder.name)}, which this version does not use")
                continue
            target = cache_dir("artefacts") / folder.name
            with hold_lock(folder.name, deadline):
                if not target.exists():
                    folder.rename(target)
    return index.images


def _is_release(name: str) -> bool:
    """Whether a folder of the cache holds manifest and chart of any Gatekeeper; whoever uses them verifies them."""
    form = _RELEASE.fullmatch(name)
    return bool(
        form and known_versions.resolve_gatekeeper(form[1]) and binaries.gatekeeper_source(form[1]).folder.name == name
    )


def _content(source: Path) -> ready_set.ReadySetContent:
    with source.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ready_set.ReadySetContent(bytes=source.stat().st_size, sha256=digest)


def _require_place(path: Path) -> None:
    """Refuse a path that cannot be written, before the work of hours begins."""
    problem = ""
    if path.is_dir():
        problem = "is a directory"
    elif not path.parent.is_dir():
        problem = f"there is no directory {path.parent}"
    elif not os.access(path.parent, os.W_OK):
        problem = f"{path.parent} cannot be written to"
    if problem:
        raise BadScenario(f"{path}: {problem}; give --save a file's name in a directory of yours")
