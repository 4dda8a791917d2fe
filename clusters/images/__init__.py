"""Images of a shape: found, pulled or built, and exported for machines without a network."""

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.images import catalogue, sources
from chaos_harness.clusters.images.catalogue import ImageEntry
from chaos_harness.clusters.images.resolve import LocalImage, Origin, find, make, read_lock
from chaos_harness.clusters.images.store import Artefact
from chaos_harness.clusters.machine import process
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["Images", "ensure", "entries"]

_ENDING_SECONDS = 0.1


@dataclass(frozen=True)
class Images:
    """The images of a shape by their names in the engine; `origin` and `ids` say where each came from, and its ID."""

    node: str
    gatekeeper: str | None
    gatekeeper_crds: str | None
    registry: str | None
    balancer: str | None = None
    origin: dict[str, Origin] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)


def entries(shape: Shape) -> dict[str, ImageEntry]:
    """Return the images that `shape` needs, by their role."""
    needed = {"node": catalogue.node_image(shape.kubernetes)}
    if shape.gatekeeper:
        needed["gatekeeper"] = catalogue.gatekeeper(shape.gatekeeper)
        if shape.install == "chart":
            needed["gatekeeper_crds"] = catalogue.gatekeeper_crds(shape.gatekeeper)
    if shape.registry:
        needed["registry"] = catalogue.registry()
    if shape.control_planes > 1:
        needed["balancer"] = catalogue.balancer()
    return needed


def ensure(engine: Engine, shapes: Shape | Sequence[Shape], progress: Progress) -> Images:
    """Make sure that the engine holds every image of `shapes`, and the cache all else that clusters of them need.

    Returns the images of the first shape. Images in the lock are pulled first; then the others are built, while root
    file systems are downloaded. Raises ImageUnavailable (also: disk full), BadScenario (lock), and stops everything it
    started if it is interrupted.
    """
    wanted = [shapes] if isinstance(shapes, Shape) else list(shapes)
    needed = {entry.name: entry for shape in wanted for entry in entries(shape).values()}
    lock = read_lock()
    held: dict[str, LocalImage] = {}
    for name, entry in needed.items():
        if here := find(engine, entry, lock, progress):
            held[name] = here
    missing = {name: entry for name, entry in needed.items() if name not in held}
    _make_artefacts([artefact for entry in missing.values() for artefact in entry.artefacts], progress)
    held |= {name: make(engine, entry, lock, progress) for name, entry in missing.items()}
    sources.prepare_sources(wanted, progress)
    roles = {role: held[entry.name].name for role, entry in entries(wanted[0]).items()}
    return Images(
        node=roles["node"],
        gatekeeper=roles.get("gatekeeper"),
        gatekeeper_crds=roles.get("gatekeeper_crds"),
        registry=roles.get("registry"),
        balancer=roles.get("balancer"),
        origin={image.name: image.origin for image in held.values()},
        ids={image.name: image.id for image in held.values()},
    )


def _make_artefacts(wanted: Sequence[Artefact], progress: Progress) -> None:
    """Make the missing artefacts, each once; if one fails, the others are stopped at once."""
    artefacts = list({artefact.folder: artefact for artefact in wanted}.values())
    downloads = [artefact for artefact in artefacts if artefact.name.endswith("-rootfs")]
    builds = [artefact for artefact in artefacts if artefact not in downloads]

    def make_all(those: Sequence[Artefact]) -> None:
        for artefact in those:
            artefact.get(progress)

    with ThreadPoolExecutor(max_workers=2) as threads:
        parts = [threads.submit(make_all, those) for those in (downloads, builds)]
        try:
            wait(parts, return_when=FIRST_EXCEPTION)
            for part in filter(Future.done, parts):
                part.result()
        except BaseException:
            while wait(parts, timeout=_ENDING_SECONDS).not_done:  # a thread may be between two commands
                process.end_all()
            raise
