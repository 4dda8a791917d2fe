"""Files: the objects that an incident applies, written in it or in files beside it, which are read safely."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from chaos_harness.clusters.api import names
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.yaml_source import Location, Source, read

__all__ = ["Manifest", "Objects", "lacks", "objects_of"]

Manifest = Mapping[str, Any]
Objects = tuple[Manifest, ...]
"""What one item applies, in its order."""

_MOST_OBJECTS = 500
_MOST_ITEMS = 200
_MOST_BYTES = 4 * 2**20
"""Of all files that an incident names, each of which is read once, however often it is named."""

_REFUSED = "secret"


def objects_of(source: Source) -> tuple[list[Objects], list[Objects], list[Path], list[str]]:
    """Return the objects of each policy and workload item, the files that they are in, and all problems of them."""
    found: dict[str, list[Objects]] = {"policies": [], "workload": []}
    files: dict[Path, list[Source]] = {}
    problems: list[str] = []
    for name, objects in found.items():
        items = source.data.get(name)
        for index, item in enumerate(items[:_MOST_ITEMS] if isinstance(items, list) else ()):
            if isinstance(item, dict):
                try:
                    objects.append(_objects(source, (name, index), item, files))
                except BadScenario as error:
                    problems += error.problems
    total = sum(len(objects) for items in found.values() for objects in items)
    if total > _MOST_OBJECTS:
        problems.append(source.problem((), f"{total} objects, {_MOST_OBJECTS} are the most"))
    return found["policies"], found["workload"], list(files), problems


def _objects(source: Source, place: Location, item: Manifest, files: dict[Path, list[Source]]) -> Objects:
    allowed = ("object", "file", "policy") if place[0] == "policies" else ("object", "file")
    given = [name for name in allowed if item.get(name) is not None]
    if len(given) != 1:
        raise BadScenario(source.problem(place, f"expected one of {', '.join(allowed)}"))
    if given == ["policy"]:
        return ()  # its objects are the harness's own
    value = item[given[0]]
    if given == ["object"]:
        documents, problems = [value], [source.problem((*place, "object", *at), said) for at, said in lacks(value)]
    else:
        path = _beside(source, (*place, "file"), value)
        if path not in files and sum(map(_size, files)) + _size(path) > _MOST_BYTES:
            words = f"with it the files have more than {_MOST_BYTES // 2**20} MiB, which is the most"
            raise BadScenario(source.problem((*place, "file"), words))
        sources = files[path] = files.get(path) or read(path)
        documents = [each.data for each in sources]
        problems = [each.problem(at, said) for each in sources for at, said in lacks(each.data)]
    if problems:
        raise BadScenario(problems)
    return tuple(documents)


def _beside(source: Source, place: Location, name: Any) -> Path:
    """Return the file that is meant, if it is below the incident's own directory, links followed."""
    if not isinstance(name, str):
        raise BadScenario(source.problem(place, "expected the name of a file"))
    parts = PurePosixPath(name)
    folder = source.path.parent.resolve()
    try:
        path = (folder / parts).resolve()
        found = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, a circle of links, a folder that is closed
        said = getattr(error, "strerror", None) or error
        raise BadScenario(source.problem(place, f"{name[:80]!r} cannot be looked for: {said}")) from error
    if parts.is_absolute() or ".." in parts.parts or not path.is_relative_to(folder):
        raise BadScenario(source.problem(place, f"{name[:80]!r} leads out of the incident's directory"))
    if not found:
        raise BadScenario(source.problem(place, f"no file {name[:80]!r} in {folder}"))
    return source.path.parent / parts


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # which reading it tells


def lacks(found: Any) -> Iterator[tuple[Location, str]]:
    """Yield what a manifest lacks to be applied, and what does not belong into one that others apply."""
    if not isinstance(found, dict):
        yield (), "expected an object of Kubernetes"
        return
    if any(_is_secret(each) for each in _parts(found)) or str(found.get("kind")).lower() == _REFUSED:
        yield (), "a Secret does not belong into a file that is passed on"
        return
    metadata = found.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    given = {"apiVersion": found.get("apiVersion"), "kind": found.get("kind"), "metadata.name": metadata.get("name")}
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            yield (), f"an object needs the field {name}"
    if not isinstance(metadata.get("namespace", ""), str):
        yield ("metadata", "namespace"), f"expected a namespace's name, found {str(metadata['namespace'])[:80]!r}"
    yield from names.refused_of(found)
    if str(found.get("kind")).endswith("List") and isinstance(found.get("items"), list):
        yield ("items",), "the objects of a List are applied one by one: write each as a document, behind a line of ---"


def _parts(found: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every map in a manifest."""
    if isinstance(found, dict):
        yield found
    for each in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from _parts(each)


def _is_secret(part: Mapping[str, Any]) -> bool:
    kind = str(part.get("kind")).lower()
    return (kind == _REFUSED and ("data" in part or "stringData" in part)) or kind == f"{_REFUSED}list"
