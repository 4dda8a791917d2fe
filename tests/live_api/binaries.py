"""Binaries: what a control plane of the default Kubernetes version runs, built here or out of a node image."""

import contextlib
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, claims, find
from chaos_harness.clusters.engine.inventory import label_arguments, remove_all
from chaos_harness.clusters.errors import ImageUnavailable
from chaos_harness.clusters.images import binaries, catalogue
from chaos_harness.clusters.images.lock_file import read_lock
from chaos_harness.clusters.images.resolve import identity
from chaos_harness.clusters.images.store import Artefact, digest, scratch_folder
from chaos_harness.clusters.known_versions import DEFAULT_KUBERNETES
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.machine.paths import require_trusted
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["Binaries", "extract", "here"]

_SECONDS = 600.0
_CONTENT = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
"""Where containerd keeps the packed layers of the images that a node image brings."""

_PROGRAMS: Final = ("kube-apiserver", "kube-controller-manager", "etcd")
_TOLD = "CHAOS_TEST_PROGRAMS"
"""Names the programs for tests beside which no engine may be used; whoever starts them has looked before."""
_ALL = "kubernetes"
_PLACE = "usr/local/bin"


@dataclass(frozen=True)
class Binaries:
    """Where the programs lie. The one binary of a build is any of Kubernetes, by the name it is called by."""

    apiserver: Path
    controllers: Path
    etcd: Path
    kubectl: Path


def here() -> Binaries:
    """Return the programs of the build if there is one, else those of a node image that the engine holds.

    Nothing is built, pulled or started for them. Raises ImageUnavailable, with the command to type, without either.
    """
    if told := os.environ.get(_TOLD):
        return Binaries(*map(Path, told.split(os.pathsep)))
    kubernetes, tools = binaries.kubernetes(DEFAULT_KUBERNETES), binaries.tools()
    if kubernetes.folder.is_dir() and tools.folder.is_dir():
        folder = require_trusted(kubernetes.folder)
        everything = folder / "kubernetes"
        return Binaries(everything, everything, require_trusted(tools.folder) / "etcd", folder / "kubectl")
    engine = find()
    entry, lock = catalogue.node_image(DEFAULT_KUBERNETES), read_lock()
    names = [*([entry.pulled(lock[entry.lock])] if entry.lock in lock else []), entry.name]
    image = next((identity(engine, name) for name in names if identity(engine, name)), "") if engine else ""
    if engine is None or not image:
        raise ImageUnavailable(
            f"the tests of the marker api need kube-apiserver and etcd of Kubernetes {DEFAULT_KUBERNETES}, and there "
            f"is neither a build in {kubernetes.folder.parent} nor a node image in a Docker engine that runs; "
            f"`{command_line('images --')} --kubernetes {DEFAULT_KUBERNETES}` pulls or builds it"
        )
    folder = extract(engine, image).get(Progress.quiet())
    return Binaries(*(folder / name for name in (*_PROGRAMS, "kubectl")))


def extract(engine: Engine, image: str) -> Artefact:
    """Return the programs out of a node image, by its id; they are kept beside what is built."""

    def make(folder: Path, progress: Progress) -> None:
        del progress
        deadline = Deadline.after(_SECONDS, f"the programs in {image}")
        with _container(engine, image, deadline) as container, scratch_folder("control-plane") as place:
            _copy(engine, f"{container}:{_CONTENT}", place / "content.tar", deadline)
            _unpack_layers(place / "content.tar", folder)
            _copy(engine, f"{container}:/usr/bin/kubectl", place / "kubectl.tar", deadline)
            with tarfile.open(place / "kubectl.tar", "r|") as archive:
                _put(archive, next(iter(archive)), folder / "kubectl")
        missing = [name for name in (*_PROGRAMS, "kubectl") if not (folder / name).exists()]
        if missing:
            raise ImageUnavailable(f"node image {image}: expected {', '.join(missing)} in {_CONTENT}, found none")

    return Artefact(f"control-plane-{DEFAULT_KUBERNETES}", digest(_PROGRAMS, image), make)


@contextlib.contextmanager
def _container(engine: Engine, image: str, deadline: Deadline) -> Iterator[str]:
    """Give a container of the image that is never started and carries our label, and remove it."""
    owner = Owner.mine()
    claims.hold(engine, owner)
    name = f"chaos-harness-programs-{owner.run}"
    try:
        engine.run(
            ["create", "--name", name, *label_arguments(owner.labels()), "--entrypoint", "true", image], deadline
        )
        yield name
    finally:
        remove_all(engine, Deadline.after(60, f"the removal of {name}"), run=owner.run)
        claims.release(engine, owner.run)


def _copy(engine: Engine, source: str, target: Path, deadline: Deadline) -> None:
    """Copy a file or folder out of a container, as a tar file."""
    with target.open("wb") as file:
        engine.run(["cp", source, "-"], deadline, stdout=file)


def _unpack_layers(content: Path, folder: Path) -> None:
    """Take the programs out of the layers among the blobs; what is no layer is passed over."""
    with tarfile.open(content, "r|") as blobs:
        for blob in blobs:
            file = blobs.extractfile(blob) if blob.isreg() else None
            if file:
                with contextlib.suppress(tarfile.ReadError, EOFError), tarfile.open(fileobj=file, mode="r|*") as layer:
                    _take(layer, folder)


def _take(layer: tarfile.TarFile, folder: Path) -> None:
    for member in layer:
        place, _, name = member.name.removeprefix("./").rpartition("/")
        if place == _PLACE and name in (*_PROGRAMS, _ALL) and not os.path.lexists(folder / name):
            _put(layer, member, folder / name)


def _put(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Write one member; a link, as of the one binary that is all of Kubernetes, leads to its neighbour."""
    source = archive.extractfile(member) if member.isreg() else None
    if member.issym():
        target.symlink_to(Path(member.linkname).name)
    elif source:
        with target.open("wb") as file:
            shutil.copyfileobj(source, file)
        target.chmod(0o755)


if __name__ == "__main__":
    found = here()
    paths = (found.apiserver, found.controllers, found.etcd, found.kubectl)
    sys.stdout.write(f"{os.pathsep.join(map(str, paths))}\n")
