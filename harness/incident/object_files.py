"""Object files: the objects that an incident applies, inline or in files beside it, which are read safely."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.objects import Object
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.references import NOTHING_ELSEWHERE, find_references
from chaos_harness.harness.incident.yaml_source import Location, YamlSource, read
from chaos_harness.harness.policies.shapes import misshapen_policy

__all__ = ["Objects", "OwnFiles", "find_beside", "objects_of", "problems_of_manifest"]

Objects = tuple[Object, ...]
"""The objects of one item, in order."""

_MOST_OBJECTS = 500
_MOST_ITEMS = 200
_MOST_BYTES = 4 * 2**20
"""Limit for all files of an incident together; each file is read and counted once."""

_REFUSED = "secret"

_BESIDES = {"policies": ("policy",), "setup": ("chart",)}
"""What an item may have in place of objects."""


@dataclass
class OwnFiles:
    """The files beside an incident that were read, and all objects that were loaded, from them and inline."""

    read: dict[Path, list[YamlSource]] = field(default_factory=dict)
    loaded: list[Object] = field(default_factory=list)

    def objects(self, source: YamlSource, place: Location, item: Object, *, named: bool = True) -> Objects:
        """Return the objects of an item that has `object` or `file`, which may lack a name if they need not be `named`.

        Raises BadScenario with all problems.
        """
        if item.get("object") is not None:
            documents, problems = (
                [item["object"]],
                [
                    source.problem((*place, "object", *at), said)
                    for at, said in problems_of_manifest(item["object"], named=named)
                ],
            )
        else:
            sources = self._read(source, (*place, "file"), item["file"])
            documents = [document.data for document in sources]
            problems = [
                document.problem(at, said)
                for document in sources
                for at, said in problems_of_manifest(document.data, named=named)
            ]
        if problems:
            raise BadScenario(problems)
        return tuple(documents)

    def _read(self, source: YamlSource, place: Location, name: Any) -> list[YamlSource]:
        path = find_beside(source, place, name)
        if path not in self.read and sum(map(_size, self.read)) + _size(path) > _MOST_BYTES:
            words = f"with this file all files have more than {_MOST_BYTES // 2**20} MiB, the limit"
            raise BadScenario(source.problem(place, words))
        sources = self.read[path] = self.read.get(path) or read(path)
        return sources


def objects_of(source: YamlSource, files: OwnFiles) -> tuple[dict[str, list[Objects]], list[str]]:
    """Return the objects of each item of setup, policies and workload, by these fields, and all problems.

    They are `loaded` by the files.
    """
    by_field: dict[str, list[Objects]] = {"setup": [], "policies": [], "workload": []}
    problems: list[str] = []
    for name, objects in by_field.items():
        items = source.data.get(name)
        for index, item in enumerate(items[:_MOST_ITEMS] if isinstance(items, list) else ()):
            if isinstance(item, dict):
                try:
                    objects.append(_objects(source, (name, index), item, files))
                    files.loaded += objects[-1]
                except BadScenario as error:
                    problems += error.problems
    total = sum(len(objects) for items in by_field.values() for objects in items)
    if total > _MOST_OBJECTS:
        problems.append(source.problem((), f"{total} objects; the limit is {_MOST_OBJECTS}"))
    return by_field, problems


def _objects(source: YamlSource, place: Location, item: Object, files: OwnFiles) -> Objects:
    allowed = ("object", "file", *_BESIDES.get(str(place[0]), ()))
    given = [name for name in allowed if item.get(name) is not None]
    if len(given) != 1:
        raise BadScenario(source.problem(place, f"expected one of {', '.join(allowed)}"))
    if given in (["policy"], ["chart"]):
        return ()  # its objects are the harness's own, or made by helm
    objects = files.objects(source, place, item)
    if place[0] == "setup" and (late := [one for one in objects if _is_gatekeepers(one)]):
        named = f"{late[0]['kind']} {late[0]['metadata']['name']}"
        raise BadScenario(source.problem(place, f"{named} is Gatekeeper's: put it into `policies`, which waits for it"))
    return objects


def _is_gatekeepers(manifest: Object) -> bool:
    return str(manifest["apiVersion"]).partition("/")[0].endswith(".gatekeeper.sh")


def find_beside(source: YamlSource, place: Location, name: Any, *, folder: bool = False) -> Path:
    """Return the named file, or `folder`, if it is in the incident's own directory or below, also behind links.

    Raises BadScenario.
    """
    what = "folder" if folder else "file"
    if not isinstance(name, str):
        raise BadScenario(source.problem(place, f"expected the name of a {what}"))
    parts = PurePosixPath(name)
    root = source.path.parent.resolve()
    try:
        path = (root / parts).resolve()
        exists = path.is_dir() if folder else path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, a circle of links, a folder that is closed
        said = getattr(error, "strerror", None) or error
        raise BadScenario(source.problem(place, f"{name[:80]!r} cannot be looked for: {said}")) from error
    if parts.is_absolute() or ".." in parts.parts or not path.is_relative_to(root):
        raise BadScenario(source.problem(place, f"{name[:80]!r} leads out of the incident's directory"))
    if not exists:
        raise BadScenario(source.problem(place, f"no {what} {name[:80]!r} in {root}"))
    return source.path.parent / parts


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading the file reports the error


def problems_of_manifest(manifest: Any, *, named: bool = True) -> Iterator[tuple[Location, str]]:
    """Yield (location, message) for each reason why a manifest cannot be applied, or must not be in a shared file.

    `named`: whether it needs a name.
    """
    if not isinstance(manifest, dict):
        yield (), "expected an object of Kubernetes"
        return
    if any(_is_secret(part) for part in _parts(manifest)) or str(manifest.get("kind")).lower() == _REFUSED:
        yield (), "a Secret does not belong into a file that is passed on"
        return
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    given = {
        "apiVersion": manifest.get("apiVersion"),
        "kind": manifest.get("kind"),
        **({"metadata.name": metadata.get("name")} if named or "name" in metadata else {}),
    }
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            yield (), f"an object needs the field {name}"
    if not isinstance(metadata.get("namespace", ""), str):
        yield ("metadata", "namespace"), f"expected a namespace's name, found {str(metadata['namespace'])[:80]!r}"
    yield from object_names.manifest_problems(manifest)
    if named:  # what is asked about may be wrong on purpose
        yield from misshapen_policy(manifest)
    for place, reference in find_references(manifest):
        yield place, f"{reference[0]} {NOTHING_ELSEWHERE}"
    if str(manifest.get("kind")).endswith("List") and isinstance(manifest.get("items"), list):
        yield ("items",), "the objects of a List are applied one by one: write each as a document, behind a line of ---"


def _parts(part: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every map in a manifest."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _parts(inner)


def _is_secret(part: Mapping[str, Any]) -> bool:
    kind = str(part.get("kind")).lower()
    return (kind == _REFUSED and ("data" in part or "stringData" in part)) or kind == f"{_REFUSED}list"
