"""Charts: the Helm charts that an incident sets up, in folders beside it, which must be whole."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters.machine import bounded_files
from chaos_harness.clusters.problem_words import shorten
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.object_files import find_beside
from chaos_harness.harness.incident.yaml_source import YamlSource, parse, read

__all__ = ["SetupChart", "charts_of"]

_FILE, _VALUES = "Chart.yaml", "values.yaml"
_MOST_FILES = 500
_MOST_BYTES = 4 * 2**20
_MOST_OWN = 100
_MANIFESTS = (".yaml", ".yml", ".json")
_CRD = "CustomResourceDefinition"
_OF_CHARTS = ("values", "release", "namespace")
_RELEASE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LONGEST_RELEASE = 53
_VERSION = re.compile(r"v?\d+(\.\d+){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_INSTALLABLE = ("", "application")
_NULL = "tag:yaml.org,2002:null"


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
    return charts, [*problems, *_twice(source, charts)]


def _twice(source: YamlSource, charts: Mapping[int, SetupChart]) -> Iterator[str]:
    first: dict[tuple[str, str], int] = {}
    for number, chart in charts.items():
        earlier = first.setdefault((chart.release, chart.namespace), number)
        if earlier != number:
            words = f"release {chart.release} in namespace {chart.namespace} is that of setup.{earlier}, too"
            yield source.problem(("setup", number), f"{words}; give one of them another `release`")


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
    given, release = item.get("values"), item.get("release") or folder.name
    file = None if given is None else find_beside(source, (*place, "values"), given)
    problems = [] if item.get("release") else [((*place, "chart"), words) for words in _of_name(folder.name)]
    problems += [((*place, "values"), f"{file}: {words}") for words in (_of_values(file) if file else ())]
    if (own := folder / _VALUES).is_file():
        problems += [((*place, "chart"), f"{own}: {words}") for words in _of_values(own, most=_MOST_OWN)]
    if problems:
        raise BadScenario([source.problem(*problem) for problem in problems])
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    if len(files) > _MOST_FILES:
        raise BadScenario(source.problem((*place, "chart"), f"{len(files)} files; the limit is {_MOST_FILES}"))
    namespace, defined = item.get("namespace") or "default", tuple(_definitions(folder))
    return SetupChart(folder, str(release), str(namespace), file, defined, (*files, *([file] if file else ())))


def _of_name(name: str) -> Iterator[str]:
    """Yield that Helm takes no release by the name of a chart's folder, which it has by default."""
    if len(name) > _LONGEST_RELEASE or not _RELEASE.fullmatch(name):
        meant = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST_RELEASE].strip("-")
        yield (
            f"its folder's name {shorten(name)} cannot be that of a release: Helm takes small letters, digits, "
            f". and -, at most {_LONGEST_RELEASE}; add `release: {meant or 'NAME'}`"
        )


def _of_values(file: Path, most: int = 1) -> Iterator[str]:
    """Yield that a file holds no values as Helm reads them: a map, in which aliases may be, in `most` documents.

    Raises BadScenario if it cannot be read.
    """
    try:
        documents = list(yaml.compose_all(bounded_files.read_bounded_text(file, _MOST_BYTES), yaml.CSafeLoader))
    except (yaml.YAMLError, UnicodeError) as error:
        yield f"not YAML: {' '.join(str(error).split())}"
        return
    if len(documents) > most:
        yield f"expected one document, found {len(documents)}; Helm would read the first alone"
    elif documents and documents[0].tag != _NULL and not isinstance(documents[0], yaml.MappingNode):
        kind = "a list" if isinstance(documents[0], yaml.SequenceNode) else shorten(documents[0].value)
        yield f"expected values by their names, such as `replicas: 1`, found {kind}"


def _needed(folder: Path) -> list[str]:
    """Return the names of the charts that a chart depends on, which nothing fetches here.

    Raises ValueError for a file that describes no chart.
    """
    documents = read(folder / _FILE)
    chart = documents[0].data if documents else None
    if not isinstance(chart, dict) or not all(isinstance(chart.get(name), str) for name in ("name", "version")):
        raise ValueError("expected a chart's name and version, as texts")
    if not chart.get("apiVersion"):
        raise ValueError("apiVersion is missing; write `apiVersion: v2`")
    if "/" in chart["name"] or chart["name"] in ("", ".", ".."):
        raise ValueError(f"name: expected one such as my-chart, found {shorten(chart['name'])}")
    if not _VERSION.fullmatch(chart["version"]):
        raise ValueError(f"version: expected one such as 1.2.3, found {shorten(chart['version'])}")
    if (chart.get("type") or "") not in _INSTALLABLE:
        raise ValueError(f"type: expected application, which alone can be installed, found {shorten(chart['type'])}")
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
