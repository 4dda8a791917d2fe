"""Observed: the runs of both arms, out of the bundles in a folder, judged again by the checks of today."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos_harness.clusters.shape import RECORDED
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import read
from chaos_harness.harness.incident.ab.arms import LABELS, Label
from chaos_harness.harness.incident.bundle.open import open_bundle
from chaos_harness.harness.incident.bundle.write import MANIFEST, Manifest, Replay
from chaos_harness.harness.incident.judge import JudgedClaim, judge
from chaos_harness.harness.incident.load import LoadedIncident, load

__all__ = ["ObservedRun", "observe", "shapes_apart"]

_HISTORY = "history.jsonl"


@dataclass(frozen=True)
class ObservedRun:
    """One run of an arm: its incident, its seed, which run of that seed it is, and its judged claims by their ids.

    A run that broke, or ended without a history, has no claims; `broken`: the harness failed, or the run was refused.
    """

    arm: Label
    incident: str
    title: str
    seed: int
    turn: int
    shape: Mapping[str, Any] = field(hash=False)
    claims: Mapping[str, JudgedClaim] = field(default_factory=dict, hash=False)
    broken: bool = False


def observe(folder: Path) -> list[ObservedRun]:
    """Return all runs in the bundles below the folders A and B of `folder`.

    Of a bundle that is there as a directory and as a zip, as `repro` leaves it, the zip is read. Raises BadScenario if
    an arm has no bundle, a bundle is refused, runs of an arm have several shapes, or an incident is another on each.
    """
    runs: list[ObservedRun] = []
    digests: dict[str, tuple[str, Path]] = {}
    turns: Counter[tuple[Label, str, int]] = Counter()
    for label in LABELS:
        bundles = sorted(_bundles(folder / label))
        if not bundles:
            raise BadScenario(
                f"{folder / label}: no bundle is there; expected the folders A and B in {folder}, each with bundles "
                "that `repro` or `ab` left"
            )
        for path in bundles:
            with open_bundle(path) as (manifest, files):
                _require_same(path, manifest, digests)
                loaded = _load(path, files, manifest)
                for run in manifest.runs:
                    key = (label, loaded.name, manifest.seed)
                    turns[key] += 1
                    runs.append(_observed(label, loaded, manifest, run, files, turns[key]))
    _refuse_several_shapes(folder, runs)
    return runs


def shapes_apart(runs: list[ObservedRun]) -> tuple[str, str]:
    """Return what sets the arms' shapes apart, in words for each: "gatekeeper=v3.20.1", or the same version."""
    fields: list[dict[str, Any]] = [next(dict(run.shape) for run in runs if run.arm == label) for label in LABELS]
    names = [name for name in dict.fromkeys([*fields[0], *fields[1]]) if fields[0].get(name) != fields[1].get(name)]
    first, second = (",".join(f"{name}={shape.get(name)}" for name in names or ["gatekeeper"]) for shape in fields)
    return first, second


def _bundles(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*.zip")
    for manifest in folder.rglob(MANIFEST):
        if not manifest.parent.with_name(f"{manifest.parent.name}.zip").is_file():
            yield manifest.parent


def _require_same(path: Path, manifest: Manifest, digests: dict[str, tuple[str, Path]]) -> None:
    """Raise BadScenario unless a bundle's incident is that of all others by this name."""
    digest = manifest.files[manifest.incident].sha256
    first, other = digests.setdefault(manifest.incident, (digest, path))
    if first != digest:
        raise BadScenario(f"{path}: its {manifest.incident} is another than that of {other}; compare runs of one file")


def _load(path: Path, files: Path, manifest: Manifest) -> LoadedIncident:
    try:
        return load(files / manifest.incident, manifest.shape, context=RECORDED)
    except BadScenario as error:
        problems = [problem.replace(f"{files}/", "") for problem in error.problems]
        raise BadScenario([f"{path}: its incident cannot be read by this version:", *problems]) from error


def _observed(
    label: Label, loaded: LoadedIncident, manifest: Manifest, run: Replay, files: Path, turn: int
) -> ObservedRun:
    history = files / run.directory / _HISTORY
    judged = judge(loaded.incident, loaded.shape, read(history)) if run.verdicts and history.is_file() else []
    return ObservedRun(
        label,
        loaded.name,
        loaded.incident.title,
        manifest.seed,
        turn,
        loaded.shape.model_dump(mode="json"),
        {claim.id: claim for claim in judged},
        broken=run.reason in ("broken", "refused") or any(claim.broken for claim in judged),
    )


def _refuse_several_shapes(folder: Path, runs: list[ObservedRun]) -> None:
    for label in LABELS:
        first: dict[str, Mapping[str, Any]] = {}
        for run in runs:
            if run.arm == label and first.setdefault(run.incident, run.shape) != run.shape:
                raise BadScenario(f"{folder / label}: runs of {run.incident} have several shapes; an arm has one")
