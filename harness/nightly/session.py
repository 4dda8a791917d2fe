"""Session: begins a night or goes on with one, alone on its machine, and leaves its summary beside its ledger."""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.harness import __version__, private
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.nightly.cells import Cell, cells_of
from chaos_harness.harness.nightly.choosing import choose
from chaos_harness.harness.nightly.clusters import LOCK, NightClusters
from chaos_harness.harness.nightly.found import find
from chaos_harness.harness.nightly.ledger import FILE, CellFacts, Ended, Head, JudgedLine, Ledger, Note
from chaos_harness.harness.nightly.matrix import LoadedMatrix, load_matrix
from chaos_harness.harness.nightly.metrics import summary_metrics
from chaos_harness.harness.nightly.night import JUMP_SECONDS, Night, Room
from chaos_harness.harness.nightly.past import PastCell, read_past
from chaos_harness.harness.nightly.planning import NightPlan, order, within
from chaos_harness.harness.nightly.shards import merge, split
from chaos_harness.harness.nightly.summary import Summary, describe, summarize
from chaos_harness.harness.nightly.words import group_left_out, summary_markdown

__all__ = ["Asked", "describe_plan", "digest_of", "merge_nights", "plan_night", "run_night"]

_SHORT = 12


@dataclass(frozen=True)
class Asked:
    """What a night is asked for.

    `command` runs scenarios, `own_without_fault` is the harness's scenario in which nothing is harmed, `nights` the
    folder with a folder for each night. `shard` is which of how many, from 1 on. `judged` reads the claims that a run
    left in its folder. `extra` are options for each run, `jobs` the most cells at a time. `folder` is the one from
    which the matrix names files, by default its own. `only` are words that name cells, see `choosing` (none: all).
    `shared`: cells of one shape use clusters one after another; `engine` is the choice of the one that has these.
    """

    command: Sequence[str]
    own_without_fault: str
    nights: Path
    judged: Callable[[Path], Sequence[JudgedLine]]
    say: Callable[[str], None]
    shard: tuple[int, int] = (1, 1)
    budget: float | None = None
    seed: int | None = None
    jobs: int | None = None
    extra: Sequence[str] = ()
    folder: Path | None = None
    only: Sequence[str] = ()
    shared: bool = True
    engine: str | None = None

    def load(self, matrix: Path) -> LoadedMatrix:
        """Return the matrix in a file. Raises BadScenario."""
        return load_matrix(matrix, self.own_without_fault, self.folder)


def plan_night(asked: Asked, matrix: Path) -> NightPlan:
    """Return the plan of a night; nothing is touched. Raises BadScenario."""
    with TemporaryDirectory() as folder:
        return _plan(asked, asked.load(matrix), Path(folder), _past(asked, None))


def digest_of(matrix: Path, plan: NightPlan) -> str:
    """Return what is the same on each machine that has the same matrix and comes to the same cells in each shard."""
    shards = sorted((each.cell.id, each.shard) for each in plan.cells)
    said = json.dumps([matrix.read_text(encoding="utf-8"), shards])
    return hashlib.sha256(said.encode()).hexdigest()


def run_night(asked: Asked, matrix: Path | None, folder: Path, *, resume: bool, digest: str | None = None) -> Summary:
    """Run a night in `folder`, or go on with the one that is there, and return its summary.

    Raises BadScenario if another night runs on this machine, what is there is another night or no folder, or this one
    is not that of the `digest`; a folder that was not there is then none again.
    """
    with _alone():
        if not resume:
            _refuse_place(folder)
        ledger = Ledger.read(folder / FILE, __version__) if resume else None
        path = Path(ledger.head.matrix) if ledger else matrix
        if path is None or (not resume and (folder / FILE).exists()):
            raise BadScenario(f"{folder}: there is a night already; --resume {folder} goes on with it")
        past = _past(asked, folder)
        loaded = asked.load(path)
        if ledger:
            asked = _as_begun(asked, ledger)
        with _folder_if_begun(folder):
            plan = _plan(asked, loaded, folder, past)
            head = _head(asked, loaded, plan)
            if digest not in (None, head.digest):
                raise BadScenario(
                    f"expected the plan {str(digest)[:_SHORT]}, found {head.digest[:_SHORT]}: the harness here, or a "
                    "file of the matrix, is not the one that it was made with"
                )
            if ledger is None:
                ledger = Ledger.begin(folder / FILE, head)
            elif ledger.head.digest != head.digest:
                words = "was begun with another matrix, or other files; begin again without --resume"
                raise BadScenario(f"{folder}: {words}")
            else:
                _go_on(ledger)
        if digest is None:
            asked.say(f"when stopped, go on: {command_line('nightly --')} --resume {folder}")
        night = Night(
            folder,
            ledger,
            past,
            asked.command,
            asked.judged,
            asked.say,
            Room.now(asked.jobs),
            NightClusters(asked.engine, asked.say),
            asked.extra,
            asked.budget,
        )
        try:
            night.run([each for each in plan.cells if each.shard == asked.shard[0]])
        finally:
            summary = summarize(ledger.head, ledger.runs(), ledger.notes, past)
            _leave(folder, summary)
        return summary


def merge_nights(paths: Sequence[Path], nights: Path, folder: Path) -> Summary:
    """Merge the ledgers of shards into one night in `folder`; return its summary.

    A path is a ledger, a shard's folder, or a folder with folders of shards, of which those without a ledger are lost.
    Raises BadScenario if one cannot be read or is of another night, with the problems of all, or if `folder` is none.
    """
    _refuse_place(folder)
    ledgers: list[Ledger] = []
    problems: list[str] = []
    for path in chain.from_iterable(map(_ledger_files, paths)):
        try:
            ledgers.append(Ledger.read(path, __version__))
        except BadScenario as error:
            problems += error.problems
    if problems or not ledgers:
        raise BadScenario(problems or "expected the folders of the shards of a night")
    if (folder / FILE).exists():
        raise BadScenario(f"{folder}: there is a night already; choose another folder")
    merged = merge(ledgers)
    past, unread = read_past(nights, __version__, folder)
    head = ledgers[0].head.model_copy(update={"night": secrets.token_hex(4)})
    ledger = Ledger.begin(_folder(folder) / FILE, head)
    lines: list[Ended | Note] = [*merged.runs, *merged.notes]
    for line in lines:
        ledger.add(line)
    told = (*merged.told, *unread)
    summary = summarize(head, merged.runs, merged.notes, past, lost=merged.lost, told=told, whole=True)
    _leave(folder, summary)
    return summary


def describe_plan(plan: NightPlan, asked: Asked) -> dict[str, object]:
    """Return a plan for scripts: plain data whose names stay; minutes are those of one machine."""
    return {
        "harness": __version__,
        "minutes": round(plan.seconds / 60, 1),
        "parallel": plan.parallel,
        "budget_minutes": None if asked.budget is None else round(asked.budget / 60, 1),
        "cells": [
            {
                "id": each.cell.id,
                "target": each.cell.target,
                **each.cell.axes,
                "value": each.value.name.lower(),
                "cluster": each.cluster,
                "minutes": round(each.seconds / 60, 1),
                "memory_mib": each.cell.shape.memory_mib,
                "shard": each.shard,
                "fits": each.fits,
                "without_fault": each.cell.without_fault,
            }
            for each in plan.cells
        ],
        "left_out": [
            {"target": each.target, **each.axes, "why": each.why, "words": each.words} for each in plan.left_out
        ],
    }


@contextmanager
def _alone() -> Iterator[None]:
    with try_lock(LOCK) as free:
        if not free:
            raise BadScenario("another night runs on this machine; wait for it, or end it")
        yield


def _folder(folder: Path) -> Path:
    try:
        return private.directory(folder)
    except OSError as error:
        raise HarnessError(f"{folder}: cannot be written: {error.strerror}; see `ls -ld {folder.parent}`") from error


def _refuse_place(folder: Path) -> None:
    """Raise BadScenario if a folder is none, or cannot be made where it is to be."""
    whole = folder.absolute()
    try:
        there = next(each for each in (whole, *whole.parents) if each.exists())
    except OSError as error:
        raise BadScenario(f"{folder}: cannot be a night's folder: {error.strerror}") from error
    if not there.is_dir():
        raise BadScenario(f"{folder}: {there} is a file; expected a folder, or one to be made: --out DIR")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadScenario(f"{folder}: nothing can be written in {there}; choose another folder: --out DIR")


@contextmanager
def _folder_if_begun(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it if what is done with it fails; one that was there stays as it is."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    _folder(folder)
    try:
        yield
    except BaseException:
        if folder in missing:
            remove_folder(folder)
            with suppress(OSError):  # somebody else has something in one of them meanwhile
                for each in missing[1:]:
                    each.rmdir()
        raise


def _ledger_files(path: Path) -> list[Path]:
    """Return the ledger of a path, or, of a folder that has none itself, those of its folders."""
    below = [] if (path / FILE).exists() else sorted(path.glob(f"*/{FILE}"))
    return below or [path / FILE if path.is_dir() else path]


def _past(asked: Asked, folder: Path | None) -> Mapping[str, PastCell]:
    past, unread = read_past(asked.nights, __version__, folder)
    for words in unread:
        asked.say(f"an earlier night is left out: {words}")
    return past


def _plan(asked: Asked, loaded: LoadedMatrix, folder: Path, past: Mapping[str, PastCell]) -> NightPlan:
    asked.say("asking for the list of scenarios …")
    found = find((loaded.without_fault, *loaded.targets), asked.command)
    cells, left_out = cells_of(loaded, found, folder)
    cells, unnamed = choose(cells, left_out, asked.only)
    shard, shards = asked.shard
    planned = order(cells, past, split(cells, shards), stated=shards > 1)
    parallel = Room.now(asked.jobs).slots([cell.shape for cell in cells])
    mine = [each for each in planned if each.shard == shard]
    others = [each for each in planned if each.shard != shard]
    fitting = {each.cell.id: each for each in within(mine, asked.budget, parallel, shared=asked.shared)}
    return NightPlan(
        tuple(fitting.get(each.cell.id, each) for each in (*mine, *others)),
        (*left_out, *unnamed),
        parallel,
        asked.budget,
    )


def _head(asked: Asked, loaded: LoadedMatrix, plan: NightPlan) -> Head:
    cells = {each.cell.id: _facts(each.cell, each.shard, each.seconds) for each in plan.cells}
    return Head(
        harness=__version__,
        night=secrets.token_hex(4),
        matrix=str(loaded.path),
        digest=digest_of(loaded.path, plan),
        shard=asked.shard[0],
        shards=asked.shard[1],
        seed=secrets.randbelow(2**32) if asked.seed is None else asked.seed,
        begun=time.time(),
        confidence=loaded.matrix.rate.confidence,
        width=loaded.matrix.rate.width,
        cells=cells,
        left_out=tuple(group_left_out(plan.left_out)),
        only=tuple(asked.only),
    )


def _facts(cell: Cell, shard: int, seconds: float) -> CellFacts:
    return CellFacts(
        shard=shard,
        target=cell.target,
        axes=cell.axes,
        seconds=seconds,
        memory_mib=cell.shape.memory_mib,
        without_fault=cell.without_fault,
    )


def _as_begun(asked: Asked, ledger: Ledger) -> Asked:
    """Return what a night is asked for that goes on: its shard and its cells are those that it was begun with."""
    head = ledger.head
    return replace(asked, shard=(head.shard, head.shards), seed=head.seed, only=head.only)


def _go_on(ledger: Ledger) -> None:
    """Note that a night goes on, and whether the clock went back meanwhile."""
    ledger.mend()
    now = time.time()
    last = max([ledger.head.begun, *(run.ended for run in ledger.runs()), *(note.at for note in ledger.notes)])
    if now < last - JUMP_SECONDS:
        words = f"the clock went back: this night was resumed {last - now:.0f} s before it was stopped"
        ledger.add(Note(at=now, words=words))


def _leave(folder: Path, summary: Summary) -> None:
    """Write the summary beside the ledger, for people and for scripts."""
    for name, text in (
        ("summary.md", summary_markdown(summary)),
        ("summary.json", json.dumps(describe(summary), indent=1)),
        ("metrics.txt", summary_metrics(summary)),
    ):
        try:
            private.write(folder / name, text)
        except OSError as error:
            raise HarnessError(f"{folder / name}: cannot be written: {error.strerror}; see `df {folder}`") from error
