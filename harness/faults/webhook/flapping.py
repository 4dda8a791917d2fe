"""Flapping: the fault that cuts the API server off from the webhooks for seconds at a time, again and again."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.gatekeeper.installed import WEBHOOK_PODS, WEBHOOK_PORT, pods_path, port_of
from chaos_harness.harness.errors import BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.webhook.call import DENIED, NOBODY, UNCALLED, wait_answered
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import run_in_container
from chaos_harness.harness.undo.iptables import Rule, new_comment

__all__ = ["BEGIN", "END", "LOOP", "end_flapping", "flap_webhook"]

_SECONDS = 30.0
_LEAST, _MOST = 4.0, 10.0

LOOP = """
echo $$ > "$1"
every=$2
shift 2
while iptables -w 5 -I "$@"; do
    sleep "$every"
    iptables -w 5 -D "$@"
    sleep "$every"
done
"""
"""Inserts a rule and deletes it in turn: the words are a file, for its process group, the seconds, and the rule."""

BEGIN = 'setsid bash -c "$1" flap "${@:2}" < /dev/null > /dev/null 2>&1 &'
"""Begins a loop that outlives its beginner: the words are the loop, and its own words."""

END = """
file=$1
shift
if [ -f "$file" ]; then
    kill -KILL -- "-$(cat "$file")"
    rm -f "$file"
fi
while iptables -w 5 -D "$@" 2> /dev/null; do :; done
exit 0
"""
"""Ends a loop and deletes its rule: the words are its file, and the rule."""


def flap_webhook(every: Annotated[float, Field(ge=4, le=10)] = 5.0) -> Fault:
    """Return the fault that drops what control planes send to the webhook's port, and lets it through, in turn.

    A turn takes `every` seconds, longer than calls are waited for as released; each control plane has turns of its own.
    It is proved by calls of the webhook that fail, succeed, and fail again. Raises BadScenario.
    """
    if not _LEAST <= every <= _MOST:
        raise BadScenario(f"flap_webhook: expected {_LEAST:g} to {_MOST:g} s, found {every:g}")
    return _Flapping(every)


@undo
def end_flapping(engine: Engine, *, node: str, file: str, rule: Sequence[str]) -> None:
    """End a loop of a node and delete its rule; a node that is gone or stopped has neither."""
    done = run_in_container(engine, node, "bash", "-c", END, "end", file, *rule, ended_by="stop")
    if done is not None and done.returncode:
        raise CommandFailed(f"the loop of {file} on {node} could not be ended: {done.stderr.strip()}")


class _Flapping:
    name = "flap webhook"
    proved_within = 90.0

    def __init__(self, every: float) -> None:
        self._every = every
        self._comment = new_comment()
        self._file = f"/run/{self._comment.replace(':', '-')}"
        self._ports: list[int] = []

    def inject(self, injection: Injection) -> None:
        cluster, deadline = injection.cluster, Deadline.after(_SECONDS, "loops on the control planes")
        with cluster.client() as api:
            pods = request(api, "GET", pods_path(cluster), query={"labelSelector": WEBHOOK_PODS})["items"]
        self._ports = sorted({port_of(pod, WEBHOOK_PORT) for pod in pods} or {WEBHOOK_PORT[1]})
        for rule in self._rules(cluster):
            file = f"{self._file}-{rule.match[-1]}"
            injection.undo(end_flapping, node=rule.node, file=file, rule=rule.words)
            loop = [LOOP, file, f"{self._every:g}", *rule.words]
            cluster.exec(rule.node, ["bash", "-c", BEGIN, "begin", *loop], deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Ask for a namespace that Gatekeeper must deny, until three answers have come in turn."""
        failed, _, again = (wait_answered(cluster, deadline, said) for said in (UNCALLED, DENIED, UNCALLED))
        return f"a call failed ({failed}), one succeeded, and one failed again ({again})"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        left = [rule.node for rule in self._rules(cluster) if rule.packets(cluster, deadline) is not None]
        if left:
            raise FaultNotApplied(f"expected no rule {self._comment}, one is there on {', '.join(left)}")
        files = [f"{self._file}-{port}" for port in self._ports]
        for node in cluster.control_planes:
            for file in files:
                if not cluster.exec(node, ["cat", file], deadline, check=False).returncode:
                    raise FaultNotApplied(f"expected no loop on {node}, its file {file} is there")
        said = wait_answered(cluster, deadline, DENIED, NOBODY)
        return f"no loop is left on {', '.join(cluster.control_planes)}; the API server says: {said}"

    def _rules(self, cluster: Cluster) -> list[Rule]:
        return [
            Rule(node, "OUTPUT", ["-p", "tcp", "--dport", str(port)], self._comment)
            for node in cluster.control_planes
            for port in self._ports
        ]
