"""Uninstall: takes back everything that the harness did to this machine, in an order that a kill may break off.

What is needed to know what is left, the records, goes last; so whoever types it again goes on where it stopped.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, Layout, host_changes, packages, processes
from chaos_harness.clusters.engine.inventory import RUN, inventory
from chaos_harness.clusters.errors import BadScenario, EngineUnavailable, HarnessError
from chaos_harness.clusters.garbage import (
    UndoJournal,
    collect_garbage,
    list_claimed_runs,
    list_garbage,
    run_directories,
)
from chaos_harness.clusters.images.catalogue import NAME
from chaos_harness.clusters.machine import installed, traces
from chaos_harness.clusters.machine.paths import cache_path, state_path
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["Uninstallation"]

_SECONDS = 120.0
_GIB = 1 << 30
_OWN_ENGINES = ("dockerd", "containerd")

Undo = Callable[[Path, Engine], Sequence[str]]
"""Undoes a journal of a dead run on an engine, and returns what was undone, as text."""


@dataclass
class Report:
    """What was removed, what stays and why, and what should have gone and did not."""

    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def collect_errors(self) -> Iterator[None]:
        """Keep the error of the block, so that one part does not stop the others."""
        try:
            yield
        except (HarnessError, OSError) as error:
            self.problems.append(str(error))


class Uninstallation:
    """The removal of the private engine at `layout`, what is ours in a user's engine, caches, packages and records.

    `undo` undoes a journal of a dead run on an engine.
    """

    def __init__(
        self,
        layout: Layout,
        progress: Progress,
        *,
        undo: Undo,
    ) -> None:
        self._layout = layout
        self._progress = progress
        self._undo = undo
        self._packages = installed.recorded() if os.geteuid() == 0 else []
        self._engines = [engine for choice in ("private", "system") if (engine := self._find(choice))]

    def require_unused(self) -> None:
        """Raise BadScenario if a live run, a kept cluster or the pool would lose its clusters; nothing is touched."""
        using: dict[str, None] = {}
        for engine in self._engines:
            using |= dict.fromkeys(_users(engine))
        using |= dict.fromkeys(f"run {owner.run}" for _, owner in run_directories() if owner.is_running())
        if using:
            raise BadScenario(
                f"nothing is removed, because these are in use: {', '.join(using)}\n"
                f"wait for their end, or end them: `{command_line('gc --')} --all`; then type this again"
            )

    def notice(self) -> str:
        """Return the screen that says what will go and what stays."""
        caches = cache_path()
        rows = {
            "engine": f"the private one in {self._layout.run}, with its chain, mounts and cgroups",
            "caches": f"{caches} ({_size(caches) / _GIB:.1f} GiB): images, tools, downloads",
            "packages": " ".join(self._packages) or "none: all of them were there before, or came otherwise",
            "records": f"{state_path()}, {traces.HOME}",
        }
        lines = [f"  {name:<10}{words}" for name, words in rows.items()]
        stays = "What your runs wrote, below the folders where you typed them, stays."
        return "\n".join(["This takes back what the harness did to this machine:", "", *lines, "", stays])

    def run(self, *, keep_caches: bool) -> Report:
        """Remove everything, but caches if they are to be kept; return what was done. All parts are tried.

        Raises BadScenario as `require_unused` does, for what began since that was asked: then nothing is touched.
        """
        self.require_unused()
        report = Report()
        for engine in self._engines:
            with report.collect_errors():
                report.removed += collect_garbage(engine, progress=self._progress, undo=self._undo_on(engine))
            if not engine.private and not keep_caches:
                with report.collect_errors():
                    report.removed += _remove_images(engine)
        with report.collect_errors():
            if engines.stop_private(self._progress, self._layout, used=lambda engine: bool(_users(engine))):
                report.removed.append(f"the private engine in {self._layout.run}")
        if processes.running(self._layout):
            report.problems.append(f"the private engine runs: {', '.join(_users_of(self._layout)) or 'it is needed'}")
            return report
        with report.collect_errors():
            report.removed += [f"change of this machine: {change}" for change in host_changes.heal()]
        self._remove_caches(report, keep=keep_caches)
        with report.collect_errors():
            self._remove_packages(report)
        if not report.problems:
            self._remove_records(report)
        return report

    def _find(self, choice: str) -> Engine | None:
        """Return the engine if it answers. A user's that does not is no reason to keep ours."""
        try:
            return engines.find(choice, self._layout)
        except EngineUnavailable:
            if choice == "private":
                raise
            return None

    def _undo_on(self, engine: Engine) -> UndoJournal:
        return lambda path: self._undo(path, engine)

    def _remove_caches(self, report: Report, *, keep: bool) -> None:
        for folder in dict.fromkeys((self._layout.data, cache_path())):
            if not folder.exists():
                continue
            if keep:
                report.left.append(f"{folder}: caches are kept; `rm -r {folder}` removes it")
                continue
            with report.collect_errors():
                remove_folder(folder)
                report.removed.append(f"{folder}")

    def _remove_packages(self, report: Report) -> None:
        if not self._packages:
            return
        running = _other_engines()
        needed = [name for name in self._packages if running and name in packages.engine_packages()]
        report.left += [f"package {name}: {', '.join(running)} runs, and is not ours" for name in needed]
        with self._progress.step(f"remove {len(self._packages)} packages"):
            going, staying = installed.remove(self._packages, needed=needed)
        report.removed += [f"package {name}" for name in going]
        report.left += [f"package {name}: {why}" for name, why in staying.items()]

    def _remove_records(self, report: Report) -> None:
        """Remove what says what was done, as far as nothing of it is left."""
        folders = [self._layout.run]
        for directory, _ in run_directories():
            report.left.append(f"{directory}: its run was on another engine; `{command_line('gc')}` there settles it")
        if not any(True for _ in run_directories()):
            folders.append(state_path())
        if os.geteuid() == 0:
            holders = dict.fromkeys(change.holder for change in traces.pending())
            if holders:
                report.left.append(f"{traces.HOME}: has what {', '.join(holders)} changed on this machine")
            else:
                folders.append(traces.HOME)
        for folder in folders:
            if folder.exists():
                with report.collect_errors():
                    remove_folder(folder)
                    report.removed.append(f"{folder}")


def _users(engine: Engine) -> list[str]:
    """Return what would lose its clusters or its engine: live and kept runs, and what stands in the pool."""
    deadline = Deadline.after(_SECONDS, "the engine to list what is used")
    dead = {thing.id for thing in list_garbage(engine, deadline)}
    owned = [thing.labels[RUN] for thing in inventory(engine, deadline) if thing.id not in dead]
    return [f"run {run}" for run in dict.fromkeys([*list_claimed_runs(engine, deadline), *owned])]


def _users_of(layout: Layout) -> list[str]:
    try:
        engine = engines.find("private", layout)
    except EngineUnavailable:
        return []
    return _users(engine) if engine else []


def _remove_images(engine: Engine) -> list[str]:
    """Remove the images that were made or named by us from a user's engine."""
    deadline = Deadline.after(_SECONDS, "the engine to remove our images")
    listing = ["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={NAME}/*"]
    names = engine.run(listing, deadline).stdout.split()
    for name in names:
        engine.run(["rmi", name], deadline)
    return [f"image {name}" for name in names]


def _other_engines() -> list[str]:
    """Return the engines that run from the distribution's programs, not those in containers; ours has ended."""
    programs = {path: name for name in _OWN_ENGINES if (path := packages.program(name))}
    namespace = Path("/proc/self/ns/mnt").readlink()
    running = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = programs.get(str((process / "exe").readlink()))
            if name and (process / "ns" / "mnt").readlink() == namespace:
                running.append(f"{name} (process {process.name})")
    return running


def _size(folder: Path) -> int:
    """Return the bytes on disk below a folder."""
    blocks = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                blocks += os.lstat(Path(path, name)).st_blocks
    return blocks * 512
