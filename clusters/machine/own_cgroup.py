"""Own cgroup: lets an engine in a container make groups with limits, where the container has cgroup v2 of its own."""

import contextlib
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import HarnessError

__all__ = ["hand_down_controllers"]

_ROOT = Path("/sys/fs/cgroup")
_SECONDS = 10.0


def hand_down_controllers(root: Path = _ROOT) -> bool:
    """Let groups below the group `root` have all its controllers; return whether that was needed.

    A group with processes in it cannot hand controllers down, but for that of the whole machine, so that they go into
    one of their own: "no internal processes" of https://docs.kernel.org/admin-guide/cgroup-v2.html. As docker:dind does
    it. On cgroup v1, and outside of containers, nothing is done. Raises HarnessError.
    """
    if not (root / "cgroup.type").exists():  # only the machine's own has none
        return False
    wanted = (root / "cgroup.controllers").read_text(encoding="ascii").split()
    processes = root / "init"
    try:
        processes.mkdir(exist_ok=True)
        for _ in Deadline.after(_SECONDS, f"controllers in {root}").attempts():
            _move(root / "cgroup.procs", processes / "cgroup.procs")
            with contextlib.suppress(OSError):  # another process was started meanwhile
                (root / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted))
                return True
    except OSError as error:
        raise HarnessError(f"{root}: {error.strerror}; an engine in a container needs it to be privileged") from error
    raise HarnessError(f"{root}: its processes could not be moved to {processes}; is the container privileged?")


def _move(here: Path, there: Path) -> None:
    for process in here.read_text(encoding="ascii").split():
        with contextlib.suppress(ProcessLookupError):
            there.write_text(process)
