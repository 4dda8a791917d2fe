"""Images of a shape: found, pulled or built, and exported for machines without a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import ImageUnavailable
from chaos_harness.clusters.images import catalogue, plan, sources
from chaos_harness.clusters.images.catalogue import ImageEntry
from chaos_harness.clusters.images.making import make_artefacts
from chaos_harness.clusters.images.own_checkout import build_checkout
from chaos_harness.clusters.images.own_image import require_images
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.pulling import PullProblem, host
from chaos_harness.clusters.images.resolve import LocalImage, Origin, find, make, pull
from chaos_harness.clusters.images.tool_sources import TOOLS
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["Images", "ensure", "entries"]


@dataclass(frozen=True)
class Images:
    """The images of a shape by their names in the engine; `origin` and `ids` say where each came from, and its ID.

    `releases` are those of further versions of Gatekeeper, which steps upgrade to, by the names that nodes know; `own`
    are those of the user's.
    """

    node: str
    gatekeeper: str | None
    gatekeeper_crds: str | None
    registry: str | None
    balancer: str | None = None
    origin: dict[str, Origin] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    releases: dict[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()


def entries(shape: Shape) -> dict[str, ImageEntry]:
    """Return the images that `shape` needs, by their role; one of the user's own is in the engine, or nowhere."""
    needed = {"node": catalogue.node_image(shape.kubernetes)}
    if shape.gatekeeper:
        if not (shape.own and shape.own.image):
            needed["gatekeeper"] = catalogue.gatekeeper(shape.gatekeeper)
        if shape.install == "chart":
            needed["gatekeeper_crds"] = catalogue.gatekeeper_crds(shape.gatekeeper)
        needed |= _of_releases(shape)
    if shape.registry:
        needed["registry"] = catalogue.registry()
    if shape.control_planes > 1:
        needed["balancer"] = catalogue.balancer()
    return needed


def _own_names(shape: Shape) -> list[str]:
    """Return the names of the images of the user's own that a shape needs."""
    return [*([shape.own.image] if shape.own and shape.own.image else []), *shape.images]


def _of_releases(shape: Shape) -> dict[str, ImageEntry]:
    """Return the images of the versions that steps upgrade to, by the names that nodes know."""
    needed = {f"{catalogue.GATEKEEPER}:{version}": catalogue.gatekeeper(version) for version in shape.releases}
    if shape.install == "chart":
        crds = {f"{catalogue.CRDS}:{version}": catalogue.gatekeeper_crds(version) for version in shape.releases}
        needed |= crds
    return needed


def ensure(
    engine: Engine, shapes: Shape | Sequence[Shape], progress: Progress, rules: PullRules | None = None
) -> Images:
    """Make sure that the engine holds every image of `shapes`, and the cache all else that clusters of them need.

    `rules` default to the shipped lock and the environment's mirror. Returns the images of the first shape. First a
    plan is shown: where all that is not there will come from. Files of releases are fetched and images pulled first;
    then the images that could not be pulled are built, while root file systems are downloaded. Raises ImageUnavailable
    (also: disk full), before anything is built with all files that are not available and all images that can be neither
    pulled nor built, BadScenario (lock), and stops everything it started if it is interrupted.
    """
    wanted = [shapes] if isinstance(shapes, Shape) else list(shapes)
    with progress.group("images"):
        return _ensure(engine, wanted, progress, rules or PullRules.read())


def _ensure(engine: Engine, wanted: Sequence[Shape], progress: Progress, rules: PullRules) -> Images:
    for shape in wanted:
        if shape.own and shape.own.checkout:
            build_checkout(engine, shape.own, str(shape.gatekeeper), progress)
    own = require_images(engine, [name for shape in wanted for name in _own_names(shape)])
    needed = {entry.name: entry for shape in wanted for entry in entries(shape).values()}
    held = {name: here for name, entry in needed.items() if (here := find(engine, entry, rules))}
    _show_plan([entry for name, entry in needed.items() if name not in held], wanted, rules, progress)
    problems = []
    try:
        sources.prepare_downloads(wanted, rules, progress)
    except ImageUnavailable as error:
        problems.append(str(error))
    not_pulled = _pull_all(
        {name: entry for name, entry in needed.items() if name not in held}, held, engine, rules, progress
    )
    missing = {name: entry for name, entry in needed.items() if name not in held}
    problems += _describe_unbuildable(missing, not_pulled, rules)
    if problems:
        saved = f"`{command_line('images --')} --load FILE` brings a set that was saved elsewhere"
        if any(rules.binds(entry.lock) for entry in missing.values()):
            saved = "without --locked, images that were built or loaded are used, too"
        raise ImageUnavailable("\n".join([*problems, f"`{command_line('doctor')}` shows the sources of all; {saved}"]))
    make_artefacts([artefact for entry in missing.values() for artefact in entry.artefacts], progress)
    held |= {name: make(engine, entry, rules, progress) for name, entry in missing.items()}
    sources.prepare_tools(wanted, progress)
    roles = {role: held[entry.name].name for role, entry in entries(wanted[0]).items()}
    all_images = [*own, *held.values()]
    if wanted[0].own and wanted[0].own.image:
        roles["gatekeeper"] = wanted[0].own.image
    return Images(
        node=roles["node"],
        gatekeeper=roles.get("gatekeeper"),
        gatekeeper_crds=roles.get("gatekeeper_crds"),
        registry=roles.get("registry"),
        balancer=roles.get("balancer"),
        origin={image.name: image.origin for image in all_images},
        ids={image.name: image.id for image in all_images},
        releases={role: roles[role] for role in _of_releases(wanted[0])},
        own=wanted[0].images,
    )


def _show_plan(missing: Sequence[ImageEntry], shapes: Sequence[Shape], rules: PullRules, progress: Progress) -> None:
    """Show where the missing images and tools will come from. Raises ImageUnavailable if there is no way to a tool."""
    supplies = [plan.image_supply(entry, rules, held=lambda _: False) for entry in missing]
    supplies += [plan.tool_supply(name) for name in sources.needed_tools(shapes)]
    for supply in supplies:
        if not supply.there:
            progress.say(f"   plan: {supply.name}: {supply.words}")
    lacking = [supply for supply in supplies if supply.name in TOOLS and not supply.possible]
    if lacking:
        lines = [f"{supply.name} is {supply.words}" for supply in lacking]
        raise ImageUnavailable("\n".join([*lines, f"`{command_line('doctor')}` shows the sources of all"]))


def _pull_all(
    missing: Mapping[str, ImageEntry],
    held: dict[str, LocalImage],
    engine: Engine,
    rules: PullRules,
    progress: Progress,
) -> dict[str, PullProblem]:
    """Pull the missing images into `held`; return why the others cannot be pulled, by their names.

    Each is tried once, and a registry that does not answer is asked no more.
    """
    problems: dict[str, PullProblem] = {}
    silent: dict[str, PullProblem] = {}
    for name, entry in missing.items():
        registry = host(rules.asked(rules.known(entry.lock) or entry.published))
        pulled = silent.get(registry) or pull(engine, entry, rules, progress)
        if isinstance(pulled, LocalImage):
            held[name] = pulled
        elif pulled:
            problems[name] = pulled
            if pulled.cause == "unreachable":
                silent.setdefault(registry, pulled)
    for problem in dict.fromkeys(problems.values()):
        progress.say(f"   {problem}")
    return problems


def _describe_unbuildable(
    missing: Mapping[str, ImageEntry], not_pulled: Mapping[str, PullProblem], rules: PullRules
) -> list[str]:
    """Return the reasons why images were not pulled and are not built here, with the images that share them."""
    sharing: dict[tuple[str, str], list[str]] = {}
    for name, entry in missing.items():
        lacks = "; ".join(plan.lacks([entry]))
        unbuilt = f"none of it can be built here: {lacks}" if lacks else ""
        if rules.binds(entry.lock):
            unbuilt = "--locked takes nothing that was built or loaded instead"
        if unbuilt:
            why = str(not_pulled.get(name) or "not in the lock, so not pulled")
            sharing.setdefault((why, unbuilt), []).append(entry.lock)
    return [f"{', '.join(entries)}: {why}\n  and {unbuilt}" for (why, unbuilt), entries in sharing.items()]
