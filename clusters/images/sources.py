"""Sources on this machine: Gatekeeper's own manifest and chart, and the command line tools that the harness calls."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from chaos_harness.clusters.errors import ImageUnavailable
from chaos_harness.clusters.images import binaries, gatekeeper_release, tool_sources
from chaos_harness.clusters.images.chart_values import require_known_values
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress

__all__ = [
    "gatekeeper_source",
    "needed_tools",
    "prepare_downloads",
    "prepare_tools",
    "require_right_values",
    "tool",
]


def tool(name: str, progress: Progress | None = None) -> Path:
    """Return the path of kind or helm from the first source that there is (`tool_sources`). Raises ImageUnavailable."""
    return tool_sources.get(tool_sources.TOOLS[name], progress or Progress.quiet())


def needed_tools(shapes: Sequence[Shape]) -> list[str]:
    """Return the names of the tools with which clusters of `shapes` are created."""
    charts = any(shape.gatekeeper and shape.install == "chart" for shape in shapes)
    return ["kind", *(["helm"] if charts else [])]


def prepare_tools(shapes: Sequence[Shape], progress: Progress) -> None:
    """Make the tools that create clusters of `shapes`, before the time limit of the creation starts.

    Raises ImageUnavailable if something is not available.
    """
    for name in needed_tools(shapes):
        tool(name, progress)


def prepare_downloads(shapes: Sequence[Shape], rules: PullRules, progress: Progress) -> None:
    """Fetch what `shapes` need from releases: tools that have no better source, and Gatekeeper's manifests and charts.

    Raises ImageUnavailable with all that are not available, or not what they must be by `rules`; BadScenario with the
    values that a chart does not know.
    """
    named = (version for shape in shapes for version in (shape.gatekeeper, *shape.releases))
    versions = list(dict.fromkeys(filter(None, named)))
    released = [name for name in needed_tools(shapes) if tool_sources.is_downloaded(tool_sources.TOOLS[name])]
    steps: list[Callable[[], object]] = [partial(tool, name, progress) for name in released]
    steps += [partial(_prepare_release, version, rules, progress) for version in versions]
    problems = []
    for step in steps:
        try:
            step()
        except ImageUnavailable as error:
            problems.append(str(error))
    if problems:
        raise ImageUnavailable("\n".join(problems))
    for shape in shapes:
        require_right_values(shape)


def require_right_values(shape: Shape) -> None:
    """Raise BadScenario with the values of the shape's own file that the chart does not know.

    A chart that was not fetched yet says nothing: it is asked again when it is there.
    """
    if shape.gatekeeper and shape.own and shape.own.values:
        source = binaries.gatekeeper_source(shape.gatekeeper)
        if source.folder.is_dir():
            require_known_values(shape.own.values, source.folder / "charts" / "gatekeeper")


def _prepare_release(version: str, rules: PullRules, progress: Progress) -> None:
    gatekeeper_release.verify(version, gatekeeper_source(version, progress), rules, progress)


def gatekeeper_source(version: str, progress: Progress | None = None) -> Path:
    """Return the folder with Gatekeeper's deploy/gatekeeper.yaml and charts/gatekeeper.

    Raises ImageUnavailable if they are not available.
    """
    return binaries.gatekeeper_source(version).get(progress or Progress.quiet())
