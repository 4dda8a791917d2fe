"""Registry log: copies the registry's log into the history."""

from datetime import UTC, datetime
from functools import partial

from chaos_harness.clusters.registry.container import Registry
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import READ, REGISTRY, REQUEST
from chaos_harness.harness.probes import Probe

__all__ = ["follow_registry"]


def follow_registry(registry: Registry, history: HistoryWriter, *, every: float = 2.0) -> Probe:
    """Return a probe that reads the registry's log every `every` seconds, also while the registry is stopped.

    Each request is an entry `info request` with `time` (unix seconds by the engine's clock, when it was answered),
    `method`, `path`, `status` and `remote`. `ok read` follows: up to this moment the log is copied.
    """
    return Probe("registry log", partial(_follow, registry, history, every), late_after=30.0, settles="last")


def _follow(registry: Registry, history: HistoryWriter, every: float, probe: Probe) -> None:
    since = datetime.now(UTC)
    written: set[object] = set()
    for _ in probe.every(every):
        began = datetime.now(UTC)
        try:
            lines = registry.log(since)
        except HarnessError as error:
            history.append("info", REGISTRY, READ, {"said": str(error)})
            continue
        for line in lines:
            if line not in written:
                value = {"method": line.method, "path": line.path, "status": line.status, "remote": line.remote}
                history.append("info", REGISTRY, REQUEST, {"time": line.time.timestamp(), **value})
        history.append("ok", REGISTRY, READ, {"until": began.timestamp()})
        written = set(lines)  # `since` is inclusive, so that the last ones come again
        since = max((line.time for line in lines), default=since)
