"""Archive: an image on its way from the engine into containerd of nodes."""

from collections.abc import Sequence

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.machine.scratch import hold_folder

__all__ = ["import_image"]

_IMPORT = ("ctr", "--namespace", "k8s.io", "images", "import", "--digests", "-")


def import_image(engine: Engine, image: str, nodes: Sequence[str], deadline: Deadline) -> None:
    """Copy `image` from the engine into containerd of the containers `nodes`, for the nodes' own platform.

    `kind load` asks containerd for all platforms of the image. Of an image that was pulled, an engine with containerd's
    image store has an index of all of them, and the content of one: the import then fails (kind#3795). Raises
    CommandFailed, DeadlineExceeded.
    """
    with hold_folder("image") as folder:
        archive = folder / "image.tar"
        with archive.open("wb") as file:
            engine.run(["save", image], deadline, stdout=file)
        for node in nodes:
            with archive.open("rb") as file:
                engine.run(["exec", "--interactive", node, *_IMPORT], deadline, stdin=file)
