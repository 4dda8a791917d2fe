"""Host changes: undoes changes to this machine whose engine, installation or process no longer exists.

Live holders keep their changes, so `heal` may be called at any time; `nox -s gc` calls it at its end.
"""

import os
from pathlib import Path

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.engine import firewall, limits, packages, processes
from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine import apt, scratch, traces
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.machine.traces import CHAIN, SYSCTL, Trace
from chaos_harness.clusters.machine.try_all import raise_first

__all__ = ["heal", "put_back"]


def heal() -> list[str]:
    """Undo every change that is no longer needed, and return them as text; without root, only this user's own.

    That is: a policy that keeps services from starting, and units enabled at boot, of an apt that has ended; sysctls
    and rules of an engine that does not run; folders of processes that have ended, some with credentials. All parts are
    tried. Raises HarnessError if something cannot be undone, after everything else was.
    """
    healed, problems = [], []
    for part in (scratch.remove_abandoned, *((apt.heal, packages.heal, _engines) if os.geteuid() == 0 else ())):
        try:
            healed += part()
        except (HarnessError, OSError) as error:
            problems.append(str(error))
    if problems:
        raise HarnessError(
            "\n".join(
                [
                    "some changes to this machine could not be undone:",
                    *problems,
                    f"`{command_line('gc')}` tries again",
                ]
            )
        )
    return healed


def put_back(layout: Layout) -> list[str]:
    """Undo the changes for the engine at `layout`, which does not run, and return them as text."""
    return traces.put_back(str(layout.run), _undo)


def _engines() -> list[str]:
    healed, errors = [], []
    holders = [trace.holder for trace in traces.pending() if trace.kind in (SYSCTL, CHAIN)]
    for holder in dict.fromkeys(holders):
        try:
            healed += _of_dead_engine(Layout("", Path(holder), Path(holder)))
        except (HarnessError, OSError) as error:
            errors.append(error)
    raise_first(errors)
    return healed


def _of_dead_engine(layout: Layout) -> list[str]:
    if not layout.run.is_dir():
        return put_back(layout)
    with try_lock(str(layout.lock)) as free:
        return put_back(layout) if free and not processes.running(layout) else []


def _undo(trace: Trace) -> bool:
    if trace.kind == SYSCTL:
        return limits.restore(trace)
    firewall.remove(trace.name)
    return True
