"""Own Gatekeeper: what is different from a release, as the fields of a shape say it: files, image, namespace, flags."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, model_validator

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.source_folder import RECORDED, Folder

__all__ = ["FIELDS", "NAMESPACE", "RECORDED", "File", "OwnGatekeeper", "SourceFile", "flatten", "read_objects"]

NAMESPACE: Final = "gatekeeper-system"
"""Gatekeeper's namespace, as its manifest and its chart's documentation have it."""

FIELDS: Final = ("version", "install", "values", "image", "checkout", "dockerfile", "namespace", "replicas", "flags")
"""What `gatekeeper:` may hold in its long form."""

_METHODS = ("manifest", "chart")
_FILES = ("manifest", "values", "checkout")
_BUILT, _BUILT_DIGITS = "chaos-harness/gatekeeper:checkout-", 12
_MOST_BYTES = 4 * 2**20
_DIGITS = 8
_IMAGE_TAG = re.compile(r"^\s*image:.*gatekeeper:(v\d+\.\d+\.\d+)\s*$", re.MULTILINE)
_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_IMAGE = r"^[a-z0-9][a-zA-Z0-9._:/@-]{0,254}$"
_FLAG = r"^--[a-z][a-z0-9-]*(=.*)?$"
_LABEL = "gatekeeper.sh/operation"

Words = Annotated[str, Field(min_length=1, max_length=500)]


class SourceFile(BaseModel):
    """A file of the user's: where it is, and what is in it, by its sha256 ("" if it was not read)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: Words
    sha256: str = ""

    @property
    def text(self) -> str:
        """What is in it; it is what it was when the shape was read. Raises BadScenario."""
        try:
            text = Path(self.path).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise BadScenario(f"{self.path}: cannot be read: {error}") from error
        if self.sha256 and _digest(text) != self.sha256:
            raise BadScenario(f"{self.path}: changed since the run began; type the command again")
        return text


def _source(value: object, info: ValidationInfo) -> object:
    """Return the file at a path, with its digest."""
    if not isinstance(value, str) or info.context == RECORDED:
        return {"path": value} if isinstance(value, str) else value
    path = Path(value)
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8") if path.is_file() and size <= _MOST_BYTES else None
    except (OSError, ValueError) as error:
        raise ValueError(f"no file {value}: {getattr(error, 'strerror', None) or error}") from error
    if text is None:
        raise ValueError(f"{value}: expected a file of at most {_MOST_BYTES // 2**20} MiB")
    return SourceFile(path=value, sha256=_digest(text))


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


_Flag = Annotated[str, Field(pattern=_FLAG, max_length=500)]
File = Annotated[SourceFile, BeforeValidator(_source), WithJsonSchema({"type": "string", "minLength": 1})]
"""A file that a shape names by its path."""


class OwnGatekeeper(BaseModel):
    """What differs from a release.

    `manifest` is applied in place of the release's, `values` are merged into the chart's. `image` is an image that the
    engine holds; without it, the release's runs. A `checkout` of Gatekeeper's sources is built, by `go build` or by the
    `dockerfile` in it, and `image` is then the name of what comes out. `replicas` are those of the webhook's
    Deployment, and `flags` are added to the arguments of all of Gatekeeper's containers. `digest` identifies all of it,
    and files and checkout by content.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    manifest: File | None = None
    values: File | None = None
    image: Annotated[str, Field(pattern=_IMAGE)] | None = None
    checkout: Folder | None = None
    dockerfile: Words | None = None
    namespace: Annotated[str, Field(pattern=_NAME)] = NAMESPACE
    replicas: Annotated[int, Field(ge=1, le=10)] | None = None
    flags: Annotated[tuple[_Flag, ...], BeforeValidator(_as_tuple), Field(max_length=50)] = ()
    digest: str = ""

    @model_validator(mode="after")
    def _read_files(self, info: ValidationInfo) -> Self:
        if info.context == RECORDED or self.digest:
            return self
        if self.values:
            _mapping(self.values)
        if self.manifest:
            found = _namespace_in(self.manifest)
            if self.namespace not in (NAMESPACE, found):
                raise ValueError(
                    f"namespace {self.namespace}: Gatekeeper's Deployment in {self.manifest.path} is in {found}"
                )
            object.__setattr__(self, "namespace", found)
        if self.checkout or self.dockerfile:
            object.__setattr__(self, "image", self._built_image())
        content = self.model_dump(exclude={name: {"path"} for name in _FILES})
        object.__setattr__(self, "digest", _digest(json.dumps(content, sort_keys=True))[:_DIGITS])
        return self

    def _built_image(self) -> str:
        """Return the name of the image that is built of the checkout. Raises ValueError if it cannot be one."""
        if self.checkout is None:
            raise ValueError("dockerfile: is one of a checkout; say which: checkout: FOLDER")
        if self.image:
            raise ValueError("image, checkout: say one of them; of a checkout the image is built")
        needed = Path(self.checkout.path) / (self.dockerfile or "go.mod")
        if not needed.is_file():
            raise ValueError(f"checkout {self.checkout.path}: no file {needed.name} in it")
        built = _digest(f"{self.checkout.sha256} {self.dockerfile or ''}")[:_BUILT_DIGITS]
        return f"{_BUILT}{built}"

    def as_written(self, version: str | None, install: str, folder: Path) -> dict[str, Any]:
        """Return the fields of a shape that hold it, in a file in `folder`."""
        left_out = {*_FILES, "digest", *(["image"] if self.checkout else [])}
        own = self.model_dump(mode="json", exclude_defaults=True, exclude=left_out)
        if self.manifest:
            own = {name: value for name, value in own.items() if name != "namespace"}
            install = os.path.relpath(self.manifest.path, folder)
        for name, file in (("values", self.values), ("checkout", self.checkout)):
            own |= {name: os.path.relpath(file.path, folder)} if file else {}
        return {"gatekeeper": {"version": version, "install": install, **own}}

    @property
    def words(self) -> str:
        """What differs, in words."""
        files = [Path(file.path).name for file in (self.manifest, self.values) if file]
        namespace = [f"namespace {self.namespace}"] if self.namespace != NAMESPACE else []
        image = [f"image {self.image}"] if self.image else []
        image = [f"checkout {self.checkout.path}"] if self.checkout else image
        replicas = [f"{self.replicas} replicas"] if self.replicas else []
        return ", ".join([*files, *image, *namespace, *replicas, *self.flags])


def flatten(fields: Mapping[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """Return the fields of a shape with the long form of `gatekeeper` as `gatekeeper`, `install` and `own`.

    A `kind` is the whole path of that file.

    A shape has `install` beside `gatekeeper`, too, which counts less.

    Files are below `folder`, by default the working directory. What is wrong stays as it is, for the model to refuse.
    """
    given = fields.get("gatekeeper")
    if isinstance(fields.get("kind"), str):
        fields = {**fields, "kind": os.path.normpath((folder or Path.cwd()) / fields["kind"])}
    if not isinstance(given, Mapping):
        return dict(fields)
    own = {name: value for name, value in given.items() if name not in ("version", "install")}
    flat = {name: value for name, value in fields.items() if name != "gatekeeper"}
    flat |= {"gatekeeper": given["version"]} if "version" in given else {}
    install = given.get("install")
    if isinstance(install, str) and install not in _METHODS:
        own["manifest"], install = install, "manifest"
    flat |= {"install": install} if install is not None else {}
    flat |= {"install": "chart"} if install is None and "values" in own else {}
    for name in _FILES:
        if isinstance(own.get(name), str):
            own[name] = os.path.normpath((folder or Path.cwd()) / own[name])
    if "version" not in given and isinstance(own.get("manifest"), str) and (tag := _tag_in(Path(own["manifest"]))):
        flat["gatekeeper"] = tag
    return {**flat, "own": own} if own else flat


def read_objects(file: SourceFile) -> list[dict[str, Any]]:
    """Return the objects of a manifest. Raises BadScenario."""
    try:
        documents = [part for part in yaml.load_all(file.text, yaml.CSafeLoader) if part]
    except (yaml.YAMLError, ValueError) as error:  # such as a number of 5,000 digits
        raise BadScenario(f"{file.path}: no YAML: {' '.join(str(error).split())}") from error
    wrong = [part for part in documents if not isinstance(part, dict) or not isinstance(part.get("metadata"), dict)]
    if wrong or not all(isinstance(part.get("kind"), str) for part in documents):
        raise BadScenario(f"{file.path}: expected objects of Kubernetes, each with kind and metadata")
    return documents


def _mapping(file: SourceFile) -> None:
    try:
        values = yaml.load(file.text, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{file.path}: no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{file.path}: expected the values of a chart, by their names")  # noqa: TRY004 - see pydantic


def _namespace_in(file: SourceFile) -> str:
    """Return the namespace of the Deployment in a manifest whose pods serve admission."""
    try:
        objects = read_objects(file)
    except BadScenario as error:
        raise ValueError(str(error)) from error
    deployments = [part for part in objects if part["kind"] == "Deployment"]
    for deployment in deployments:
        labels: Any = deployment
        for name in ("spec", "template", "metadata", "labels"):
            labels = labels.get(name) if isinstance(labels, dict) else None
        if isinstance(labels, dict) and labels.get(_LABEL) == "webhook":
            return str(deployment["metadata"].get("namespace", "default"))
    names = ", ".join(str(deployment["metadata"].get("name")) for deployment in deployments) or "none"
    raise ValueError(f"{file.path}: no Deployment whose pods have the label {_LABEL}: webhook; it has {names}")


def _tag_in(path: Path) -> str:
    """Return the version that a manifest's image has as its tag; "" if none can be read."""
    try:
        found = _IMAGE_TAG.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, UnicodeError):
        return ""
    return found[1] if found else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
