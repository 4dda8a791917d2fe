"""Binaries that clusters are made with and of, each built once from verified modules."""

import shutil
from dataclasses import replace
from pathlib import Path

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.images import gatekeeper_release
from chaos_harness.clusters.images.golang import GO_SOURCES, Program, build, download
from chaos_harness.clusters.images.store import Artefact, digest, require_disk
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["balancer", "command", "gatekeeper", "gatekeeper_source", "kind_source", "kubernetes", "tools"]

_SECONDS = 3600.0
_COMMIT = "0" * 40

_CONTAINERD = "github.com/containerd/containerd/v2"
_CNI = "github.com/containernetworking/plugins/plugins"
_TOOLS = Program(
    packages=(
        f"{_CONTAINERD}/cmd/containerd",
        f"{_CONTAINERD}/cmd/containerd-shim-runc-v2",
        f"{_CONTAINERD}/cmd/ctr",
        f"{_CNI}/ipam/host-local",
        f"{_CNI}/main/loopback",
        f"{_CNI}/main/ptp",
        f"{_CNI}/meta/portmap",
        "helm.sh/helm/v3/cmd/helm",
        "sigs.k8s.io/cri-tools/cmd/crictl",
        "sigs.k8s.io/kind",
        "./cmd/coredns",
        "./cmd/etcd",
        "./cmd/pause",
        "./cmd/registry",
    ),
    variables={
        "helm.sh/helm/v3/internal/version.version": known_versions.HELM,
        "sigs.k8s.io/cri-tools/pkg/version.Version": known_versions.CRICTL,
    },
    tags=("no_aufs", "no_btrfs", "no_devmapper", "no_zfs"),
)
_COMMANDS = {"helm": "helm.sh/helm/v3/cmd/helm", "kind": "sigs.k8s.io/kind"}
_BUILD_GIB, _COMMAND_GIB = 6.0, 2.0


def tools() -> Artefact:
    """Return the binaries of the tools: kind, helm, and what a node runs besides Kubernetes."""
    module = GO_SOURCES / "tools"

    def make(folder: Path, progress: Progress) -> None:
        _build(_TOOLS, module, folder, "build kind, helm, containerd, etcd, CoreDNS and the registry", progress)

    return Artefact("tools", digest(module, _TOOLS.packages, _TOOLS.arguments), make)


def command(name: str) -> Artefact:
    """Return kind or helm alone, of the same modules as `tools`, for a machine that has the images already."""
    module, program = GO_SOURCES / "tools", replace(_TOOLS, packages=(_COMMANDS[name],))

    def make(folder: Path, progress: Progress) -> None:
        _build(program, module, folder, f"build {name}", progress, gib=_COMMAND_GIB, fixed=False)

    return Artefact(name, digest(module, program.packages, program.arguments), make)


def balancer() -> Artefact:
    """Return the program `balancer`, which replaces kind's load balancer for several API servers."""
    module, program = GO_SOURCES / "balancer", Program(packages=(".",))

    def make(folder: Path, progress: Progress) -> None:
        _build(program, module, folder, "build the load balancer of the API servers", progress)

    return Artefact("balancer", digest(module, program.arguments), make)


def kubernetes(version: str) -> Artefact:
    """Return the one binary that contains all of Kubernetes `version`, and its names kubeadm and kubectl."""
    major, minor, _ = version.removeprefix("v").split(".")
    variables = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": _COMMIT,
        "buildDate": "1970-01-01T00:00:00Z",
    }
    program = Program(
        packages=(".",),
        variables={
            f"{package}.{name}": value
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for name, value in variables.items()
        },
    )
    sources = sorted((GO_SOURCES / "kubernetes").glob("*.go"))
    locks = GO_SOURCES / "kubernetes" / version

    def make(folder: Path, progress: Progress) -> None:
        module = folder / "module"
        module.mkdir()
        for source in (*sources, *locks.iterdir()):
            shutil.copy(source, module)
        _build(program, module, folder, f"build Kubernetes {version}", progress)
        for name in ("kubeadm", "kubectl"):
            (folder / name).symlink_to("kubernetes")
        remove_folder(module)

    return Artefact(f"kubernetes-{version}", digest(sources, locks, program.arguments), make)


def gatekeeper(version: str) -> Artefact:
    """Return Gatekeeper's binary, called `gatekeeper`, built in its own module with its own go.sum."""
    program = Program(
        packages=(".",),
        variables={"github.com/open-policy-agent/gatekeeper/v3/pkg/version.Version": version},
    )

    def make(folder: Path, progress: Progress) -> None:
        module = folder / "gatekeeper-module"
        shutil.copytree(gatekeeper_release.module(version), module, copy_function=shutil.copyfile)
        built = folder / "built"
        _build(program, module, built, f"build Gatekeeper {version}", progress)
        next(built.iterdir()).rename(folder / "gatekeeper")
        built.rmdir()
        remove_folder(module)

    return Artefact(f"gatekeeper-{version}", digest(version, program.arguments), make)


def gatekeeper_source(version: str) -> Artefact:
    """Return Gatekeeper's release files: deploy/gatekeeper.yaml and charts/gatekeeper."""

    def make(folder: Path, progress: Progress) -> None:
        gatekeeper_release.fetch(version, folder, progress)

    return Artefact(f"gatekeeper-source-{version}", digest(version), make)


def kind_source() -> Path:
    """Return the folder of kind's module; its node's base files are in images/base/files.

    Raises ImageUnavailable.
    """
    return download(
        "sigs.k8s.io/kind", known_versions.KIND, Deadline.after(_SECONDS, f"the source of kind {known_versions.KIND}")
    )


def _build(
    program: Program,
    module: Path,
    output: Path,
    name: str,
    progress: Progress,
    *,
    gib: float = _BUILD_GIB,
    fixed: bool = True,
) -> None:
    require_disk(gib, name)
    with progress.step(name) as step:
        build(program, module, output, Deadline.after(_SECONDS, name), step, fixed=fixed)
