"""Shape: what a cluster is made of, validated before anything is touched."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from clusters import versions
from clusters.errors import BadScenario

__all__ = ["Certificate", "Install", "Shape"]

Install = Literal["manifest", "chart"]
Certificate = Literal["prepared", "native"]

_NODE_MIB = 700
_GATEKEEPER_MIB = 600


def _known_kubernetes(version: str) -> str:
    return _known("Kubernetes", version, versions.KUBERNETES)


def _known_gatekeeper(version: str) -> str:
    return _known("Gatekeeper", version, versions.GATEKEEPER)


def _known(product: str, version: str, known: tuple[str, ...]) -> str:
    if version not in known:
        raise ValueError(f"{product} {version} has no recipe; there are {', '.join(known)}")
    return version


class Shape(BaseModel):
    """A cluster's nodes, versions, and how Gatekeeper gets into it.

    `gatekeeper=None` is a cluster without it. `registry=False` is one whose nodes cannot pull anything:
    then images are loaded into the nodes. `certificate` is how the webhook comes by its own: `prepared`
    ones lie in their Secret before Gatekeeper first starts, as they do at each of its later starts;
    `native` ones are made by Gatekeeper's first start itself, whose other replicas wait for the kubelet to
    bring the Secret, up to minutes. Only a scenario about that first start needs it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    control_planes: Literal[1, 3] = 1
    workers: Annotated[int, Field(ge=0, le=6)] = 2
    kubernetes: Annotated[str, AfterValidator(_known_kubernetes)] = versions.DEFAULT_KUBERNETES
    gatekeeper: Annotated[str, AfterValidator(_known_gatekeeper)] | None = versions.DEFAULT_GATEKEEPER
    install: Install = "manifest"
    registry: bool = True
    certificate: Certificate = "prepared"

    @classmethod
    def parse(cls, fields: dict[str, Any], where: str = "shape") -> Self:
        """Return the shape that `fields` describe.

        Raises BadScenario with every problem of the fields at once, each behind `where`.
        """
        try:
            return cls(**fields)
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
    field = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where}: no such field {field!r}; there are {', '.join(Shape.model_fields)}"
    return f"{where}: {field}: {problem['msg'].removeprefix('Value error, ')} (was {problem['input']!r})"
