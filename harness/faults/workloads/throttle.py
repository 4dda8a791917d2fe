"""Throttle: the fault that limits the CPU of containers, like a busy node or a small limit."""

from typing import TYPE_CHECKING

from chaos_harness.clusters.api.label_selectors import Selector, require_selector
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.targets import find_pods
from chaos_harness.harness.faults.workloads.cgroups import CGROUP
from chaos_harness.harness.faults.workloads.kill_containers import find_processes
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import run_in_container

if TYPE_CHECKING:
    from chaos_harness.harness.undo.promises import RegisteredUndo

__all__ = ["throttle", "unthrottle"]

_SECONDS = 30.0
_PERIOD_MICROSECONDS = 100_000
_V2 = "cpu.max"
# Prints the file that limits a process's cgroup, and what it says.
_LIMIT_OF = (
    CGROUP
    + r"""
folder=$(cgroup "$1")
file=$folder/cpu.max
[ -f "$file" ] || file=$folder/cpu.cfs_quota_us
echo "$file" && cat "$file"
"""
)
# Two processes of the cgroup that want a processor each for a second: how often it was held back meanwhile, of how many
# periods. `timeout` ends both in any case.
_BURN = r"""
folder=${1%/*}
count() { sed -n "s/^$1 //p" "$folder/cpu.stat"; }
held=$(count nr_throttled) periods=$(count nr_periods)
for _ in 1 2; do
    ( echo "$BASHPID" > "$folder/cgroup.procs" && exec timeout 1 bash -c 'while :; do :; done' ) &
done
wait
echo $(( $(count nr_throttled) - held )) $(( $(count nr_periods) - periods ))
"""
_WRITE = 'if [ -f "$1" ]; then echo "$2" > "$1"; fi'


def throttle(selector: Selector, cpu: float, *, namespace: str = "") -> Fault:
    """Return the fault that limits each running container of the pods that `selector` selects to `cpu` CPUs.

    They are in `namespace`, by default Gatekeeper's. The limit is written to the container's cgroup, so that nothing
    restarts. Healing restores the old limit. Raises BadScenario.
    """
    if not 0.01 <= cpu <= 1:  # noqa: PLR2004 - the kernel takes no less than 1 ms of a period of 100 ms
        raise BadScenario(f"throttle: expected 0.01 to 1 CPUs, found {cpu:g}")
    require_selector(selector)
    return _Throttle(selector, cpu, namespace)


@undo
def unthrottle(engine: Engine, *, node: str, file: str, limit: str) -> None:
    """Restore the CPU limit of a container; a container that is gone needs none."""
    done = run_in_container(engine, node, "bash", "-c", _WRITE, "write", file, limit, ended_by="stop")
    if done is not None and done.returncode:
        raise CommandFailed(f"{file} on {node} could not be set to {limit}: {done.stderr.strip()}")


class _Throttle:
    name = "throttle"

    def __init__(self, selector: str, cpu: float, namespace: str) -> None:
        self._selector = selector
        self._quota = str(round(cpu * _PERIOD_MICROSECONDS))
        self._namespace = namespace
        self._files: dict[str, tuple[str, str, RegisteredUndo]] = {}
        self._pods: dict[str, str] = {}

    def inject(self, injection: Injection) -> None:
        cluster, deadline = injection.cluster, Deadline.after(_SECONDS, f"pods {self._selector} to be throttled")
        with cluster.client() as api:
            targets = find_pods(api, self._namespace or cluster.shape.namespace, (), self._selector)
        for target in targets:
            for pid in find_processes(cluster, target, deadline):
                limited = cluster.exec(target.node, ["bash", "-c", _LIMIT_OF, "limit", pid], deadline)
                file, limit = limited.stdout.splitlines()
                others = injection.undos.standing(unthrottle, node=target.node, file=file)
                limit = others[0].arguments["limit"] if others else limit
                quota = f"{self._quota} {_PERIOD_MICROSECONDS}" if file.endswith(_V2) else self._quota
                place = {"node": target.node, "file": file, "limit": limit}
                promise = injection.undo(unthrottle, harm={"limit": quota}, **place)
                self._write(cluster, target.node, file, quota, deadline)
                self._files[file] = (target.node, quota, promise)
                self._pods[file] = target.pod

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        proofs = []
        for file, (node, quota, _) in self._files.items():
            done = cluster.exec(node, ["cat", file], deadline, check=False)
            if done.returncode:
                pod = self._pods[file]
                raise FaultNotApplied(f"faded: a container of {pod} on {node} has ended, and its limit with it")
            limit = done.stdout.strip()
            if limit != quota:
                raise FaultNotApplied(f"expected {file} on {node} to say {quota}, it says {limit}")
            proofs.append(f"{file} on {node} says {limit}; {self._prove_throttled(cluster, node, file, deadline)}")
        return "; ".join(proofs)

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Require that each container has its restored limit: the old one, or that of another throttle."""
        for file, (node, _, promise) in self._files.items():
            done = cluster.exec(node, ["cat", file], deadline, check=False)
            wanted, limit = promise.given["limit"], done.stdout.strip()
            if done.returncode == 0 and limit != wanted:
                raise FaultNotApplied(
                    f"throttle still in effect: expected {file} on {node} to be {wanted}, it is {limit}"
                )
        return f"{len(self._files)} containers have the limit that they had"

    def _write(self, cluster: Cluster, node: str, file: str, quota: str, deadline: Deadline) -> None:
        cluster.exec(node, ["bash", "-c", _WRITE, "write", file, quota], deadline)

    def _prove_throttled(self, cluster: Cluster, node: str, file: str, deadline: Deadline) -> str:
        """Return in how many periods the kernel throttled a container that wanted more; FaultNotApplied if in none."""
        periods = 0
        for _ in deadline.attempts(first=0.2):
            held, periods = map(int, cluster.exec(node, ["bash", "-c", _BURN, "burn", file], deadline).stdout.split())
            if held > 0:
                return f"throttled in {held} of {periods} periods"
        raise FaultNotApplied(
            f"expected {file} on {node} to throttle two busy processes, it did so in none of {periods} periods"
        )
