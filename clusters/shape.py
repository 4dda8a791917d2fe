"""Shape: what a cluster is made of, validated before anything is touched."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

from chaos_harness.clusters import versions
from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["RECORDED", "Certificate", "Install", "Shape"]

Install = Literal["manifest", "chart"]
Certificate = Literal["prepared", "native"]

RECORDED: Final = "recorded"
"""pydantic's `context` for the shape of what was made before: its versions need no recipe any more."""

_SHORT = 80
_NODE_MIB = 700
_GATEKEEPER_MIB = 600


def _text(version: object) -> object:
    """Refuse a version that YAML or Python has read as a number."""
    if isinstance(version, int | float):
        raise ValueError(  # noqa: TRY004 - pydantic makes no problem of a TypeError
            f'expected a version in quotes, such as "{versions.DEFAULT_MINOR}": as a number, 1.40 is 1.4'
        )
    return version


def _number(value: object) -> object:
    """Refuse what only equals a number: true is 1 and 1.0 is 1 for Python."""
    if type(value) is not int:
        raise ValueError("expected a whole number")
    return value


def _kubernetes(version: str, info: ValidationInfo) -> str:
    return _known("Kubernetes", version, versions.KUBERNETES, info)


def _gatekeeper(version: str, info: ValidationInfo) -> str:
    return _known("Gatekeeper", version, versions.GATEKEEPER, info)


def _known(product: str, version: str, there: tuple[str, ...], info: ValidationInfo) -> str:
    """Return the version in full, whatever of it was given."""
    full = versions.resolve_version(version, there)
    if full is None and info.context == RECORDED and versions.GIVEN.fullmatch(version):
        return version
    if full is None:
        raise ValueError(versions.refusal_message(product, version, there))
    return full


_Kubernetes = Annotated[str, BeforeValidator(_text), AfterValidator(_kubernetes)]
_Gatekeeper = Annotated[str, BeforeValidator(_text), AfterValidator(_gatekeeper)]


class Shape(BaseModel):
    """A cluster's nodes, versions, and how Gatekeeper gets into it.

    A version may be given by its minor ("1.36"), which means the newest patch that there is; the shape has it in full.
    `gatekeeper=None` is a cluster without it. `registry=False` is one whose nodes cannot pull anything:
    then images are loaded into the nodes. `certificate` is how the webhook comes by its own: `prepared`
    ones lie in their Secret before Gatekeeper first starts, as they do at each of its later starts;
    `native` ones are made by Gatekeeper's first start itself, whose other replicas wait for the kubelet to
    bring the Secret, up to minutes. Only a scenario about that first start needs it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    control_planes: Annotated[Literal[1, 3], BeforeValidator(_number)] = 1
    workers: Annotated[int, Field(ge=0, le=6)] = 2
    kubernetes: _Kubernetes = versions.DEFAULT_KUBERNETES
    gatekeeper: _Gatekeeper | None = versions.DEFAULT_GATEKEEPER
    install: Install = "manifest"
    registry: bool = True
    certificate: Certificate = "prepared"

    @classmethod
    def parse(cls, fields: dict[str, Any], where: str = "shape", *, context: str | None = None) -> Self:
        """Return the shape that `fields` describe; with the `context` RECORDED, of what was made before.

        Raises BadScenario with every problem of the fields at once, each behind `where`.
        """
        try:
            return cls.model_validate(fields, context=context)
        except ValidationError as error:
            raise BadScenario([_problem(where, problem) for problem in error.errors()]) from error

    @property
    def nodes(self) -> int:
        """How many node containers the cluster has."""
        return self.control_planes + self.workers

    @property
    def memory_mib(self) -> int:
        """Memory that the cluster needs at its busiest, in MiB; 3 nodes with Gatekeeper were seen to use 1.5 GiB."""
        return self.nodes * _NODE_MIB + (_GATEKEEPER_MIB if self.gatekeeper else 0)

    @property
    def slug(self) -> str:
        """A short name, the same for equal shapes, fit for file names and terminals."""
        gatekeeper = f"-g{self.gatekeeper[1:]}-{self.install}" if self.gatekeeper else ""
        native = "-native" if self.gatekeeper and self.certificate == "native" else ""
        registry = "" if self.registry else "-noregistry"
        return f"{self.control_planes}cp{self.workers}w-k{self.kubernetes[1:]}{gatekeeper}{native}{registry}"


def _problem(where: str, problem: Any) -> str:
    field = escape_controls(".".join(str(part) for part in problem["loc"]), most=_SHORT)
    if problem["type"] == "extra_forbidden":
        return f"{where}: no such field {field!r}; there are {', '.join(Shape.model_fields)}"
    given = escape_controls(repr(problem["input"]), most=_SHORT)
    why = problem["ctx"]["error"] if problem["type"] == "value_error" else problem["msg"]
    return f"{where}: {field}: {why} (was {given})"
