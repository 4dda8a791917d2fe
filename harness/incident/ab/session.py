"""Session: makes the runs of a comparison that are not made yet, and keeps a bundle of each."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.clusters.terminal.escape import first_line
from chaos_harness.harness import private
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.incident.ab.arms import Label
from chaos_harness.harness.incident.ab.ledger import Ledger
from chaos_harness.harness.incident.ab.order import Slot, slots
from chaos_harness.harness.incident.bundle import write
from chaos_harness.harness.incident.load import LoadedIncident

__all__ = ["make_runs"]

_MOST_BROKEN = 3
"""After so many runs in a row that broke there is no other: the machine, or the engine, has a problem."""

Incidents = Mapping[Label, Sequence[LoadedIncident]]
"""The incidents of a comparison on the shape of each arm, in the same order."""


class Replayer(Protocol):
    """What replays an incident once, on a cluster: `harness.incident.replay.runner.Runner`."""

    environment: dict[str, str]
    images: dict[str, str]

    def run(self, loaded: LoadedIncident, seed: int) -> tuple[write.Replay, Path]:
        """Return how the run ended, and the directory with its history."""


def make_runs(
    ledger: Ledger, incidents: Incidents, runner: Replayer, folder: Path, say: Callable[[str], object]
) -> None:
    """Make each run that the ledger does not have, in order, and keep its bundle below `folder`, by its arm.

    Raises HarnessError after three runs in a row that broke.
    """
    whole = list(slots(ledger.head.pairs, len(ledger.head.files), ledger.head.seed))
    broken = 0
    for slot in (slot for slot in whole if not ledger.has(slot)):
        loaded = incidents[slot.arm][slot.incident].seeded(slot.seed)
        where = f"run {slot.number} of {len(whole)}, pair {slot.pair}, {slot.arm}: {loaded.name}"
        say(where)
        replay, directory = runner.run(loaded, slot.seed)
        _keep(slot, loaded, (replay, directory), runner, folder)
        ledger.note(slot, replay)
        say(f"{where}: {replay.seen}, {replay.seconds:.0f} s{f': {first_line(replay.error)}' if replay.error else ''}")
        broken = broken + 1 if replay.reason == "broken" else 0
        if broken == _MOST_BROKEN:
            why = first_line(replay.error)
            raise HarnessError(f"{_MOST_BROKEN} runs in a row broke, which says nothing of Gatekeeper; the last: {why}")


def _keep(slot: Slot, loaded: LoadedIncident, run: tuple[write.Replay, Path], runner: Replayer, folder: Path) -> None:
    """Write the bundle of a run as one file, in the place of one that a process left that was killed meanwhile."""
    _, directory = run
    target = directory.with_name(f"bundle-{directory.name}")
    whole = write.write(
        target, loaded, seed=slot.seed, runs=[run], environment=runner.environment, images=runner.images
    )
    try:
        whole.replace(private.directory(folder / slot.arm) / f"{slot.number:03}-{loaded.name}.zip")
    except OSError as error:
        raise HarnessError(f"{whole}: cannot be kept in {folder}: {error.strerror}; see `df {folder}`") from error
    for used in (target, directory):
        try_remove_folder(used)
