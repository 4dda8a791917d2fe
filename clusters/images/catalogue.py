"""Catalogue of images: the names of each one in the engine, where it may be pulled, and how it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.images import binaries, node, store
from chaos_harness.clusters.images.layers import ArchiveImage, Layer, write_archive, write_layer
from chaos_harness.clusters.images.rootfs import rootfs
from chaos_harness.clusters.images.store import Artefact, digest
from chaos_harness.clusters.terminal.progress import Progress

__all__ = [
    "BALANCER",
    "CRDS",
    "GATEKEEPER",
    "NAME",
    "NODE",
    "ImageEntry",
    "balancer",
    "everything",
    "gatekeeper",
    "gatekeeper_crds",
    "load_gatekeeper",
    "node_image",
    "registry",
]

NAME = "chaos-harness"
"""Repository prefix of every image built here."""

BALANCER = "docker.io/envoyproxy/envoy:v1.36.2"
"""Image that kind v0.33.0 runs in front of several API servers."""

GATEKEEPER = "openpolicyagent/gatekeeper"
"""Repository of Gatekeeper's image below docker.io, as in manifest and chart."""

CRDS = "openpolicyagent/gatekeeper-crds"
"""Repository of the image of the chart's hook jobs."""

NODE = "node/"
"""Prefix of node images in lock.yaml."""

_SECONDS = 600.0
_DIGITS = 12
_GATEKEEPER_USER = "65532:65532"
_BUSYBOX = rootfs("registry-rootfs", "extract", ["busybox-static"])
_FORMAT = 2
_BASH = '#!/bin/sh\nexec /bin/sh "$@"\n'


@dataclass(frozen=True)
class ImageEntry:
    """One image: its name in lock.yaml, where it is published, its name in the engine, and how it is built.

    Different contents never have the same name: it begins with `stem` and ends with the `key` of the recipe that the
    image was built by, or with the digest that it was pulled by.
    """

    lock: str
    published: str
    stem: str
    key: str
    build: Callable[[Engine, Progress], None]
    artefacts: tuple[Artefact, ...] = ()

    @property
    def name(self) -> str:
        """The name of the image if it is built here."""
        return f"{self.stem}{self.key}"

    def pulled(self, reference: str) -> str:
        """Return the name of the image if it is pulled by `reference`, REPOSITORY@sha256:DIGEST."""
        return f"{self.stem}{reference.rpartition(':')[2][:_DIGITS]}"


def node_image(version: str) -> ImageEntry:
    """Return the node image of Kubernetes `version`."""
    stem, key = f"{NAME}/node:{version}-", node.key(version)

    def build(engine: Engine, progress: Progress) -> None:
        node.build(engine, f"{stem}{key}", version, progress)

    return ImageEntry(
        f"{NODE}{version}",
        f"docker.io/kindest/node:{version}",
        stem,
        key,
        build,
        (binaries.kubernetes(version), binaries.tools(), *node.ROOTS),
    )


def gatekeeper(version: str) -> ImageEntry:
    """Return Gatekeeper's image: only its binary, run by the same user as upstream's image."""
    binary = binaries.gatekeeper(version)
    stem, key = f"{NAME}/gatekeeper:{version}-", digest(_FORMAT, binary.key)

    def build(engine: Engine, progress: Progress) -> None:
        load_gatekeeper(engine, f"{stem}{key}", binary.get(progress) / "gatekeeper")

    return ImageEntry(
        f"gatekeeper/{version}",
        f"docker.io/openpolicyagent/gatekeeper:{version}",
        stem,
        key,
        build,
        (binary, binaries.gatekeeper_source(version)),
    )


def load_gatekeeper(engine: Engine, name: str, binary: Path) -> None:
    """Give the engine an image of Gatekeeper's binary alone, run by the same user as upstream's image."""
    config = {"User": _GATEKEEPER_USER, "Entrypoint": ["/manager"], "WorkingDir": "/"}
    _load(engine, name, {"manager": binary}, config, folders={"tmp": 0o1777})


def gatekeeper_crds(version: str) -> ImageEntry:
    """Return the image of the chart's hook jobs: kubectl, and the chart's custom resource definitions."""
    kubernetes, source = binaries.kubernetes(known_versions.DEFAULT_KUBERNETES), binaries.gatekeeper_source(version)
    stem, key = f"{NAME}/gatekeeper-crds:{version}-", digest(_FORMAT, kubernetes.key)

    def build(engine: Engine, progress: Progress) -> None:
        crds = source.get(progress) / "charts" / "gatekeeper" / "crds"
        files = {f"crds/{path.name}": path for path in sorted(crds.glob("*.yaml"))}
        files["kubectl"] = kubernetes.get(progress) / "kubernetes"
        _load(engine, f"{stem}{key}", files, {"User": _GATEKEEPER_USER, "Entrypoint": ["/kubectl"]})

    return ImageEntry(
        f"gatekeeper-crds/{version}",
        f"docker.io/openpolicyagent/gatekeeper-crds:{version}",
        stem,
        key,
        build,
        (kubernetes, source),
    )


def registry() -> ImageEntry:
    """Return the registry's image: CNCF distribution, and a shell for the fault that cuts it."""
    tools = binaries.tools()
    stem, key = f"{NAME}/registry:", digest(_FORMAT, tools.key, _BUSYBOX.key)

    def build(engine: Engine, progress: Progress) -> None:
        files = {"usr/bin/docker-registry": tools.get(progress) / "registry"}
        config = {"Entrypoint": ["/usr/bin/docker-registry"], "Cmd": ["serve", "/etc/docker/registry/config.yml"]}
        shell = {f"bin/{applet}": "/usr/bin/busybox" for applet in ("sh", "rm", "touch")}
        base = _BUSYBOX.get(progress) / "rootfs.tar"
        _load(engine, f"{stem}{key}", files, config, links=shell, base=base)

    return ImageEntry("registry", "docker.io/library/registry:3", stem, key, build, (tools, _BUSYBOX))


def balancer() -> ImageEntry:
    """Return the image in front of several API servers, with a shell, in which kind starts and configures it."""
    program = binaries.balancer()
    stem, key = f"{NAME}/balancer:", digest(_FORMAT, program.key, _BUSYBOX.key)

    def build(engine: Engine, progress: Progress) -> None:
        files: dict[str, Path | str] = {"usr/bin/envoy": program.get(progress) / "balancer", "bin/bash": _BASH}
        shell = {f"bin/{applet}": "/usr/bin/busybox" for applet in ("sh", "mkdir", "chmod", "mv", "cp", "sleep")}
        base = _BUSYBOX.get(progress) / "rootfs.tar"
        _load(engine, f"{stem}{key}", files, {}, links=shell, base=base)

    return ImageEntry("balancer", BALANCER, stem, key, build, (program, _BUSYBOX))


def everything() -> list[ImageEntry]:
    """Return every image that any shape can need."""
    return [
        *(node_image(version) for version in known_versions.KUBERNETES),
        *(make(version) for version in known_versions.GATEKEEPER for make in (gatekeeper, gatekeeper_crds)),
        registry(),
        balancer(),
    ]


def _load(
    engine: Engine,
    name: str,
    files: Mapping[str, Path | str],
    config: Mapping[str, object],
    *,
    folders: dict[str, int] | None = None,
    links: dict[str, str] | None = None,
    base: Path | None = None,
) -> None:
    store.require_disk(1.0, f"the image {name}")
    with store.scratch_folder("image") as folder:
        layer = write_layer(folder / "layer.tar", files, links=links, folders=folders, executables=["bin/bash"])
        layers = (*((Layer.of(base),) if base else ()), layer)
        write_archive(folder / "image.tar", [ArchiveImage((name,), layers, config)])
        deadline = Deadline.after(_SECONDS, f"the engine to load {name}")
        engine.run(["load", "--quiet", "--input", folder / "image.tar"], deadline)
