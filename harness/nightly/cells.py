"""Cells: what a matrix comes to, pruned to what can differ; what is left out is there with the reason."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal

import yaml

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.own_gatekeeper import flatten
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness import private
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.incident.yaml_source import read
from chaos_harness.harness.nightly.found import FoundFile
from chaos_harness.harness.nightly.matrix import AXES, Axis, LoadedMatrix, Target
from chaos_harness.harness.pytest_plugin.estimates import CLUSTER_SECONDS

__all__ = ["Cell", "LeftOut", "cells_of"]

Why = Literal["excluded", "the same", "not to be had", "not named"]
"""Why a cell is left out: by the matrix; another cell is the same; a version, a file or such a cluster is not there;
others were named."""

_CHART_POLICIES = ("validatingWebhookFailurePolicy", "mutatingWebhookFailurePolicy")
"""Values of Gatekeeper's chart: https://github.com/open-policy-agent/gatekeeper/tree/master/charts/gatekeeper"""
_RELEASED_POLICY = "Ignore"
_DIGITS = 12
_OPTIONS = ("kubernetes", "gatekeeper", "install")

_Combination = Mapping[Axis, str]


@dataclass(frozen=True)
class Cell:
    """One file with scenarios on one cluster.

    `id` is the same on each machine and each night as long as the file's name and the cluster are. `argument` and
    `options` are what `chaos-harness run` takes; `values` is a file. `seconds` are with the cluster; `stated_seconds`
    are the same on each machine. `tests` is how many there are. `without_fault`: it is that of the night.
    """

    id: str
    target: str
    argument: str
    shape: Shape
    options: Mapping[str, str] = field(hash=False)
    values: Path | None
    axes: _Combination = field(hash=False)
    seconds: float
    stated_seconds: float
    tests: int
    without_fault: bool = False

    @property
    def folder(self) -> str:
        """The beginning of the names of its folders; two cells have two."""
        stem = Path(self.target.partition("::")[0]).stem
        return f"{stem}-{hashlib.sha256(self.id.encode()).hexdigest()[:_DIGITS]}"


@dataclass(frozen=True)
class LeftOut:
    """A cell that is none: what it would have been, and why not, as a value and in words."""

    target: str
    axes: _Combination = field(hash=False)
    why: Why
    words: str


def cells_of(
    loaded: LoadedMatrix, found: Mapping[Target, tuple[FoundFile, ...] | str], folder: Path
) -> tuple[list[Cell], list[LeftOut]]:
    """Return the cells of a matrix, the one without a fault first, and what is left out.

    What a file says of its cluster itself is not varied: cells that differ in nothing else are one. Values files that
    are made of a `failurePolicy` go to `folder`.
    """
    cells: dict[str, Cell] = {}
    left_out: list[LeftOut] = []
    for target in (loaded.without_fault, *loaded.targets):
        control = target is loaded.without_fault
        files = found[target]
        if isinstance(files, str):
            left_out.append(LeftOut(target.words, {}, "not to be had", files))
            continue
        for file, combination in product(files, _combinations(loaded)):
            words = _words_of(loaded, target, file, control=control)
            made = _made(loaded, target, words, file, combination, folder, control=control)
            if isinstance(made, LeftOut):
                left_out.append(made)
            elif made.id in cells:
                why = _same(loaded, file)
                left_out += [] if control else [LeftOut(words, combination, "the same", why)]
            else:
                cells[made.id] = made
            if control and cells:
                break
    return list(cells.values()), left_out


def _combinations(loaded: LoadedMatrix) -> Iterator[_Combination]:
    for values in product(*(loaded.matrix.axis(name) for name in AXES)):
        yield dict(zip(AXES, values, strict=True))


def _words_of(loaded: LoadedMatrix, target: Target, file: FoundFile, *, control: bool) -> str:
    """Return the name of a file: relative to the matrix, with the test if one is named."""
    if control:
        return f"healthy/{file.file.name}"
    path = Path(os.path.relpath(file.file, loaded.folder.resolve())).as_posix()
    return f"{path}::{target.test}" if target.test else path


def _made(
    loaded: LoadedMatrix,
    target: Target,
    words: str,
    file: FoundFile,
    combination: _Combination,
    folder: Path,
    *,
    control: bool,
) -> Cell | LeftOut:
    """Return the cell of a file on a combination, or why there is none."""
    for excluded in loaded.matrix.exclude if not control else ():
        named = {name: excluded.of(name) for name in AXES}
        if all(not values or combination[name] in values for name, values in named.items()) and (
            not excluded.run or target.words in excluded.run
        ):
            return LeftOut(words, combination, "excluded", f"excluded: {excluded.why}")
    try:
        options = _options(file, combination)
        values = _values(loaded, file, combination, folder)
        shape = _shape(file, options, values)
    except BadScenario as error:
        return LeftOut(words, combination, "not to be had", "; ".join(error.problems))
    seconds, stated = _seconds(file)
    return Cell(
        f"{words}@{shape.slug}",
        words,
        f"{file.file}::{target.test}" if target.test else str(file.file),
        shape,
        options,
        values,
        _effective(file, shape, combination),
        seconds,
        stated,
        sum(len(experiment.tests) for experiment in file.experiments),
        control,
    )


def _options(file: FoundFile, combination: _Combination) -> dict[str, str]:
    """Return the options of versions and installation; a file that names one itself is not asked for another."""
    options = {name: combination[name] for name in _OPTIONS if name not in file.named}  # type: ignore[index]
    for name, product_, resolve, there in (
        ("kubernetes", "Kubernetes", known_versions.resolve_version, known_versions.KUBERNETES),
        ("gatekeeper", "Gatekeeper", known_versions.resolve_gatekeeper, known_versions.GATEKEEPER),
    ):
        if name in options:
            full = resolve(options[name], there)
            if full is None:
                raise BadScenario(known_versions.refusal_message(product_, options[name], there))
            options[name] = full
    return options


def _values(loaded: LoadedMatrix, file: FoundFile, combination: _Combination, folder: Path) -> Path | None:
    """Return the file of values that a cell's chart gets, or None."""
    given, policy = loaded.values_file(combination["values"]), combination["failurePolicy"]
    install = (file.shape or {}).get("install") if "install" in file.named else combination["install"]
    if given is None and policy in ("", _RELEASED_POLICY):
        return None
    if "own" in file.named:
        raise BadScenario("the file says itself what is different from a release")
    if install != "chart":
        what = f"failurePolicy {policy}" if given is None else f"values {combination['values']}"
        raise BadScenario(f"{what}: only a chart can be given it, and this cell is installed by its {install}")
    if not policy:
        return given
    try:
        values = _read_values(given) if given else {}
        text = yaml.safe_dump({**values, **dict.fromkeys(_CHART_POLICIES, policy)})
        name = f"values-{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}.yaml"
        return private.write(private.directory(folder) / name, text)
    except OSError as error:
        raise HarnessError(f"{folder}: cannot be written: {error.strerror}; see `df {folder.parent}`") from error


def _read_values(path: Path) -> dict[str, Any]:
    sources = read(path, core=True)
    if len(sources) != 1 or not isinstance(sources[0].data, dict):
        raise BadScenario(f"{path}: expected the values of a chart, by their names")
    values: dict[str, Any] = sources[0].data
    return values


def _shape(file: FoundFile, options: Mapping[str, str], values: Path | None) -> Shape:
    own: dict[str, Any] = dict(options)
    if values:
        version = {"version": own.pop("gatekeeper")} if "gatekeeper" in own else {}
        install = {"install": own.pop("install")} if "install" in own else {}
        own = flatten({**own, "gatekeeper": {**version, **install, "values": str(values)}})
    named = {name: value for name, value in (file.shape or {}).items() if name in file.named}
    return Shape.parse({**own, **named}, "the cluster")


def _seconds(file: FoundFile) -> tuple[float, float]:
    """Return what a cell takes with its cluster: as experiments took the last time here, and as their files say."""
    stated = [
        experiment.seconds if experiment.stated_seconds is None else experiment.stated_seconds
        for experiment in file.experiments
    ]
    return sum(experiment.seconds for experiment in file.experiments) + CLUSTER_SECONDS, sum(stated) + CLUSTER_SECONDS


def _effective(file: FoundFile, shape: Shape, combination: _Combination) -> _Combination:
    """Return the values of the axes that the cell really has."""
    theirs = "own" in file.named or shape.gatekeeper is None
    return {
        "kubernetes": shape.kubernetes,
        "gatekeeper": shape.gatekeeper or "none",
        "install": shape.install,
        "failurePolicy": "" if theirs else combination["failurePolicy"],
        "values": combination["values"] if shape.own and shape.own.values else "",
    }


def _same(loaded: LoadedMatrix, file: FoundFile) -> str:
    """Return why a cell is the same as one before it."""
    fixed: Sequence[str] = [name for name in AXES if len(loaded.matrix.axis(name)) > 1 and name in file.named]
    named = f"which says {' and '.join(fixed)} itself" if fixed else "for two words of the matrix stand for it"
    return f"the same cluster as another cell of the file, {named}"
