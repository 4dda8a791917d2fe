"""Pod: what a pod of an Indexed Job does: its shard of a night, from the beginning or from where another one ended."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from chaos_harness.clusters.checkout import OPTION
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.harness import __version__, private
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.nightly.ledger import FILE, Ledger
from chaos_harness.harness.nightly.order import FILES, Order
from chaos_harness.harness.nightly.session import Asked, run_night
from chaos_harness.harness.nightly.summary import Summary
from chaos_harness.harness.run.exit_status import ExitStatus

__all__ = ["INDEX", "JOB", "run_pod", "status_of_pod"]

INDEX = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in the pods of an Indexed Job, from 0 on."""
JOB = "CHAOS_JOB_UID"
"""Set by the manifest: the uid of the Job, of which there is one for each time that it is created."""

_OWNER = "job"
_FINISHED = (ExitStatus.AS_EXPECTED, ExitStatus.OTHERWISE, ExitStatus.INCONCLUSIVE, ExitStatus.NOTHING)


def run_pod(
    mounted: Path,
    order: Order,
    asked: Asked,
    own_scenarios: Path,
    prepare: Callable[[], object],
    environment: Mapping[str, str] = os.environ,
) -> tuple[Summary, Path]:
    """Run the shard of this pod, or go on with it; return its summary and its folder.

    `mounted` is the folder with the order and its files; `asked` is what a night is asked for besides what the order
    says. `prepare` makes the machine ready, before the first cell. Raises BadScenario: no pod of such a Job, another
    plan than the one that was rendered, or results of another Job.
    """
    shard = _shard(order, environment)
    folder = Path(order.results) / f"shard-{shard}"
    _claim(folder, environment.get(JOB, ""))
    here = Path.cwd() / FILES
    remove_folder(here)
    shutil.copytree(mounted / FILES, here)  # a ConfigMap's files are links, and paths would have its version in them
    prepare()
    resume = _is_begun(folder)
    asked = replace(
        asked,
        nights=Path(order.nights),
        shard=(shard, order.shards),
        budget=_left(order, folder) if resume else order.budget,
        seed=order.seed,
        jobs=order.jobs,
        only=order.only,
        shared=order.shared,
        extra=[*asked.extra, *_of_lock(order, here)],
        folder=None if order.own is None else own_scenarios / order.own,
    )
    asked.say(f"shard {shard} of {order.shards}{', which was begun before' if resume else ''}")
    return run_night(asked, here / order.matrix, folder, resume=resume, digest=order.digest), folder


def status_of_pod(summary: Summary) -> ExitStatus:
    """Return how the pod of a shard ends: with 0 if another pod would change nothing of what the shard came to.

    What Gatekeeper came to is in the results, also a false alarm, and is no failure of the pod. What broke is tried
    again, and so is a shard in which nothing could be had.
    """
    if summary.counts and not set(summary.counts) - {"refused"}:
        return ExitStatus.REFUSED
    if summary.status == ExitStatus.BROKEN and not set(summary.counts) & {"broken", "not run"}:
        return ExitStatus.AS_EXPECTED
    return ExitStatus.AS_EXPECTED if summary.status in _FINISHED else summary.status


def _shard(order: Order, environment: Mapping[str, str]) -> int:
    index = environment.get(INDEX, "")
    if not index.isdecimal() or int(index) >= order.shards:
        raise BadScenario(
            f"{INDEX}: expected a number from 0 to {order.shards - 1}, as pods of an Indexed Job have it (was "
            f"{index!r:.20})"
        )
    return int(index) + 1


def _claim(folder: Path, job: str) -> None:
    """Make the folder of a shard. Raises BadScenario if it has the results of another Job, HarnessError."""
    owner = folder / _OWNER
    try:
        private.directory(folder)
        if owner.exists() and (there := owner.read_text(encoding="utf-8").strip()) != job:
            raise BadScenario(
                f"{folder}: has the results of another Job of this name, {there[:80]}: render it anew, or give it "
                "another --name"
            )
        private.write(owner, f"{job}\n")
    except OSError as error:
        raise HarnessError(f"{folder}: cannot be written: {error.strerror}; see the volume of the Job") from error


def _is_begun(folder: Path) -> bool:
    """Whether there is a ledger to go on with; one whose node died before its first line was whole is removed."""
    ledger = folder / FILE
    if ledger.exists() and b"\n" not in ledger.read_bytes():
        ledger.unlink()
    return ledger.exists()


def _left(order: Order, folder: Path) -> float | None:
    """Return what is left of the budget of a shard that was begun before."""
    if order.budget is None:
        return None
    begun = Ledger.read(folder / FILE, __version__).head.begun
    return min(order.budget, max(0.0, order.budget - (time.time() - begun)))


def _of_lock(order: Order, here: Path) -> list[str]:
    """Return the options of a lock, for each run."""
    words = [f"{OPTION}lock", str(here / order.lock)] if order.lock else []
    return [*words, *([f"{OPTION}locked"] if order.locked else [])]
