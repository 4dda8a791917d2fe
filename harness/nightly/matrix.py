"""Matrix: the file that says what a night runs on which versions, with all its problems at once."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.problem_words import describe_problem, shorten
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.parts import visible
from chaos_harness.harness.incident.yaml_source import Location, Problem, YamlSource, limit_problems, read

__all__ = ["AS_RELEASED", "AXES", "Axis", "LoadedMatrix", "Target", "load_matrix"]

Axis = Literal["kubernetes", "gatekeeper", "install", "failurePolicy", "values"]
AXES: tuple[Axis, ...] = ("kubernetes", "gatekeeper", "install", "failurePolicy", "values")

AS_RELEASED = "as-released"
"""The word for no values file: the chart's own values."""

_MOST = 100


def _version(given: object) -> object:
    if not isinstance(given, str) or not known_versions.GIVEN.fullmatch(given):
        raise ValueError(f'expected a version in quotes, such as "{known_versions.DEFAULT_MINOR}", found {given!r:.60}')
    return given


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, str) else value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = [value for value in dict.fromkeys(values) if values.count(value) > 1]
    if twice:
        raise ValueError(f"{', '.join(twice)}: stands there twice")
    return values


def _whole(value: object) -> object:
    if type(value) is not int:
        raise ValueError(f"expected a whole number, found {value!r:.60}")
    return value


_Words = Annotated[str, Field(min_length=1, max_length=500)]
_Place = Annotated[_Words, AfterValidator(visible)]
_Version = Annotated[str, BeforeValidator(_version)]
_Install = Literal["manifest", "chart"]
_Policy = Literal["Ignore", "Fail"]
_Few = Field(min_length=1, max_length=_MOST)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Exclusion(_Part):
    """Cells that a night leaves out, by values of the axes and of `run`; what is not named is any; `why` is told."""

    kubernetes: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    gatekeeper: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    install: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    failure_policy: Annotated[tuple[str, ...], BeforeValidator(_listed), Field(alias="failurePolicy")] = ()
    values: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    run: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    why: _Words

    def of(self, name: str) -> tuple[str, ...]:
        """Return the values that it names of an axis, or of `run`."""
        named: tuple[str, ...] = getattr(self, "failure_policy" if name == "failurePolicy" else name)
        return named


class Confidence(_Part):
    """When the rate of a cell that flips is known.

    Its interval of that `confidence` is at most `width` wide, whatever it is.
    """

    confidence: Annotated[float, Field(ge=0.5, le=0.999)] = 0.95
    width: Annotated[float, Field(ge=0.2, le=0.9)] = 0.6


class Matrix(_Part):
    """What a night runs, and on which clusters: each of `run` on each combination of the axes but the excluded.

    `run` are scenarios, incident files, folders of such, and single tests (FILE::TEST), as `chaos-harness run` takes
    them, relative to the matrix. Without `failurePolicy` it is what the release has, or the values say. `values` are
    files of the chart's values; "as-released" is none. `withoutFault` is the scenario in which nothing is harmed, that
    each night has; by default it is the harness's own.
    """

    schema_: Annotated[Literal[1], BeforeValidator(_whole), Field(alias="schema")]
    run: Annotated[tuple[_Place, ...], BeforeValidator(_listed), AfterValidator(_distinct), _Few]
    kubernetes: Annotated[tuple[_Version, ...], BeforeValidator(_listed), AfterValidator(_distinct), _Few] = (
        known_versions.DEFAULT_KUBERNETES,
    )
    gatekeeper: Annotated[tuple[_Version, ...], BeforeValidator(_listed), AfterValidator(_distinct), _Few] = (
        known_versions.DEFAULT_GATEKEEPER,
    )
    install: Annotated[tuple[_Install, ...], BeforeValidator(_listed), AfterValidator(_distinct), _Few] = ("manifest",)
    failure_policy: Annotated[
        tuple[_Policy, ...],
        BeforeValidator(_listed),
        AfterValidator(_distinct),
        Field(alias="failurePolicy", max_length=2),
    ] = ()
    values: Annotated[tuple[_Place, ...], BeforeValidator(_listed), AfterValidator(_distinct), _Few] = (AS_RELEASED,)
    exclude: Annotated[tuple[Exclusion, ...], BeforeValidator(_listed), Field(max_length=_MOST)] = ()
    without_fault: Annotated[_Place | None, Field(alias="withoutFault")] = None
    rate: Confidence = Confidence()

    def axis(self, name: Axis) -> tuple[str, ...]:
        """Return the values of an axis, in the order of the file; "" of failurePolicy: what the cluster has anyway."""
        named: tuple[str, ...] = getattr(self, "failure_policy" if name == "failurePolicy" else name)
        return named or ("",)


@dataclass(frozen=True)
class Target:
    """One of `run`: how it is written, the file or folder, and the test in it ("": all that run by default)."""

    words: str
    path: Path
    test: str = ""

    @property
    def argument(self) -> str:
        """What `chaos-harness run` takes for it."""
        return f"{self.path}::{self.test}" if self.test else str(self.path)


@dataclass(frozen=True)
class LoadedMatrix:
    """A matrix that can be used: its file, what is in it, and the files that it names, which are there.

    `folder` is the one from which it names them.
    """

    path: Path
    folder: Path
    matrix: Matrix
    targets: tuple[Target, ...]
    without_fault: Target

    def values_file(self, words: str) -> Path | None:
        """Return the file of one of `values`, or None if that is none."""
        return None if words == AS_RELEASED else (self.folder / words).resolve()


def load_matrix(path: Path, own_without_fault: str, folder: Path | None = None) -> LoadedMatrix:
    """Return the matrix in a file; `own_without_fault` is the harness's scenario in which nothing is harmed.

    Files are named relative to `folder`, by default the one that the matrix is in.
    Raises BadScenario with all problems, each with line and column.
    """
    sources = read(path)
    if len(sources) != 1 or not isinstance(sources[0].data, dict):
        raise BadScenario(f"{path}: expected one matrix: fields such as schema, run, kubernetes, gatekeeper, install")
    source = sources[0]
    try:
        matrix = Matrix.model_validate_json(json.dumps(source.data))
    except ValidationError as error:
        raise BadScenario(_told(source, [(detail["loc"], _words(detail)) for detail in error.errors()])) from error
    folder = folder or path.parent
    targets: dict[Location, Target] = {("run", index): _target(folder, words) for index, words in enumerate(matrix.run)}
    without = _target(folder, matrix.without_fault) if matrix.without_fault else _target(Path(), own_without_fault)
    named: dict[Location, Target] = {**targets, ("withoutFault",): without}
    problems = [(place, words) for place, target in named.items() for words in _missing(target)]
    for index, words in enumerate(matrix.values):
        if words != AS_RELEASED:
            problems += [(("values", index), each) for each in _missing(Target(words, folder / words))]
    problems += _of_exclusions(matrix)
    if problems:
        raise BadScenario(_told(source, problems))
    return LoadedMatrix(path, folder, matrix, tuple(targets.values()), without)


def _told(source: YamlSource, problems: Iterable[Problem]) -> list[str]:
    ordered = sorted(problems, key=lambda problem: source.where(problem[0]))
    return limit_problems([source.problem(place, words) for place, words in ordered])


def _target(folder: Path, words: str) -> Target:
    file, _, test = words.partition("::")
    path = folder / file
    with suppress(OSError, RuntimeError):  # `_missing` tells what cannot be looked for
        path = path.resolve()
    return Target(words, path, test)


def _missing(target: Target) -> Iterator[str]:
    """Yield that a file or folder is not there, with the name that was probably meant."""
    folder = target.path.parent
    try:
        if target.test and not target.path.is_file():
            yield f"{target.path}: expected a file with the test {target.test}"
        elif not target.path.exists():
            near = did_you_mean(target.path.name, [file.name for file in folder.iterdir()]) if folder.is_dir() else ""
            yield f"no file or folder {target.words!r} beside the matrix; {near}".rstrip("; ")
    except OSError as error:
        yield f"{shorten(target.words)} cannot be looked for: {error.strerror}"


def _of_exclusions(matrix: Matrix) -> Iterator[Problem]:
    for index, excluded in enumerate(matrix.exclude):
        if not any(excluded.of(name) for name in (*AXES, "run")):
            yield ("exclude", index), f"expected one of {', '.join(AXES)}, run; without them nothing would be left"
        for name, there in _there(matrix).items():
            place: Location = ("exclude", index, name)
            for words in excluded.of(name):
                if words not in there:
                    near = did_you_mean(words, there)
                    yield place, f"{shorten(words)} is not in the matrix; {near}there are {', '.join(there)}"


def _there(matrix: Matrix) -> dict[str, Sequence[str]]:
    axes: dict[str, Sequence[str]] = {name: matrix.axis(name) for name in AXES}
    return {**axes, "run": matrix.run}


def _words(problem: ErrorDetails) -> str:
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "extra_forbidden":
        inner = next((name for name in problem["loc"][:-1] if isinstance(name, str)), "")
        models: dict[str, type[_Part]] = {"exclude": Exclusion, "rate": Confidence}
        model = models.get(inner, Matrix)
        there = [field.alias or name for name, field in model.model_fields.items()]
        return f"no such field; {did_you_mean(problem['loc'][-1], there)}there are {', '.join(there)}"
    if problem["loc"] == ("schema",):
        return f"this version of the harness reads schema 1 (was {shorten(problem['input'])})"
    return describe_problem(problem)
