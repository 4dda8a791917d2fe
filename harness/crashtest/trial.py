"""Trial: lives one fault in a process of its own, kills that at the moment, collects garbage, and compares."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.machine.guardian import find_guardian
from chaos_harness.clusters.machine.process import start_command
from chaos_harness.clusters.pool.deviations import Fingerprint
from chaos_harness.harness import __version__
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.crashtest.comparison import Compared, compare
from chaos_harness.harness.crashtest.ledger import Trial, TrialKey, TrialOutcome
from chaos_harness.harness.crashtest.moments import UNDER_WAY, Moment
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.faults.leaves import Leave, leaves_of
from chaos_harness.harness.redaction import redact
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal

__all__ = ["Place", "run_trial"]

_LIFE_SECONDS = 900.0
_UNDER_WAY_SECONDS = 0.2
"""How long a command or request that was started goes on before the kill."""

_BYTES = 65536
_SHOWN = 1000


@dataclass(frozen=True)
class Place:
    """Where trials are made.

    `ready` brings what samples need about, waits until all is at rest, and returns the names that a sample's references
    stand for, put into its values. `look` takes the fingerprint. `child` is the command that lives a fault, by its
    name, values and moment. `collect` collects garbage. `settle_seconds` is how long it may take until nothing differs;
    `bite_seconds` how long a difference must stay where undos are no-ops.
    """

    cluster: str
    engine: Engine
    ready: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    look: Callable[[], Fingerprint]
    child: Callable[[str, Mapping[str, Any], Moment], Sequence[str]]
    collect: Callable[[], None]
    work: Path
    settle_seconds: float = 180.0
    bite_seconds: float = 15.0


@dataclass
class _Told:
    """What the process that lives a fault has said."""

    facts: dict[str, Any] = field(default_factory=dict)
    reached: bool = False


def run_trial(key: TrialKey, fault: str, values: Mapping[str, Any], place: Place) -> tuple[Trial, bool]:
    """Make one trial; return it, and whether the cluster is as it was before.

    HarnessError and OSError of the trial itself make it "broken".
    """
    try:
        named = place.ready(values)
        leaves = leaves_of(entries("fault")[fault].make(named))
        return _tried(key, fault, named, place, leaves)
    except (HarnessError, OSError) as error:
        return _ended(key, place, "broken", said=redact(str(error))[:_SHOWN]), False


def _tried(
    key: TrialKey, fault: str, named: Mapping[str, Any], place: Place, leaves: Sequence[Leave]
) -> tuple[Trial, bool]:
    before = place.look()
    told = _live(place, place.child(fault, named, key.moment), key)
    path = Path(told.facts["journal"]) if "journal" in told.facts else None
    kept = _without_undo(path, place.work) if path and told.reached and key.variant == "no undo" else None
    ended = time.monotonic()
    uncollected = _collect(place)
    compared, settled = _settle(place, before, leaves, to_zero=kept is None)
    differences = (*uncollected, *(redact(str(deviation)) for deviation in compared.differences))
    outcome: TrialOutcome = "differs" if differences else "zero"
    if "problem" in told.facts:
        outcome = "not proved" if outcome == "zero" else outcome
    elif not told.reached and key.moment != "unkilled":
        outcome = "not reached" if outcome == "zero" else outcome
    trial = _ended(
        key,
        place,
        outcome,
        differences=differences,
        left=tuple((redact(str(deviation)), leave.words) for deviation, leave in compared.left),
        declared=tuple(dict.fromkeys(leave.words for leave in leaves)),
        proved=told.facts.get("proved"),
        healed=told.facts.get("healed"),
        collected=settled - ended if told.reached and not differences else None,
        said=redact(str(told.facts.get("problem", "")))[:_SHOWN],
    )
    if kept is None:
        return trial, not differences
    journal.replay(kept, place.engine)
    again, _ = _settle(place, before, leaves, to_zero=True)
    return trial, not again.differences


def _collect(place: Place) -> tuple[str, ...]:
    """Collect garbage; return what was said if that failed, for then something is left."""
    try:
        place.collect()
    except HarnessError as error:
        return (f"garbage was not collected: {redact(str(error))[:_SHOWN]}",)
    return ()


def _ended(key: TrialKey, place: Place, outcome: TrialOutcome, **facts: Any) -> Trial:
    return Trial(key=key, outcome=outcome, cluster=place.cluster, harness=__version__, **facts)


def _live(place: Place, command: Sequence[str], key: TrialKey) -> _Told:
    """Run the process to the moment, and kill it there; one that does not get there runs to its end."""
    told = _Told()
    deadline = Deadline.after(_LIFE_SECONDS, f"a fault to be lived to the moment {key.moment}")
    with (place.work / "child.txt").open("w+b") as errors:
        with start_command(list(command), subprocess.DEVNULL, subprocess.PIPE, errors) as process:
            for line in _lines(process, deadline):
                told.facts |= line
                if line.get("moment") == key.moment:
                    told.reached = _kill(process, key, deadline)
                    break
            process.wait(deadline.remaining)
        if not told.facts:
            errors.seek(0)
            raise HarnessError(f"the process that lives the fault said nothing: {errors.read()[-_SHOWN:].decode()}")
    return told


def _lines(process: "subprocess.Popen[bytes]", deadline: Deadline) -> Iterator[dict[str, Any]]:
    assert process.stdout
    said, unfinished = process.stdout.fileno(), b""
    while wait([said], deadline.remaining):
        part = os.read(said, _BYTES)
        if not part:
            return
        *lines, unfinished = (unfinished + part).split(b"\n")
        yield from map(json.loads, lines)
    raise deadline.error()


def _kill(process: "subprocess.Popen[bytes]", key: TrialKey, deadline: Deadline) -> bool:
    """Wait until the process has stopped itself, and kill it, and only it, but for its guardian if that is wanted.

    Return whether all that was to be killed was there.
    """
    for _ in deadline.attempts(first=0.005, most=0.05):
        state = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        if state in ("T", "t"):
            break
    guardian = find_guardian(process.pid) if key.variant == "guardian" else None
    if guardian:
        os.kill(guardian, signal.SIGKILL)
    if key.moment in UNDER_WAY:
        deadline.pause(_UNDER_WAY_SECONDS)
    process.send_signal(signal.SIGKILL)
    return bool(guardian) or key.variant != "guardian"


def _without_undo(path: Path, work: Path) -> Path:
    """Note all undos of a journal as done, as if they were no-ops; return a copy in which they are not."""
    copy = work / "journal-kept.jsonl"
    shutil.copyfile(path, copy)
    written = Journal(path)
    try:
        for action in {undo.action for undo in journal.pending(path)}:
            for number in written.pending_with(action):
                written.done(number)
    finally:
        written.close()
    return copy


def _settle(place: Place, before: Fingerprint, leaves: Sequence[Leave], *, to_zero: bool) -> tuple[Compared, float]:
    """Compare until nothing differs; if that is not what is wanted (`to_zero`), for as long as differences must stay.

    Return the last comparison, and when it was made.
    """
    seconds = place.settle_seconds if to_zero else place.bite_seconds
    compared, last = Compared(), None
    for _ in Deadline.after(seconds, "nothing to differ").attempts(first=1.0, most=10.0):
        last = None
        began = time.monotonic()
        with suppress(HarnessError):
            last = compared = compare(before, place.look(), leaves)
            if not compared.differences:
                return compared, began
    if last is None:
        compared = compare(before, place.look(), leaves)
    return compared, time.monotonic()
