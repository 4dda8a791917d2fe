"""kind: renders its configuration, runs it with our labels on everything that it creates, and collects its logs."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import label_arguments, volume_argument
from chaos_harness.clusters.engine.ports import LOOPBACK
from chaos_harness.clusters.errors import CommandFailed, HarnessError
from chaos_harness.clusters.images.catalogue import BALANCER
from chaos_harness.clusters.images.sources import tool
from chaos_harness.clusters.kind.audit_log import AUDIT_PATCH, AUDIT_POLICY
from chaos_harness.clusters.kind.node_files import POD_SUBNET, SERVICE_SUBNET
from chaos_harness.clusters.kind_file import CONTROL_PLANE, WORKER, KindFile
from chaos_harness.clusters.machine.process import CommandResult, run
from chaos_harness.clusters.shape import Shape

__all__ = ["CERTS_DIRECTORY", "OUTPUT", "KindCli", "configuration", "docker_wrapper", "node_names"]

_NODE_LABEL = "io.x-k8s.kind.cluster"

OUTPUT = "kind.log"
"""File in the cluster's private directory with kind's latest output."""

CERTS_DIRECTORY = "/etc/containerd/certs.d"
"""Where containerd of a node looks for the hosts.toml files of registries."""

_REGISTRY_PATCHES = tuple(
    f"""version = {version}
[plugins."{plugin}".registry]
  config_path = "{CERTS_DIRECTORY}"
"""
    for version, plugin in ((2, "io.containerd.grpc.v1.cri"), (3, "io.containerd.cri.v1.images"))
)
"""One for each version of containerd's configuration; kind applies the one that matches the node image."""

_KUBELET_PATCH = """kind: KubeletConfiguration
nodeStatusReportFrequency: 5s
"""
"""The kubelet posts its node's status every 10 s, changed or not, as often as it renews its lease.

`clusters.pool.freeze` sees from this post that a node is awake again. How often the kubelet checks its node keeps its
default: that is also how long it waits for its lease to be accepted, and with less, a webhook that does not answer
would cost nodes their leases here and nowhere else. When a node counts as lost depends on leases, which are unchanged.
"""

_WRAPPER = """#!/bin/sh
# docker, as kind runs it for this cluster: what it makes carries the owner's labels, its volumes too,
# and its load balancer is of the image that was made ready
left=$#
while [ "$left" -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case $word in {published}:*) word={balancer} ;; esac
  set -- "$@" "$word"
done
if [ "$1" = run ]; then
  shift
  left=$#
  while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    if [ "$word" = --volume ] && [ "$1" = /var ]; then
      shift
      left=$((left - 1))
      set -- "$@" --mount {volume}
    else
      set -- "$@" "$word"
    fi
  done
  set -- run {labels} "$@"
fi
exec {docker} "$@"
"""


_ERROR_LINE = re.compile(r"\s*(ERROR|error|Error|\[ERROR)\b")
_TAIL_LINES = 20


def node_names(name: str, shape: Shape) -> list[str]:
    """Return the names of the node containers that kind gives the cluster `name`, control planes first."""
    roles = ["control-plane"] * shape.control_planes, ["worker"] * shape.workers
    return [f"{name}-{role}{n + 1 if n else ''}" for group in roles for n, role in enumerate(group)]


def configuration(
    name: str,
    shape: Shape,
    *,
    image: str,
    port: int,
    mounts: Mapping[str, Path],
    containerd_patches: Sequence[str] = (),
    kubeadm_patches: Sequence[str] = (),
) -> str:
    """Return kind's configuration (YAML) for the cluster `name`.

    `port` of loopback becomes the API server's. `mounts` maps paths in every node to files of the host, mounted
    read-only; with an audit policy among them the API servers keep an audit log. The patches are those that the host
    needs (`HostQuirks`). A kind configuration of the user's is merged.
    """
    own = KindFile(shape.kind) if shape.kind else None
    roles = [CONTROL_PLANE] * shape.control_planes + [WORKER] * shape.workers
    nodes = (own.nodes() if own else []) or [{"role": role} for role in roles]
    extra = [{"hostPath": str(path), "containerPath": target, "readOnly": True} for target, path in mounts.items()]
    config: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": name,
        "networking": {
            "ipFamily": "ipv4",
            "apiServerAddress": LOOPBACK,
            "apiServerPort": port,
            "podSubnet": POD_SUBNET,
            "serviceSubnet": SERVICE_SUBNET,
        },
        "containerdConfigPatches": [*_REGISTRY_PATCHES, *containerd_patches],
        "kubeadmConfigPatches": [_KUBELET_PATCH, *([AUDIT_PATCH] if AUDIT_POLICY in mounts else []), *kubeadm_patches],
        "nodes": [
            {"role": CONTROL_PLANE, **node, "image": image, "extraMounts": [*extra, *node.get("extraMounts", ())]}
            for node in nodes
        ],
    }
    return yaml.safe_dump(own.merged(config) if own else config, sort_keys=False)


def docker_wrapper(docker: str, labels: Mapping[str, str], balancer: str = BALANCER) -> str:
    """Return a shell script that replaces `docker` on kind's PATH.

    kind cannot label what it creates, and has a fixed image for its load balancer. The script adds `labels` to `docker
    run`, replaces the anonymous volume of a node's /var by a labelled one, and uses `balancer` instead of kind's own
    image; every other command is passed on unchanged.
    """
    return _WRAPPER.format(
        published=shlex.quote(BALANCER.rpartition(":")[0]),
        balancer=shlex.quote(balancer),
        volume=shlex.quote(volume_argument("/var", labels)),
        labels=shlex.join(label_arguments(labels)),
        docker=shlex.quote(docker),
    )


class KindCli:
    """The kind command for one cluster on one engine; its files are in `directory`.

    kind treats every container with its label and the cluster's name as a node: it runs commands in it, reads its
    credentials and removes it. So kind is not run, and NotOurs is raised, if one of them is not ours.
    """

    def __init__(self, engine: Engine, name: str, directory: Path) -> None:
        self._engine = engine
        self._name = name
        self._directory = directory
        self._bin = directory / "bin"
        self._creating = 0
        self._stopped = False

    @property
    def kubeconfig(self) -> Path:
        """The file to which kind writes the credentials, mode 0600."""
        return self._directory / "kubeconfig"

    def write_wrapper(self, labels: Mapping[str, str], balancer: str | None = None) -> None:
        """Write the docker wrapper to where `create` finds it."""
        self._bin.mkdir(parents=True, exist_ok=True)
        wrapper = self._bin / "docker"
        docker = shutil.which(self._engine.cli) or self._engine.cli
        wrapper.write_text(docker_wrapper(docker, labels, balancer or BALANCER), encoding="utf-8")
        wrapper.chmod(0o700)

    def create(self, config: str, network: str, deadline: Deadline) -> None:
        """Create the cluster in the existing `network`; if that fails, its containers stay, for their logs.

        Raises CommandFailed with the end of kind's output.
        """
        path = self._directory / "kind.yaml"
        path.write_text(config, encoding="utf-8")
        with self._credentials() as credentials:
            arguments: list[str | Path] = [
                "--name",
                self._name,
                "--config",
                path,
                "--kubeconfig",
                credentials,
                "--retain",
            ]
            self._run(
                ["create", "cluster", *arguments],
                deadline,
                {"KIND_EXPERIMENTAL_DOCKER_NETWORK": network},
                on_start=self._note,
            )

    def stop_creating(self) -> None:
        """Stop a `create` that runs or is about to run in another thread; it then raises CommandFailed."""
        self._stopped = True
        self._note(self._creating)

    def read_kubeconfig(self, deadline: Deadline) -> bool:
        """Write the kubeconfig that `create` writes at its end, if kind has credentials yet; return whether it has."""
        try:
            done = self._command(["get", "kubeconfig", "--name", self._name], deadline)
        except CommandFailed:  # the engine does not report who owns the nodes
            return False
        if done.returncode == 0:
            with self._credentials() as credentials:
                credentials.write_text(done.stdout, encoding="utf-8")
        return done.returncode == 0

    def load(self, image: str, nodes: Sequence[str], deadline: Deadline) -> None:
        """Copy `image` to `nodes` by `kind load`, as people do; `kind.archive` works with every engine."""
        self._run(["load", "docker-image", image, "--name", self._name, "--nodes", ",".join(nodes)], deadline)

    def delete(self, deadline: Deadline) -> None:
        """Delete the node containers with their volumes, and the kubeconfig file."""
        self._run(["delete", "cluster", "--name", self._name, "--kubeconfig", self.kubeconfig], deadline)
        self.kubeconfig.unlink(missing_ok=True)

    def export_logs(self, target: Path, deadline: Deadline) -> str | None:
        """Write the available logs of all nodes below `target`; return what went wrong, or None."""
        try:
            self._run(["export", "logs", str(target), "--name", self._name], deadline)
        except HarnessError as error:
            return str(error)
        return None

    @contextlib.contextmanager
    def _credentials(self) -> Iterator[Path]:
        """Yield a new private file that replaces the kubeconfig after the block, since others read that meanwhile.

        If the block fails, the new file is removed.
        """
        handle, name = tempfile.mkstemp(prefix="kubeconfig-", dir=self._directory)  # mode 0600
        os.close(handle)
        scratch = Path(name)
        try:
            yield scratch
            scratch.replace(self.kubeconfig)
        finally:
            scratch.unlink(missing_ok=True)

    def _note(self, pid: int) -> None:
        self._creating = pid
        if self._stopped and pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def _run(
        self,
        arguments: Sequence[str | Path],
        deadline: Deadline,
        environment: Mapping[str, str] | None = None,
        on_start: Callable[[int], None] | None = None,
    ) -> None:
        try:
            done = self._command(arguments, deadline, environment, on_start)
        finally:
            self._creating = 0
        with contextlib.suppress(OSError):  # the directory has gone, or its disk is full
            (self._directory / OUTPUT).write_text(f"{done.stdout}{done.stderr}", encoding="utf-8")
        if done.returncode != 0:
            command = " ".join(str(word) for word in arguments[:2])
            raise CommandFailed(f"`kind {command}` ended with status {done.returncode}:\n{_reason(done)}")

    def _command(
        self,
        arguments: Sequence[str | Path],
        deadline: Deadline,
        environment: Mapping[str, str] | None = None,
        on_start: Callable[[int], None] | None = None,
    ) -> CommandResult:
        nodes = ["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={_NODE_LABEL}={self._name}"]
        self._engine.require_ours("container", self._engine.run(nodes, deadline).stdout.split(), deadline)
        settings = {
            **self._engine.environment(),
            "KIND_EXPERIMENTAL_PROVIDER": "docker",
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            **(environment or {}),
        }
        return run([tool("kind"), *arguments], deadline, env=settings, check=False, on_start=on_start)


def _reason(done: CommandResult) -> str:
    """Return the lines in which kind and kubeadm name the error, without the stack traces around them."""
    lines = (done.stderr or done.stdout).strip().splitlines()
    telling = [line for line in lines if _ERROR_LINE.match(line)]
    return "\n".join(dict.fromkeys(telling or lines[-_TAIL_LINES:]))
