"""Creation: brings up a cluster by named actions, and removes what it made if one of them fails."""

import contextlib
from pathlib import Path

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.creation.builder import ClusterBuilder
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import RUN, remove_all
from chaos_harness.clusters.errors import BadScenario, ClusterUnavailable, EngineUnavailable, HarnessError
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.kind.cli import KindCli
from chaos_harness.clusters.kind.logs import LogKeeper, likely_cause
from chaos_harness.clusters.machine.memory import available_mib
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.clusters.machine.scratch import hold_folder
from chaos_harness.clusters.machine.signals import defer_interrupts
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.escape import first_line
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["create", "delete"]

_DELETE_SECONDS, _KIND_SECONDS, _LOGS_SECONDS, _ABANDON_SECONDS = 120.0, 120.0, 180.0, 75.0


def create(
    engine: Engine,
    images: Images,
    shape: Shape,
    owner: Owner,
    directory: Path,
    progress: Progress,
    *,
    keep: bool = False,
    logs: LogKeeper | None = None,
) -> Cluster:
    """Create a cluster of `shape`, wait until Gatekeeper serves on it, and return it.

    The cluster's private files (kubeconfig, kind's configuration) are written below `directory`, the run's own one
    (`Owner.claim`). If an action fails or this process is interrupted, everything made so far is removed, unless
    `keep`. The logs of a failure are kept in `logs`, by default below the run's directory.

    Raises BadScenario (not enough memory, or Gatekeeper cannot start), ClusterUnavailable with the action's name and
    the folder of the logs, EngineUnavailable if the engine stopped answering.
    """
    _require_memory(engine, shape)
    site = ClusterBuilder(engine, images, shape, owner, directory, keep=keep)
    with progress.group(f"create {site.name}"):
        return _create(site, progress, logs or LogKeeper(directory / "logs"), keep=keep)


def _create(site: ClusterBuilder, progress: Progress, logs: LogKeeper, *, keep: bool) -> Cluster:
    action = "prepare"
    try:
        for action, work in site.actions():
            with progress.step(action):
                work()
    except (HarnessError, OSError) as error:
        with defer_interrupts(
            f"keep the logs of {site.name} and remove it", _ABANDON_SECONDS + _LOGS_SECONDS + _DELETE_SECONDS
        ):
            failure = _handle_failure(site, action, error, progress, logs, keep=keep)
        raise failure from error
    except BaseException:
        with defer_interrupts(f"remove the unfinished cluster {site.name}", _ABANDON_SECONDS + _DELETE_SECONDS):
            for problem in site.abandon():
                progress.say(f" ! {problem}")
            if not keep:
                with progress.step(f"remove the unfinished cluster {site.name}"):
                    site.remove()
        raise
    return site.cluster


def delete(cluster: Cluster) -> None:
    """Remove a cluster and everything that belongs to it: containers, volumes, network, kubeconfig.

    Parts that are missing already are no error. Raises CommandFailed if the engine refuses.
    """
    what = f"the removal of cluster {cluster.name}"
    # What kind cannot remove goes below, where it is known what may keep a node from dying.
    with contextlib.suppress(HarnessError, OSError):
        KindCli(cluster.engine, cluster.name, cluster.directory).delete(Deadline.after(_KIND_SECONDS, what))
    remove_all(cluster.engine, Deadline.after(_DELETE_SECONDS, what), cluster=cluster.name)
    remove_folder(cluster.directory)


def _require_memory(engine: Engine, shape: Shape) -> None:
    """Raise BadScenario if the shape does not fit; of another kernel, such as Docker Desktop's, only all is known."""
    free = available_mib() if engine.traits.of_this_kernel else engine.traits.memory_mib or None
    if free is not None and free < shape.memory_mib:
        raise BadScenario(
            f"shape {shape.slug} needs about {shape.memory_mib} MiB of memory, {free} MiB are available: "
            f"use fewer workers (--workers), or free some; `{command_line('gc')}` removes what dead runs hold"
        )


def _handle_failure(
    site: ClusterBuilder, action: str, error: Exception, progress: Progress, logs: LogKeeper, *, keep: bool
) -> ClusterUnavailable:
    """Keep the logs, remove everything else unless `keep`, and return the error to raise."""
    lines = [f"cluster {site.name}: could not {action}: {error}", *site.abandon()]
    if not site.answers():
        remedy = (
            f"what was made carries the label {RUN}; `{command_line('gc')}` removes it when an engine answers again"
        )
        return EngineUnavailable("\n".join([*lines, f"the engine does not answer any more; {remedy}"]))
    target, missing = logs.folder / site.name, list[str]()
    cause: str | None = None
    with progress.step("keep the logs"):
        try:
            with hold_folder("logs") as raw:
                missing = site.collect_logs(raw)
                target, lost = logs.keep(raw, site.name)
            missing += lost
            cause = likely_cause(target)
        except (HarnessError, OSError) as error_of_disk:
            missing = [f"{error_of_disk}"]
    lines += [f"likely cause: {cause}"] if cause is not None else []
    lines += [f"logs: {target}", *(f"  without: {first_line(lack)}" for lack in missing)]
    if keep:
        lines.append(f"kept as it is: {', '.join(site.parts())}; `{command_line('gc --')} --all` removes it")
    else:
        with progress.step(f"remove the unfinished cluster {site.name}"):
            try:
                site.remove()
            except HarnessError as error_of_removal:
                lines.append(f"not all of it could be removed: {error_of_removal}; `{command_line('gc')}` tries again")
    return ClusterUnavailable("\n".join(lines))
