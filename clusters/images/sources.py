"""Sources on this machine: Gatekeeper's own manifest and chart, and the command line tools that the harness calls."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.images import binaries
from chaos_harness.clusters.images.store import Artefact
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["artefact", "gatekeeper_source", "prepare_sources", "tool"]

_WANTED = {
    "kind": (("version",), known_versions.KIND),
    "helm": (("version", "--short"), known_versions.HELM),
    "kubectl": (("version", "--client"), known_versions.DEFAULT_KUBERNETES),
}


def tool(name: str, progress: Progress | None = None) -> Path:
    """Return the path of kind, helm or kubectl: the one on PATH if its version is ours, else the one built here.

    kind and helm are built alone if no images were built, as when the engine had the images already. Raises
    ImageUnavailable if it cannot be built.
    """
    arguments, version = _WANTED[name]
    on_path = shutil.which(name)
    if on_path:
        answer = run([on_path, *arguments], Deadline.after(20, f"{name} to tell its version"), check=False)
        if re.search(rf"{re.escape(version)}\b", answer.stdout):
            return Path(on_path)
    made = artefact(name)
    if name != "kubectl" and not made.folder.is_dir():
        made = binaries.command(name)
    return made.get(progress or Progress.quiet()) / name


def prepare_sources(shapes: Sequence[Shape], progress: Progress) -> None:
    """Make everything that creating clusters of `shapes` needs, before the time limit of the creation starts.

    Raises ImageUnavailable if something is not available.
    """
    tool("kind", progress)
    installed = [shape for shape in shapes if shape.gatekeeper]
    if any(shape.install == "chart" for shape in installed):
        tool("helm", progress)
    for version in dict.fromkeys(str(shape.gatekeeper) for shape in installed):
        gatekeeper_source(version, progress)


def artefact(name: str) -> Artefact:
    """Return the artefact that contains the binary of kind, helm or kubectl."""
    return binaries.kubernetes(known_versions.DEFAULT_KUBERNETES) if name == "kubectl" else binaries.tools()


def gatekeeper_source(version: str, progress: Progress | None = None) -> Path:
    """Return the folder with Gatekeeper's deploy/gatekeeper.yaml and charts/gatekeeper.

    Raises ImageUnavailable if its module is not available.
    """
    return binaries.gatekeeper_source(version).get(progress or Progress.quiet())
