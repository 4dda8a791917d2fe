"""Life: one fault from its injection to the proof that it is healed, in a process that stops itself at one moment."""

import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.crashtest.moments import Moment, Stop, WatchedInjection, WatchedJournal
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.experiment.healing import take_back
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import inject_fault, observe_fault
from chaos_harness.harness.history import HistoryWriter

__all__ = ["live"]

_PROVE_SECONDS = 45.0


def live(cluster: Cluster, fault: str, values: Mapping[str, Any], moment: Moment, journal: Path) -> int:
    """Have a fault of the catalogue do its harm, prove it, take it back and prove that; stop at the moment.

    What happens is printed, a line of JSON for each: `journal`, the file's path; `moment`, before it stops there;
    `proved` and `healed`, with the seconds that took, proof included; `problem`, with what went wrong. Return 0, or 1
    after a problem.
    """
    _tell(journal=str(journal))
    made: Fault = entries("fault")[fault].make(values)
    stop = Stop(moment, lambda reached: _tell(moment=reached))
    opened, history = WatchedJournal(journal, stop), HistoryWriter(journal.with_name("history.jsonl"))
    injection = WatchedInjection(cluster, opened, history, stop)
    try:
        began = time.monotonic()
        if made.healed is ONE_SHOT:
            stop.when_under_way("harming", requests_only=True)
        try:
            inject_fault(made, injection)
            stop.watch_no_longer()
            proved_within = Deadline.after(getattr(made, "proved_within", _PROVE_SECONDS), f"the proof of {made.name}")
            proof = observe_fault(made, cluster, proved_within)
        except HarnessError as error:
            _tell(problem=str(error))
            injection.heal()
            return 1
        _tell(proved=time.monotonic() - began, proof=proof)
        stop.reach("lasting")
        stop.when_under_way("undoing")
        began = time.monotonic()
        healed, said = take_back(made, injection, history, "crash test", None, proved=True)
        _tell(**({"healed": time.monotonic() - began} if healed else {"problem": f"not healed: {said}"}))
    except HarnessError as error:
        _tell(problem=str(error))
        return 1
    finally:
        with suppress(HarnessError):
            opened.close()
        history.close()
    return 0 if healed else 1


def _tell(**facts: Any) -> None:
    sys.stdout.write(f"{json.dumps(facts)}\n")
    sys.stdout.flush()
