"""Cluster: what product code is given for the live API: credentials, and an engine that can do nothing but kubectl."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, HostQuirks
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.process import CommandResult, run
from chaos_harness.clusters.shape import Shape
from tests.live_api.server import ADMINISTRATOR, ApiServer, write_kubeconfig

__all__ = ["KubectlEngine", "iptables", "live_cluster"]

_NODE_FILE = "/etc/kubernetes/admin.conf"
_LIMIT = ["timeout", "--kill-after=2"]

Command = Callable[[list[str], Deadline], CommandResult]


@dataclass(frozen=True)
class KubectlEngine(Engine):
    """Runs here, for real, what is to be run by kubectl on a control plane; `ran` is what kubectl was called with.

    `programs` answer for other programs in a container, by name; what is not among them is refused.
    """

    host: str = "unix:///nowhere/docker.sock"
    private: bool = True
    version: str = "20.10.24"
    quirks: HostQuirks = field(default_factory=HostQuirks)
    cli: str = "docker"
    kubectl: Path = Path()
    kubeconfig: Path = Path()
    planes: tuple[str, ...] = ()
    programs: dict[str, Command] = field(default_factory=dict)
    ran: list[list[str]] = field(default_factory=list)

    def run(
        self, argv: Sequence[str | Path], deadline: Deadline, *, check: bool = True, stdin: Any = None, **_: Any
    ) -> CommandResult:
        """Answer `docker exec [--interactive] NODE [timeout …] PROGRAM …`; raise CommandFailed for all else."""
        words = [str(word) for word in argv]
        done = self._exec(words, deadline, stdin)
        if check and done.returncode:
            raise CommandFailed(f"`docker {' '.join(words)}` ended with status {done.returncode}: {done.stderr}")
        return done

    def talk(self, argv: Sequence[str], deadline: Deadline) -> NoReturn:
        """Refuse: there is no container to talk to."""
        raise CommandFailed(f"`docker {' '.join(argv)}`: the live API has no containers")

    def _exec(self, words: list[str], deadline: Deadline, stdin: Any) -> CommandResult:
        options = ["--interactive"] if words[1:2] == ["--interactive"] else []
        if words[:1] != ["exec"] or len(words) < len(options) + 3:
            raise CommandFailed(f"`docker {' '.join(words)}`: the live API has no containers")
        node, *command = words[1 + len(options) :]
        if command[:2] == _LIMIT and re.fullmatch(r"[0-9.]+", command[2]):
            command = command[3:]
        if command[0] in self.programs:
            return self.programs[command[0]](command, deadline)
        if node not in self.planes or command[:3] != ["kubectl", "--kubeconfig", _NODE_FILE]:
            raise CommandFailed(f"`{' '.join(command)}` on {node}: only kubectl runs here, and on {self.planes}")
        self.ran.append(command[3:])
        words = [str(self.kubectl), f"--kubeconfig={self.kubeconfig}", *command[3:]]
        cache = {"KUBECACHEDIR": str(self.kubeconfig.parent / "cache"), "HOME": str(self.kubeconfig.parent)}
        return run(words, deadline, env=cache, stdin=stdin, check=False)


def iptables() -> Command:
    """Return the program iptables of a node, which only keeps rules and deletes them: there are no packets."""
    rules: list[list[str]] = []

    def run_iptables(words: list[str], _: Deadline) -> CommandResult:
        match words:
            case ["iptables", "-w", "5", "-I", *rule]:
                rules.append(rule)
            case ["iptables", "-w", "5", "-D", *rule] if rule in rules:
                rules.remove(rule)
            case ["iptables", "-w", "5", "-D", *_]:
                return CommandResult("", "iptables: Bad rule (does a matching rule exist in that chain?).\n", 1)
            case _:
                raise CommandFailed(f"`{' '.join(words)}`: no packets pass here, whose rules could do so")
        return CommandResult("", "", 0)

    return run_iptables


def live_cluster(
    server: ApiServer, kubectl: Path, folder: Path, shape: Shape | None = None, user: str = ADMINISTRATOR
) -> Cluster:
    """Return a cluster of which there is nothing but its API."""
    shape = shape or Shape(workers=1)
    kubeconfig = write_kubeconfig(folder / "kubeconfig", server.kubeconfig(user))
    planes = ("live-control-plane",)
    engine = KubectlEngine(kubectl=kubectl, kubeconfig=kubeconfig, planes=planes)
    return Cluster("live", shape, engine, kubeconfig, "live", None, "run", folder)
