"""Peer: Chaos Toolkit with the nearest experiment on the same cluster, and what it leaves behind when it is killed."""

import json
from pathlib import Path
from typing import Any

from benchmarks.kill import kill_ours, kill_while_cordoned, list_cordoned, uncordon
from benchmarks.samples import Limit, Ratio, Samples, time_block
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.shape import NAMESPACE
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.workloads.kill_containers import kill_containers
from chaos_harness.harness.history import read
from chaos_harness.harness.probes.admission import CANARY
from chaos_harness.harness.run.context import RunContext

__all__ = ["Peer"]

_SECONDS = 300.0
_WEBHOOK = "gatekeeper.sh/operation=webhook"
_READY = {"label_selector": _WEBHOOK, "ns": NAMESPACE, "conditions": [{"type": "Ready", "status": "True"}]}


class Peer:
    """Times to a verdict, ours and theirs, and what each saw of admission meanwhile."""

    def __init__(self, chaos: Path | None, session: RunContext) -> None:
        self._chaos = chaos
        self._session = session
        self.ours = Samples("all webhook containers killed, to verdict: ours")
        self.theirs = Samples("all webhook pods killed, to verdict: Chaos Toolkit")
        self.left = Samples("cordoned nodes left by kill -9 of Chaos Toolkit", "nodes")
        self.healed = Samples("cordoned nodes left by kill -9 of ours, after the next run began", "nodes")

    @property
    def samples(self) -> list[Samples]:
        """Return the samples."""
        return [self.ours, self.theirs, self.left, self.healed]

    @property
    def ratios(self) -> list[Ratio]:
        """Return the ratio of the times; compare what each of them knows at its end, too."""
        return [Ratio("all webhook pods killed: ours / Chaos Toolkit", self.ours, self.theirs)]

    @property
    def limits(self) -> list[Limit]:
        """Return no limits: what each of them saw is what counts."""
        return []

    def measure(self, cluster: Cluster) -> None:
        """Run each experiment once; Gatekeeper serves when either starts."""
        session = self._session
        wait_until_serving(cluster, Deadline.after(_SECONDS, "Gatekeeper to serve"))
        with time_block(self.ours):
            experiment = Experiment(
                cluster, session.directory("bench"), name="bench", seed=session.seed, progress=session.progress
            )
            with experiment:
                experiment.act(kill_containers(selector=_WEBHOOK))
                experiment.recovered()
        answers = [
            entry.kind
            for entry in read(experiment.history.path).entries
            if entry.process.startswith(CANARY) and entry.kind != "invoke"
        ]
        lost = sum(1 for kind in answers if kind != "ok")
        self.ours.note = f"saw {lost} of {len(answers)} questions without the answer that policy demands"
        kill_ours(cluster, session.directory("killed"), self.healed)
        if self._chaos is None:
            self.theirs.note = self.left.note = "Chaos Toolkit is not installed; `nox -s bench` does that"
            return
        wait_until_serving(cluster, Deadline.after(_SECONDS, "Gatekeeper to serve"))
        with time_block(self.theirs):
            verdict = self._run(cluster, self._chaos, _killing())
        self.theirs.note = f"said {verdict!r}; asked admission nothing"
        wait_until_serving(cluster, Deadline.after(_SECONDS, "Gatekeeper to serve"))
        self._kill(cluster, self._chaos)

    def _run(self, cluster: Cluster, chaos: Path, experiment: dict[str, Any]) -> str:
        """Run one experiment to its end; return the outcome in its journal."""
        argv, folder, env = _command(cluster, chaos, experiment)
        done = run(argv, Deadline.after(_SECONDS, "Chaos Toolkit"), cwd=folder, env=env, check=False)
        try:
            journal = json.loads((folder / "journal.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandFailed(f"Chaos Toolkit left no journal: {done.stderr[-500:]}") from error
        return f"{journal['status']}, deviated: {journal['deviated']}"

    def _kill(self, cluster: Cluster, chaos: Path) -> None:
        """Kill it during its fault; count the nodes that stay cordoned, and uncordon them."""
        node = cluster.workers[0]
        argv, folder, env = _command(cluster, chaos, _cordoning(node))
        kill_while_cordoned(cluster, argv, node, cwd=folder, env=env)
        left = list_cordoned(cluster)
        self.left.figures.append(len(left))
        self.left.note = "its rollback would have uncordoned it; nothing does so later"
        uncordon(cluster, left)


def _command(cluster: Cluster, chaos: Path, experiment: dict[str, Any]) -> tuple[list[str], Path, dict[str, str]]:
    folder = cluster.directory / "peer"
    folder.mkdir(exist_ok=True)
    path = folder / "experiment.json"
    path.write_text(json.dumps(experiment), encoding="utf-8")
    argv = [str(chaos), "--no-version-check", "run", "--rollback-strategy", "always", str(path)]
    return argv, folder, {"KUBECONFIG": str(cluster.kubeconfig), "PATH": "/usr/bin:/bin", "HOME": str(folder)}


def _activity(kind: str, name: str, function: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    module, _, func = function.rpartition(".")
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": kind, "name": name, "provider": provider, **more}


def _experiment(method: list[dict[str, Any]], rollbacks: list[dict[str, Any]]) -> dict[str, Any]:
    ready = _activity(
        "probe", "webhook pods are Ready", "chaosk8s.pod.probes.pods_in_conditions", _READY, tolerance=True
    )
    return {
        "title": "Gatekeeper comes back",
        "description": "Ready before, harm, Ready after",
        "steady-state-hypothesis": {"title": "all webhook pods are Ready", "probes": [ready]},
        "method": method,
        "rollbacks": rollbacks,
    }


def _killing() -> dict[str, Any]:
    """Return what an engineer would write: kill all of them, wait as long as it usually takes, look again."""
    arguments = {"label_selector": _WEBHOOK, "ns": NAMESPACE, "all": True, "grace_period": 0}
    kill = _activity("action", "kill", "chaosk8s.pod.actions.terminate_pods", arguments, pauses={"after": 60})
    return _experiment([kill], [])


def _cordoning(node: str) -> dict[str, Any]:
    harm, heal = (
        _activity("action", name, f"chaosk8s.node.actions.{name}_node", {"name": node})
        for name in ("cordon", "uncordon")
    )
    return _experiment([{**harm, "pauses": {"after": 60}}], [heal])
