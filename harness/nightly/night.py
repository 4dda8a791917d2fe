"""Night: runs its cells, each as a process of `chaos-harness run`, as many at a time as memory and cores allow."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from chaos_harness.clusters.checkout import OPTION, command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import HostQuirks
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.machine.memory import available_mib
from chaos_harness.clusters.machine.process import end_all, start_command
from chaos_harness.clusters.machine.signals import announce_cleanup, end_uninterrupted
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness import private
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.nightly.cells import Cell
from chaos_harness.harness.nightly.clusters import NightClusters, cluster_of, went_back
from chaos_harness.harness.nightly.ledger import Ended, JudgedLine, Ledger, Note, Outcome
from chaos_harness.harness.nightly.past import PastCell
from chaos_harness.harness.nightly.planning import PlannedCell
from chaos_harness.harness.nightly.rate import flips, repeats_needed
from chaos_harness.harness.run.exit_status import ExitStatus
from chaos_harness.harness.run.workers import count_fitting

__all__ = ["JUMP_SECONDS", "Night", "Room"]

JUMP_SECONDS = 5.0
"""By so much the clock of the day and the one that nobody sets may differ over a run before it is told."""

_LEAST_FREE_MIB = 2048
"""With less on the disk of the results no further cell begins."""
_PATIENCE = 3.0
_PATIENCE_SECONDS = 1800.0
_STOP_SECONDS = 300.0
_EMPTY_SECONDS = 300.0
_SECONDS = 1e6
_OUTCOMES: Mapping[int, Outcome] = {
    ExitStatus.AS_EXPECTED: "as expected",
    ExitStatus.OTHERWISE: "otherwise",
    ExitStatus.INCONCLUSIVE: "inconclusive",
    ExitStatus.REFUSED: "refused",
    ExitStatus.NOTHING: "refused",
}
_AGAIN: tuple[Outcome, ...] = ("broken", "refused")
"""What says nothing of Gatekeeper, and is run again when a night is resumed."""


@dataclass(frozen=True)
class Room:
    """What a machine has for clusters, measured while none of the night's runs; `most` is the user's limit."""

    free_mib: int
    cores: int
    inotify_instances: int | None
    most: int | None = None

    @classmethod
    def now(cls, most: int | None = None) -> "Room":
        """Return what this machine has."""
        instances = HostQuirks.detect().inotify_instances
        return cls(available_mib() or 0, os.cpu_count() or 1, instances, most)

    def slots(self, shapes: Sequence[Shape]) -> int:
        """Return how many clusters fit at once, if all are as large as the largest of these shapes; at least 1."""
        fitting = [
            count_fitting(shape, free_mib=self.free_mib, cores=self.cores, inotify_instances=self.inotify_instances)
            for shape in shapes
        ]
        return max(1, min([*fitting, *([self.most] if self.most else [])], default=1))


@dataclass
class Night:
    """What a night needs to run its cells.

    `command` runs scenarios; `extra` are options for each of its runs. `judged` reads the claims that a run left in
    its folder. `past` are earlier nights. `clusters` are those that cells share. `budget` is in seconds, None: no
    limit.
    """

    folder: Path
    ledger: Ledger
    past: Mapping[str, PastCell]
    command: Sequence[str]
    judged: Callable[[Path], Sequence[JudgedLine]]
    say: Callable[[str], None]
    room: Room
    clusters: NightClusters
    extra: Sequence[str] = ()
    budget: float | None = None
    _processes: set["subprocess.Popen[bytes]"] = field(default_factory=set)
    _stopped: bool = False

    def run(self, planned: Sequence[PlannedCell]) -> None:
        """Run the cells in their order, and repeat those that flip; what the budget has no time for stays.

        Repeats of a cell that no earlier night has run come after all other cells: an expectation that nobody has seen
        may be wrong, and is no reason to leave out what was planned.

        No cluster stands afterwards, however it ends. Raises HarnessError if the ledger cannot be written,
        KeyboardInterrupt after the cells that ran were stopped.
        """
        self._remove_clusters()  # those of a night that was killed
        with end_uninterrupted(self._remove_clusters, "remove the clusters that cells shared", _EMPTY_SECONDS):
            self._run_all(planned)

    def _run_all(self, planned: Sequence[PlannedCell]) -> None:
        begun = time.monotonic()
        queue = sorted((each for each in planned if self._missing(each)), key=self._is_last)
        running: dict[Future[Ended], PlannedCell] = {}
        with ThreadPoolExecutor(max_workers=max(1, len(planned))) as pool:
            try:
                while queue or running:
                    while (following := self._next(queue, list(running.values()), begun)) is not None:
                        queue.remove(following)
                        self.say(f"{following.cell.id}: begins, about {following.seconds / 60:.0f} minutes")
                        running[pool.submit(self._run, following, self._attempt(following))] = following
                    if not running:
                        return
                    done, _ = wait(running, timeout=_SECONDS, return_when=FIRST_COMPLETED)
                    for each in done:
                        again = self._ended(each.result(), running.pop(each))
                        queue = sorted([*again, *queue], key=self._is_last)
                    self._remove_clusters(each for each in (*queue, *running.values()) if self._shares(each))
            except BaseException:
                self._stop()
                raise

    def _missing(self, planned: PlannedCell) -> bool:
        runs = self.ledger.runs(planned.cell.id)
        return all(run.outcome in _AGAIN for run in runs) or self._repeats(planned, runs)

    def _repeats(self, planned: PlannedCell, runs: Sequence[Ended]) -> bool:
        """Whether a cell is to be run once more because it flips, and its rate is not known yet."""
        head = self.ledger.head
        repeats = sum(run.repeat for run in runs)
        return flips(runs, self._before(planned)) and repeats < repeats_needed(head.confidence, head.width)

    def _next(self, queue: Sequence[PlannedCell], running: Sequence[PlannedCell], begun: float) -> PlannedCell | None:
        """Return the first cell that there is time for, if there is room for it, too."""
        left = float("inf") if self.budget is None else self.budget - (time.monotonic() - begun)
        chosen = next((each for each in queue if self._seconds(each) <= left), None)
        if chosen is None or self._stopped or not self._disk_takes_more():
            return None
        shapes = [each.cell.shape for each in (*running, chosen)]
        return chosen if len(running) < self.room.slots(shapes) else None

    def _seconds(self, planned: PlannedCell) -> float:
        return planned.new_seconds if self._is_repeat(planned) else planned.seconds

    def _is_repeat(self, planned: PlannedCell) -> bool:
        """Whether the next run of a cell is one to know its rate."""
        return any(run.outcome not in _AGAIN for run in self.ledger.runs(planned.cell.id))

    def _is_last(self, planned: PlannedCell) -> bool:
        """Whether the next run of a cell waits for all others: a repeat, and no earlier night has run the cell."""
        return self._is_repeat(planned) and not self._before(planned)

    def _before(self, planned: PlannedCell) -> set[Outcome]:
        """Return what a cell came to in the last night that ran it."""
        return self.past.get(planned.cell.id, PastCell()).last

    def _shares(self, planned: PlannedCell) -> bool:
        """Whether the next run of a cell shares its cluster with others: what comes out in a repeat is its own."""
        return planned.cluster != "own" and not self._is_repeat(planned)

    def _remove_clusters(self, waiting: Iterable[PlannedCell] = ()) -> None:
        """Remove the clusters that no cell waits for; tell if they stand."""
        try:
            self.clusters.keep_only({each.cell.shape.slug for each in waiting})
        except HarnessError as error:
            self._note(f"clusters that cells shared still stand: {error}; `{command_line('gc')}` removes them")

    def _disk_takes_more(self) -> bool:
        free = shutil.disk_usage(self.folder).free // 2**20
        if free < _LEAST_FREE_MIB and not self._stopped:
            self._stopped = True
            self._note(
                f"the disk of {self.folder} has {free} MiB free, and a night needs {_LEAST_FREE_MIB}: no further cell "
                f"begins; see `df {self.folder}`, then resume it",
                broken=True,
            )
        return not self._stopped

    def _attempt(self, planned: PlannedCell) -> int:
        return len(self.ledger.runs(planned.cell.id)) + 1

    def _run(self, planned: PlannedCell, attempt: int) -> Ended:
        """Run a cell to its end, in a thread of its own."""
        cell = planned.cell
        folder = self._new_folder(cell)
        seed = (self.ledger.head.seed + attempt - 1) % 2**32
        shares = self._shares(planned)
        words = [*self.command, cell.argument, *_options(cell), f"{OPTION}seed", str(seed), *self.extra]
        words += self.clusters.options if shares else []
        words += ["--alluredir", str(folder / "results")]
        wall, steady = time.time(), time.monotonic()
        status, reason = self._wait(words, folder, planned)
        seconds, ended = time.monotonic() - steady, time.time()
        jumped = ended - wall - seconds
        claims = tuple(self.judged(folder))
        outcome = _OUTCOMES.get(status, "broken")
        if outcome in ("as expected", "otherwise") and not claims:
            outcome, reason = "broken", f"ended with status {status}, and left no verdict"
        cluster = cluster_of(folder)
        return Ended(
            cell=cell.id,
            attempt=attempt,
            repeat=self._is_repeat(planned),
            outcome=outcome,
            status=status,
            seconds=round(seconds, 3),
            begun=wall,
            ended=ended,
            jumped=round(jumped, 1) if abs(jumped) > JUMP_SECONDS else 0.0,
            seed=seed,
            folder=folder.name,
            reason=reason,
            cluster=cluster,
            used=bool(cluster) and any(run.cluster == cluster for run in self.ledger.runs()),
            clean=went_back(cluster) if shares and cluster else None,
            claims=claims,
        )

    def _wait(self, words: Sequence[str], folder: Path, planned: PlannedCell) -> tuple[int, str]:
        """Return the status of a run, and why it is none of a verdict; a run that does not end is ended."""
        log = private.directory(folder / "experiments") / "run.log"
        most = max(planned.seconds * _PATIENCE, planned.seconds + _PATIENCE_SECONDS)
        deadline = Deadline.after(most, f"{planned.cell.id} to end")
        with log.open("wb") as output:
            try:
                with start_command(words, subprocess.DEVNULL, output, subprocess.STDOUT) as process:
                    self._processes.add(process)
                    try:
                        status = process.wait(deadline.remaining)
                    except subprocess.TimeoutExpired:
                        raise deadline.error(f"see {log}") from None
                    finally:
                        self._processes.discard(process)
            except DeadlineExceeded as error:
                return int(ExitStatus.BROKEN), str(error)
        told = "" if status in (ExitStatus.AS_EXPECTED, ExitStatus.OTHERWISE) else f"status {status}; see {log}"
        return status, told

    def _ended(self, ended: Ended, planned: PlannedCell) -> list[PlannedCell]:
        """Note how a run ended; return what is to be run next because of it."""
        self.ledger.add(ended)
        self.say(
            f"{ended.cell}: {ended.outcome}, {ended.seconds / 60:.1f} minutes{f'; {ended.reason}' * bool(ended.reason)}"
        )
        if ended.jumped:
            self._note(f"the clock was set by {ended.jumped:+.0f} s, or the machine slept, during {ended.cell}")
        again = not self._stopped and self._repeats(planned, self.ledger.runs(ended.cell))
        return [planned] if again and ended.outcome not in _AGAIN else []

    def _new_folder(self, cell: Cell) -> Path:
        """Return the folder of a run, which is new: one that was killed left its own."""
        there = sum(1 for _ in self.folder.glob(f"{cell.folder}.*"))
        return private.directory(self.folder / f"{cell.folder}.{there + 1}")

    def _note(self, words: str, *, broken: bool = False) -> None:
        self.say(words)
        self.ledger.add(Note(at=time.time(), words=words, broken=broken))

    def _stop(self) -> None:
        """Let the runs heal and remove what they made, as after Ctrl-C, and end those that do not."""
        self._stopped = True
        processes = list(self._processes)
        deadline = Deadline.after(_STOP_SECONDS, "the runs of the night to end")
        with announce_cleanup(f"{len(processes)} runs remove their clusters", _STOP_SECONDS):
            for process in processes:
                process.send_signal(signal.SIGINT)
            for _ in deadline.attempts():
                if all(process.poll() is not None for process in processes):
                    break
            end_all()


def _options(cell: Cell) -> list[str]:
    words = [word for name, value in cell.options.items() for word in (f"{OPTION}{name}", value)]
    return [*words, f"{OPTION}values", str(cell.values)] if cell.values else words
