"""Object files: the objects that an incident applies, inline or in files beside it, which are read safely."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.objects import Object
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.references import NOTHING_ELSEWHERE, find_references
from chaos_harness.harness.incident.yaml_source import Location, YamlSource, read

__all__ = ["Objects", "find_file", "is_secret", "objects_of", "problems_of_manifest"]

Objects = tuple[Object, ...]
"""The objects of one item, in order."""

_MOST_OBJECTS = 500
_MOST_ITEMS = 200
_MOST_BYTES = 4 * 2**20
"""Limit for all files of an incident together; each file is read and counted once."""

_REFUSED = "secret"


def objects_of(source: YamlSource) -> tuple[list[Objects], list[Objects], list[Path], list[str]]:
    """Return the objects of each policy and workload item, the files that they come from, and all problems."""
    by_field: dict[str, list[Objects]] = {"policies": [], "workload": []}
    files: dict[Path, list[YamlSource]] = {}
    problems: list[str] = []
    for name, objects in by_field.items():
        items = source.data.get(name)
        for index, item in enumerate(items[:_MOST_ITEMS] if isinstance(items, list) else ()):
            if isinstance(item, dict):
                try:
                    objects.append(_objects(source, (name, index), item, files))
                except BadScenario as error:
                    problems += error.problems
    total = sum(len(objects) for items in by_field.values() for objects in items)
    if total > _MOST_OBJECTS:
        problems.append(source.problem((), f"{total} objects; the limit is {_MOST_OBJECTS}"))
    return by_field["policies"], by_field["workload"], list(files), problems


def _objects(source: YamlSource, place: Location, item: Object, files: dict[Path, list[YamlSource]]) -> Objects:
    allowed = ("object", "file", "policy", "suite") if place[0] == "policies" else ("object", "file")
    given = [name for name in allowed if item.get(name) is not None]
    if len(given) != 1:
        raise BadScenario(source.problem(place, f"expected one of {', '.join(allowed)}"))
    if given in (["policy"], ["suite"]):
        return ()  # its objects are the harness's own, or see `suite_items`
    value = item[given[0]]
    if given == ["object"]:
        documents, problems = (
            [value],
            [source.problem((*place, "object", *at), said) for at, said in problems_of_manifest(value)],
        )
    else:
        path = find_file(source, (*place, "file"), value)
        if path not in files and sum(map(_size, files)) + _size(path) > _MOST_BYTES:
            words = f"with this file all files have more than {_MOST_BYTES // 2**20} MiB, the limit"
            raise BadScenario(source.problem((*place, "file"), words))
        sources = files[path] = files.get(path) or read(path)
        documents = [document.data for document in sources]
        problems = [
            document.problem(at, said) for document in sources for at, said in problems_of_manifest(document.data)
        ]
    if problems:
        raise BadScenario(problems)
    return tuple(documents)


def find_file(source: YamlSource, place: Location, name: Any) -> Path:
    """Return the named file if it is in the incident's own directory or below, also after following links.

    Raises BadScenario.
    """
    if not isinstance(name, str):
        raise BadScenario(source.problem(place, "expected the name of a file"))
    parts = PurePosixPath(name)
    folder = source.path.parent.resolve()
    try:
        path = (folder / parts).resolve()
        exists = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, a circle of links, a folder that is closed
        said = getattr(error, "strerror", None) or error
        raise BadScenario(source.problem(place, f"{name[:80]!r} cannot be looked for: {said}")) from error
    if parts.is_absolute() or ".." in parts.parts or not path.is_relative_to(folder):
        raise BadScenario(source.problem(place, f"{name[:80]!r} leads out of the incident's directory"))
    if not exists:
        raise BadScenario(source.problem(place, f"no file {name[:80]!r} in {folder}"))
    return source.path.parent / parts


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading the file reports the error


def problems_of_manifest(manifest: Any) -> Iterator[tuple[Location, str]]:
    """Yield (location, message) for each reason why a manifest cannot be applied, or must not be in a shared file."""
    if not isinstance(manifest, dict):
        yield (), "expected an object of Kubernetes"
        return
    if is_secret(manifest):
        yield (), "a Secret does not belong into a file that is passed on"
        return
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    given = {
        "apiVersion": manifest.get("apiVersion"),
        "kind": manifest.get("kind"),
        "metadata.name": metadata.get("name"),
    }
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            yield (), f"an object needs the field {name}"
    if not isinstance(metadata.get("namespace", ""), str):
        yield ("metadata", "namespace"), f"expected a namespace's name, found {str(metadata['namespace'])[:80]!r}"
    yield from object_names.manifest_problems(manifest)
    for place, reference in find_references(manifest):
        yield place, f"{reference[0]} {NOTHING_ELSEWHERE}"
    if str(manifest.get("kind")).endswith("List") and isinstance(manifest.get("items"), list):
        yield ("items",), "the objects of a List are applied one by one: write each as a document, behind a line of ---"


def is_secret(manifest: Mapping[str, Any]) -> bool:
    """Whether an object is a Secret, or has the data of one in it."""
    return any(_is_secret(part) for part in _parts(manifest)) or str(manifest.get("kind")).lower() == _REFUSED


def _parts(part: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every map in a manifest."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _parts(inner)


def _is_secret(part: Mapping[str, Any]) -> bool:
    kind = str(part.get("kind")).lower()
    return (kind == _REFUSED and ("data" in part or "stringData" in part)) or kind == f"{_REFUSED}list"
