"""Charts: the Helm charts that an incident sets up, in folders beside it, which must be whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos_harness.clusters.machine import bounded_files
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.object_files import find_beside
from chaos_harness.harness.incident.yaml_source import YamlSource, parse, read

__all__ = ["SetupChart", "charts_of"]

_FILE = "Chart.yaml"
_MOST_FILES = 500
_MOST_BYTES = 4 * 2**20
_MANIFESTS = (".yaml", ".yml", ".json")
_CRD = "CustomResourceDefinition"
_OF_CHARTS = ("values", "release", "namespace")


@dataclass(frozen=True)
class SetupChart:
    """A chart to install: its folder, its `release` and namespace, and a file of values.

    `definitions` are those of its folder `crds`, by name, which helm never takes away; `files` are all that it needs.
    """

    folder: Path
    release: str
    namespace: str
    values: Path | None
    definitions: tuple[str, ...]
    files: tuple[Path, ...]


def charts_of(source: YamlSource) -> tuple[dict[int, SetupChart], list[str]]:
    """Return the charts of an incident by the numbers of their items in `setup`, and all problems of them."""
    charts: dict[int, SetupChart] = {}
    problems: list[str] = []
    items = source.data.get("setup")
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict):
            continue
        if item.get("chart") is None:
            problems += _alone(source, number, item)
            continue
        try:
            charts[number] = _chart(source, number, item)
        except BadScenario as error:
            problems += error.problems
    return charts, problems


def _alone(source: YamlSource, number: int, item: Mapping[str, Any]) -> Iterator[str]:
    for name in _OF_CHARTS:
        if item.get(name) is not None:
            yield source.problem(("setup", number, name), f"{name} is of a chart: name its folder in `chart`")


def _chart(source: YamlSource, number: int, item: Mapping[str, Any]) -> SetupChart:
    place = ("setup", number)
    folder = find_beside(source, (*place, "chart"), item["chart"], folder=True)
    if not (folder / _FILE).is_file():
        raise BadScenario(source.problem((*place, "chart"), f"no {_FILE} in {folder}: it is no chart"))
    there = [path.name for path in (folder / "charts").iterdir()] if (folder / "charts").is_dir() else []
    try:
        lacking = [name for name in _needed(folder) if not any(one.startswith(name) for one in there)]
    except ValueError as error:
        raise BadScenario(source.problem((*place, "chart"), f"{folder / _FILE}: {error}")) from error
    if lacking:
        words = f"it needs the charts {', '.join(lacking)}; run: helm dependency build {folder}"
        raise BadScenario(source.problem((*place, "chart"), words))
    values = item.get("values")
    file = None if values is None else find_beside(source, (*place, "values"), values)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    if len(files) > _MOST_FILES:
        raise BadScenario(source.problem((*place, "chart"), f"{len(files)} files; the limit is {_MOST_FILES}"))
    release, namespace = item.get("release") or folder.name, item.get("namespace") or "default"
    defined = tuple(_definitions(folder))
    return SetupChart(folder, str(release), str(namespace), file, defined, (*files, *([file] if file else ())))


def _needed(folder: Path) -> list[str]:
    """Return the names of the charts that a chart depends on, which nothing fetches here.

    Raises ValueError for a file that describes no chart.
    """
    documents = read(folder / _FILE)
    chart = documents[0].data if documents else None
    if not isinstance(chart, dict) or not all(isinstance(chart.get(name), str) for name in ("name", "version")):
        raise ValueError("expected a chart's name and version, as texts")
    needed = chart.get("dependencies") or []
    if not isinstance(needed, list) or not all(isinstance(one, dict) and "name" in one for one in needed):
        raise ValueError("dependencies: expected a list of charts, each with its name")
    return [str(one["name"]) for one in needed]


def _definitions(folder: Path) -> Iterator[str]:
    for path in sorted((folder / "crds").rglob("*")):
        if path.suffix in _MANIFESTS and path.is_file():
            for document in parse(bounded_files.read_bounded_text(path, _MOST_BYTES), path):
                data = document.data if isinstance(document.data, dict) else {}
                named = data.get("metadata")
                if data.get("kind") == _CRD and isinstance(named, dict) and isinstance(named.get("name"), str):
                    yield named["name"]
