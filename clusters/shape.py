"""Shape: a cluster's nodes, versions and installation, validated before anything is touched."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.image_name import DOCKER, ImageName
from chaos_harness.clusters.kind_file import CONTROL_PLANE, WORKER, KindFile
from chaos_harness.clusters.own_gatekeeper import FIELDS, NAMESPACE, RECORDED, File, OwnGatekeeper, SourceFile, flatten
from chaos_harness.clusters.problem_words import describe_problem
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["NAMESPACE", "RECORDED", "Install", "Release", "Shape", "as_written", "fields_of"]

Install = Literal["manifest", "chart"]
Certificate = Literal["prepared", "native"]

_SHORT = 80
_LONGEST_PROBLEM = 500
_DIGITS = 8
_GATEKEEPERS = ("openpolicyagent/gatekeeper", "openpolicyagent/gatekeeper-crds")
_NODE_MIB = 700
_GATEKEEPER_MIB = 600
_OWN = "own"


def _text(version: object) -> object:
    """Refuse a version that YAML or Python parsed as a number."""
    if isinstance(version, int | float):
        raise ValueError(  # noqa: TRY004 - pydantic makes no problem of a TypeError
            f'expected a version in quotes, such as "{known_versions.DEFAULT_MINOR}": as a number, 1.40 is 1.4'
        )
    return version


def _number(value: object) -> object:
    """Refuse values that only equal a number: in Python, true == 1 and 1.0 == 1."""
    if type(value) is not int:
        raise ValueError("expected a whole number")
    return value


def _fixed(value: object) -> object:
    """Return a list, as files have it, as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def _kubernetes(version: str, info: ValidationInfo) -> str:
    full = known_versions.resolve_version(version, known_versions.KUBERNETES)
    return _known("Kubernetes", version, full, known_versions.KUBERNETES, info)


def _gatekeeper(version: str, info: ValidationInfo) -> str:
    full = known_versions.resolve_gatekeeper(version)
    return _known("Gatekeeper", version, full, known_versions.GATEKEEPER, info)


def _known(product: str, version: str, full: str | None, there: tuple[str, ...], info: ValidationInfo) -> str:
    """Return the full version for a version that may be given in part; `full` is None if it cannot be run."""
    if full is None and info.context == RECORDED and known_versions.GIVEN.fullmatch(version):
        return version
    if full is None:
        raise ValueError(known_versions.refusal_message(product, version, there))
    return full


_Kubernetes = Annotated[str, BeforeValidator(_text), AfterValidator(_kubernetes)]
Release = Annotated[
    str,
    BeforeValidator(_text),
    AfterValidator(_gatekeeper),
    Field(examples=[known_versions.DEFAULT_GATEKEEPER]),
]
"""A version of Gatekeeper that can be run; a minor stands for the newest that was tried."""


def _image(name: str) -> str:
    full = ImageName.read(name)
    if full.registry == DOCKER and full.repository in _GATEKEEPERS:
        raise ValueError(
            "it is Gatekeeper's, which the cluster has by its version; an image of yours in its place is "
            "`gatekeeper: {image: …}`"
        )
    return str(full)


_Image = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_image)]


def _kind(file: SourceFile, info: ValidationInfo) -> SourceFile:
    if info.context != RECORDED:
        try:
            KindFile(file)
        except BadScenario as error:
            raise ValueError("; ".join(error.problems)) from error
    return file


_Kind = Annotated[File, AfterValidator(_kind)]


def _show_long_form(schema: dict[str, Any]) -> None:
    """Let the schema of a file show what is different from a release where the file has it: at `gatekeeper`."""
    properties = schema["properties"]
    properties.pop(_OWN)
    own = OwnGatekeeper.model_json_schema()
    fields = {name: own["properties"].get(name, {"type": "string"}) for name in FIELDS}
    long_form = {"type": "object", "properties": fields, "additionalProperties": False}
    properties["gatekeeper"]["anyOf"].append(long_form)


class Shape(BaseModel):
    """A cluster's nodes, versions, and how Gatekeeper is installed.

    A version may be a minor ("1.36"): it stands for the newest known patch, and the shape holds the full version. Of
    Gatekeeper, any full version from v3.16.0 on can be named.
    `gatekeeper` may be in a long form, with what is different from that release: `{version, install, values, image,
    namespace, replicas, flags}`, where `install` may be a manifest's file.
    `gatekeeper=None` is a cluster without Gatekeeper, a baseline. With `registry=False` nodes cannot pull anything;
    images are loaded into them. `certificate` is how the webhook gets its certificate: "prepared" puts it into its
    Secret before Gatekeeper first starts, as at each later start; with "native" Gatekeeper creates it at its first
    start, while the other replicas wait, for minutes at worst, until the kubelet mounts the Secret. Only a scenario
    about that first start needs "native". `images` are images of the user's: the engine must hold them, and nodes pull
    them by their names, whatever registry these name, from the cluster's own. `kind` is a file with a kind
    configuration, which is merged: its nodes, patches, feature gates and mounts. `releases` are further versions of
    Gatekeeper whose images nodes can pull, because steps upgrade to them; an incident file need not name them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, json_schema_extra=_show_long_form)

    control_planes: Annotated[Literal[1, 3], BeforeValidator(_number)] = 1
    workers: Annotated[int, Field(ge=0, le=6)] = 2
    kubernetes: _Kubernetes = known_versions.DEFAULT_KUBERNETES
    gatekeeper: Release | None = known_versions.DEFAULT_GATEKEEPER
    install: Install = "manifest"
    registry: bool = True
    certificate: Certificate = "prepared"
    images: Annotated[tuple[_Image, ...], BeforeValidator(_fixed), Field(max_length=50)] = ()
    kind: _Kind | None = None
    releases: Annotated[tuple[Release, ...], BeforeValidator(_fixed), Field(max_length=5)] = ()
    own: OwnGatekeeper | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_long_form(cls, fields: Any) -> Any:
        return flatten(fields) if isinstance(fields, dict) else fields

    @model_validator(mode="after")
    def _read_kind(self, info: ValidationInfo) -> Self:
        """Have the nodes that the kind configuration names. Raises ValueError if the shape says other numbers."""
        if self.kind is None or info.context == RECORDED:
            return self
        roles = KindFile(self.kind).roles
        for name, role in (("control_planes", CONTROL_PLANE), ("workers", WORKER)) if roles else ():
            if name in self.model_fields_set and getattr(self, name) != roles.count(role):
                raise ValueError(
                    f"{name}: {getattr(self, name)} is asked for, and {self.kind.path} has {roles.count(role)}"
                )
            object.__setattr__(self, name, roles.count(role))
        return self

    @model_validator(mode="after")
    def _can_start(self, info: ValidationInfo) -> Self:
        """Refuse a cluster on which Gatekeeper could never start, and one whose Gatekeeper would not be as written."""
        if info.context != RECORDED and self.own and not self.gatekeeper:
            raise ValueError("gatekeeper: without a version there is nothing to be different")
        if info.context != RECORDED and self.own and self.own.values and self.install != "chart":
            raise ValueError("gatekeeper.values: they are a chart's; say install: chart, or leave them out")
        if info.context != RECORDED and self.images and not self.registry:
            raise ValueError("images: nodes pull them from the cluster's registry; leave out registry: false")
        if info.context != RECORDED and self.gatekeeper and self.install == "manifest" and not self.registry:
            raise ValueError(
                "the manifest's imagePullPolicy is Always, so Gatekeeper never starts without a registry; "
                "say install: chart, or registry: true"
            )
        return self

    @classmethod
    def parse(cls, fields: dict[str, Any], where: str = "shape", *, context: str | None = None) -> Self:
        """Return the shape of `fields`; `context=RECORDED` is for shapes of earlier runs.

        Raises BadScenario with all problems of the fields, each prefixed with `where`.
        """
        try:
            return cls.model_validate(fields, context=context)
        except ValidationError as error:
            raise BadScenario([_problem(where, problem) for problem in error.errors()]) from error

    def fields(self, folder: Path) -> dict[str, Any]:
        """Return the fields as a file in `folder` has them: what is different from a release at `gatekeeper`."""
        fields = self.model_dump(mode="json", exclude={_OWN, "kind"})
        fields |= {"kind": os.path.relpath(self.kind.path, folder)} if self.kind else {}
        return {**fields, **self.own.as_written(self.gatekeeper, self.install, folder)} if self.own else fields

    @property
    def namespace(self) -> str:
        """Gatekeeper's namespace."""
        return self.own.namespace if self.own else NAMESPACE

    @property
    def gatekeeper_words(self) -> str:
        """Which Gatekeeper it has, in words."""
        own = f" ({self.own.words})" if self.own else ""
        return f"Gatekeeper {self.gatekeeper} by its {self.install}{own}" if self.gatekeeper else "no Gatekeeper"

    @property
    def nodes(self) -> int:
        """How many node containers the cluster has."""
        return self.control_planes + self.workers

    @property
    def memory_mib(self) -> int:
        """Peak memory of the cluster in MiB; 3 nodes with Gatekeeper were measured at 1.5 GiB."""
        return self.nodes * _NODE_MIB + (_GATEKEEPER_MIB if self.gatekeeper else 0)

    @property
    def slug(self) -> str:
        """A short name, the same for equal shapes, fit for file names and terminals."""
        gatekeeper = f"-g{self.gatekeeper[1:]}-{self.install}" if self.gatekeeper else ""
        own = f"-{self.own.digest}" if self.own else ""
        native = "-native" if self.gatekeeper and self.certificate == "native" else ""
        registry = "" if self.registry else "-noregistry"
        more = "".join(f"-to{release[1:]}" for release in self.releases)
        images = f"-i{hashlib.sha256(' '.join(self.images).encode()).hexdigest()[:_DIGITS]}" if self.images else ""
        nodes = f"{self.control_planes}cp{self.workers}w-k{self.kubernetes[1:]}"
        kind = f"-n{self.kind.sha256[:_DIGITS]}" if self.kind else ""
        return f"{nodes}{kind}{gatekeeper}{own}{images}{more}{native}{registry}"


def fields_of(place: Sequence[str | int]) -> list[str]:
    """Return the fields that a shape has, or that it has at a `place` of it."""
    if list(place[:1]) in (["gatekeeper"], [_OWN]):
        return list(FIELDS)
    return [name for name in Shape.model_fields if name != _OWN]


def as_written(place: Sequence[str | int]) -> tuple[str | int, ...]:
    """Return where in a file's shape the value at a place of the model stands."""
    if place[:1] != (_OWN,):
        return tuple(place)
    return "gatekeeper", *("install" if name == "manifest" else name for name in place[1:])


def _problem(where: str, problem: Any) -> str:
    field = escape_controls(".".join(str(part) for part in as_written(problem["loc"])), most=_SHORT)
    if problem["type"] == "extra_forbidden":
        there = fields_of(problem["loc"][:-1])
        meant = did_you_mean(str(problem["loc"][-1]), there)
        return f"{where}: no such field {field!r}; {meant}there are {', '.join(there)}"
    words = escape_controls(describe_problem(problem), most=_LONGEST_PROBLEM)
    if problem["type"] == "value_error" and field:
        words += f" (was {escape_controls(repr(problem['input']), most=_SHORT)})"
    return f"{where}: {field}: {words}" if field else f"{where}: {words}"
