"""Own checkout: Gatekeeper's image of sources of the user's, as the release's is built, or by their Dockerfile."""

import re
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.guard import IMAGE
from chaos_harness.clusters.errors import CommandFailed, ImageUnavailable
from chaos_harness.clusters.images import catalogue
from chaos_harness.clusters.images.golang import Program, build, missing
from chaos_harness.clusters.images.resolve import identity
from chaos_harness.clusters.images.store import require_disk, scratch_folder
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.own_gatekeeper import OwnGatekeeper
from chaos_harness.clusters.source_folder import SourceFolder
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["build_checkout"]

_SECONDS = 3600.0
_GIB = 4.0
_MODULE = re.compile(r"^module (\S+)$", re.MULTILINE)


def build_checkout(engine: Engine, own: OwnGatekeeper, version: str, progress: Progress) -> None:
    """Build the image of a checkout, unless the engine holds it: its name tells what is in the folder.

    `go build` is run in the folder's own module, as for a release, with the Go that the user's GOTOOLCHAIN chooses;
    Gatekeeper then says that it is `version`. With a Dockerfile the engine builds it. Raises ImageUnavailable with what
    the compiler or the engine says, BadScenario if the folder changed meanwhile.
    """
    checkout, name = own.checkout, str(own.image)
    if checkout is None or identity(engine, name):
        return
    deadline = Deadline.after(_SECONDS, f"{checkout.path} to be built")
    with hold_lock(f"image-{name.replace('/', '_')}", deadline):
        if identity(engine, name):
            return
        require_disk(_GIB, f"build {checkout.path}")
        words = f"build Gatekeeper of {checkout.path}" + (f" by its {own.dockerfile}" if own.dockerfile else "")
        if own.dockerfile:
            with progress.step(words):
                _build_by_dockerfile(engine, checkout, own.dockerfile, name, deadline)
        else:
            _build_by_go(engine, checkout, version, name, deadline, progress, words)


def _build_by_dockerfile(
    engine: Engine, checkout: SourceFolder, dockerfile: str, name: str, deadline: Deadline
) -> None:
    folder = Path(checkout.path)
    checkout.require_unchanged()
    try:
        named = ["--tag", name, "--label", f"{IMAGE}={name}"]
        engine.run(["build", "--quiet", *named, "--file", folder / dockerfile, folder], deadline)
    except CommandFailed as error:
        raise ImageUnavailable(f"{folder / dockerfile} does not build: {error}") from error


def _build_by_go(
    engine: Engine,
    checkout: SourceFolder,
    version: str,
    name: str,
    deadline: Deadline,
    progress: Progress,
    words: str,
) -> None:
    folder = Path(checkout.path)
    if why := missing(folder, {}):
        raise ImageUnavailable(f"{folder} is not built: {why}")
    module = _MODULE.search((folder / "go.mod").read_text(encoding="utf-8"))
    variables = {f"{module[1]}/pkg/version.Version": version} if module else {}
    with scratch_folder("checkout") as scratch:
        with progress.step(words) as step:
            build(Program((".",), variables), folder, scratch / "built", deadline, step, fixed=False)
        checkout.require_unchanged()
        (binary,) = (scratch / "built").iterdir()
        catalogue.load_gatekeeper(engine, name, binary)
