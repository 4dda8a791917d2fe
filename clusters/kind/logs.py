"""Logs: collects the logs of a cluster that did not come up, and names the likely cause."""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import inventory
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.kind.cli import OUTPUT, KindCli

__all__ = ["LogKeeper", "collect_logs", "likely_cause"]

_SECONDS = 120.0

_NO_REJECT = (
    "the kernel of the engine has no iptables target REJECT, without which no kubelet starts here and no kube-proxy "
    "works: `modprobe ipt_REJECT`; on RHEL and its relatives first `dnf install kernel-modules-extra`"
)

_CAUSES = {
    "inotify_init: too many open files": (
        "inotify instances are used up: `sysctl fs.inotify.max_user_instances=1024`, or fewer clusters at once"
    ),
    "port is already allocated": "another program took the port in this moment: run it again",
    "address already in use": "another program took the port in this moment: run it again",
    "Extension REJECT revision 0 not supported, missing kernel module": _NO_REJECT,
    "no space left on device": f"a disk is full: `docker system df`, `{command_line('gc')}`",
    "failed to pull image": (
        f"an image is not here and cannot be pulled: `{command_line('doctor')}` tells what is reachable"
    ),
}
"""Text in a log → what it means, on a machine where clusters came up before."""


@dataclass(frozen=True)
class LogKeeper:
    """Keeps the logs of failed clusters, a folder for each."""

    folder: Path
    write: Callable[[Path, bytes], object] = Path.write_bytes
    """Writes a file as it may stay: kind exports all there is, a node's environment and static pods, too."""

    def keep(self, raw: Path, name: str) -> tuple[Path, list[str]]:
        """Copy the files below `raw` for the cluster `name`; return its folder, and what could not be written."""
        target, missing = self.folder / name, list[str]()
        try:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in sorted(file for file in raw.rglob("*") if file.is_file() and not file.is_symlink()):
                into = target / path.relative_to(raw)
                try:
                    into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    self.write(into, path.read_bytes())
                except OSError as error:
                    missing.append(f"{into.relative_to(target)}: {error}")
        except OSError as error:
            missing.append(str(error))
        return target, missing


def collect_logs(engine: Engine, kind: KindCli, name: str, target: Path) -> list[str]:
    """Write kind's output, its export of the nodes and each container's log below `target`, secrets included.

    Returns what could not be collected: a broken cluster lacks some logs, and a missing log must not hide the failure
    that it is needed for.
    """
    deadline = Deadline.after(_SECONDS, f"the logs of cluster {name}")
    target.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):  # kind was not run yet
        shutil.copy(kind.kubeconfig.with_name(OUTPUT), target)
    missing = []
    try:
        containers = [thing for thing in inventory(engine, deadline, cluster=name) if thing.kind == "container"]
        for container in containers:
            with (target / f"{container.name}.log").open("wb") as file:
                engine.run(["logs", container.id], deadline, check=False, stdout=file)
        if any("io.x-k8s.kind.cluster" in container.labels for container in containers):
            why = kind.export_logs(target / "nodes", deadline)
            missing += [] if why is None else [why]
    except HarnessError as error:
        missing.append(str(error))
    return missing


def likely_cause(target: Path) -> str | None:
    """Return the likely cause in the logs below `target`, with the command that fixes it; or None."""
    for path in sorted(target.rglob("*.log")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for said, meaning in _CAUSES.items():
            if said in text:
                return f"{path} says {said!r}: {meaning}"
    return None
