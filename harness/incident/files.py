"""Files: the objects that an incident applies, written in it or in files beside it, which are read safely."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from clusters import names
from harness.errors import BadScenario
from harness.incident.source import Location, Source, read

__all__ = ["Manifest", "Objects", "objects_of"]

Manifest = Mapping[str, Any]
Objects = tuple[Manifest, ...]
"""What one item applies, in its order."""

_MOST_OBJECTS = 500


def objects_of(source: Source) -> tuple[list[Objects], list[Objects], list[Path], list[str]]:
    """Return the objects of each policy and workload item, the files that they are in, and all problems of them."""
    found: dict[str, list[Objects]] = {"policies": [], "workload": []}
    files: dict[Path, None] = {}
    problems: list[str] = []
    for name, objects in found.items():
        items = source.data.get(name)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                try:
                    objects.append(_objects(source, (name, index), item, files))
                except BadScenario as error:
                    problems += error.problems
    total = sum(len(objects) for items in found.values() for objects in items)
    if total > _MOST_OBJECTS:
        problems.append(source.problem((), f"{total} objects, {_MOST_OBJECTS} are the most"))
    return found["policies"], found["workload"], list(files), problems


def _objects(source: Source, place: Location, item: Manifest, files: dict[Path, None]) -> Objects:
    allowed = ("object", "file", "policy") if place[0] == "policies" else ("object", "file")
    given = [name for name in allowed if item.get(name) is not None]
    if len(given) != 1:
        raise BadScenario(source.problem(place, f"expected one of {', '.join(allowed)}"))
    if given == ["policy"]:
        return ()  # its objects are the harness's own
    value = item[given[0]]
    if given == ["object"]:
        documents, problems = [value], [source.problem((*place, "object", *at), said) for at, said in _lacks(value)]
    else:
        path = _beside(source, (*place, "file"), value)
        files[path] = None
        sources = read(path)
        documents = [each.data for each in sources]
        problems = [each.problem(at, said) for each in sources for at, said in _lacks(each.data)]
    if problems:
        raise BadScenario(problems)
    return tuple(documents)


def _beside(source: Source, place: Location, name: Any) -> Path:
    """Return the file that is meant, if it is below the incident's own directory, links followed."""
    if not isinstance(name, str):
        raise BadScenario(source.problem(place, "expected the name of a file"))
    parts = PurePosixPath(name)
    folder = source.path.parent.resolve()
    path = (folder / parts).resolve()
    if parts.is_absolute() or ".." in parts.parts or not path.is_relative_to(folder):
        raise BadScenario(source.problem(place, f"{name!r} leads out of the incident's directory"))
    if not path.is_file():
        raise BadScenario(source.problem(place, f"no file {name!r} in {folder}"))
    return source.path.parent / parts


def _lacks(found: Any) -> Iterator[tuple[Location, str]]:
    """Yield what a manifest lacks to be applied."""
    if not isinstance(found, dict):
        yield (), "expected an object of Kubernetes"
        return
    for name in ("apiVersion", "kind"):
        if not isinstance(found.get(name), str) or not found[name]:
            yield (), f"an object needs the field {name}"
    metadata = found.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        yield (), "an object needs the field metadata.name"
    yield from names.refused_of(found)
    if found.get("kind") == "Secret":
        yield (), "a Secret does not belong into a file that is passed on"
