"""Recheck: judges a bundle with the checks of today, without a cluster, and reports what changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaos_harness.clusters.shape import RECORDED
from chaos_harness.clusters.terminal.escape import escape_controls, first_line
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import read
from chaos_harness.harness.incident.bundle.open import open_bundle
from chaos_harness.harness.incident.bundle.write import Manifest, Replay
from chaos_harness.harness.incident.judge import JudgedClaim, judge
from chaos_harness.harness.incident.load import LoadedIncident, load

__all__ = ["describe", "recheck", "report"]

_HISTORY = "history.jsonl"
_SHORT = 500
_STAMP = 40


@dataclass(frozen=True)
class Comparison:
    """A claim of one run: its verdict then and now; None: it was not claimed."""

    run: str
    name: str
    then: JudgedClaim | None
    now: JudgedClaim | None

    @property
    def changed(self) -> bool:
        """Whether the outcome changed; a claim that faults imply, and that an older bundle lacks, is new."""
        if self.then is None and self.now is not None and self.now.implied:
            return False
        return (self.then and self.then.outcome) != (self.now and self.now.outcome)


def recheck(path: Path) -> tuple[Manifest, LoadedIncident, list[Comparison]]:
    """Return a bundle's manifest, its incident, and each claim of each run with its old and new verdict.

    Raises BadScenario if the bundle is refused, its incident cannot be read any more, or no run has a history.
    """
    with open_bundle(path) as (manifest, folder):
        try:
            loaded = load(folder / manifest.incident, manifest.shape, context=RECORDED)
            compared = [claim for run in manifest.runs for claim in _compare(run, folder, loaded)]
        except BadScenario as error:
            problems = [problem.replace(f"{folder}/", "") for problem in error.problems]
            raise BadScenario([f"{path}: its incident cannot be read by this version:", *problems]) from error
    if not compared:
        reasons = escape_controls("; ".join(first_line(run.error) for run in manifest.runs if run.error), most=_SHORT)
        raise BadScenario(f"{path}: no run in it has a history that could be judged: {reasons or 'there is no run'}")
    return manifest, loaded, compared


def report(path: Path, manifest: Manifest, loaded: LoadedIncident, compared: Sequence[Comparison]) -> Iterator[str]:
    """Yield the lines of the report; text from the bundle is made visible and shortened."""
    yield from (escape_controls(line, most=_SHORT) for line in _lines(path, manifest, loaded, compared))


def describe(path: Path, manifest: Manifest, loaded: LoadedIncident, compared: Sequence[Comparison]) -> dict[str, Any]:
    """Return the report for a script, as JSON has it: each claim with its verdicts then and now (None: not claimed)."""
    return {
        "bundle": str(path),
        "title": loaded.incident.title,
        "created": manifest.created,
        "harness": manifest.harness,
        "seed": manifest.seed,
        "shape": loaded.shape.model_dump(mode="json"),
        "claims": [
            {
                "run": claim.run,
                "name": claim.name,
                "changed": claim.changed,
                "then": asdict(claim.then) if claim.then else None,
                "now": asdict(claim.now) if claim.now else None,
            }
            for claim in compared
        ],
    }


def _lines(path: Path, manifest: Manifest, loaded: LoadedIncident, compared: Sequence[Comparison]) -> Iterator[str]:
    yield f"{path}: {loaded.incident.title}"
    yield (
        f"replayed {manifest.created[:_STAMP]} by chaos-harness {manifest.harness[:_STAMP]}, seed {manifest.seed}, on "
        f"{loaded.shape.gatekeeper_words}, Kubernetes {loaded.shape.kubernetes}"
    )
    for claim in compared:
        judged = claim.now or claim.then
        if judged is None:
            continue
        then, now = (verdict.outcome if verdict else "not claimed" for verdict in (claim.then, claim.now))
        mark = "≠" if claim.changed else "✓" if judged.as_expected else "✗"
        was = f"{now}, was {then}" if then != now else now
        yield f" {mark} {claim.run}: {claim.name}: {was} (expected {judged.expected or 'nothing'})"
        yield f"     {judged.summary}"
    changes = sum(claim.changed for claim in compared)
    yield f"{len(compared)} claims judged again, {changes or 'none'} changed"


def _compare(run: Replay, folder: Path, loaded: LoadedIncident) -> Iterator[Comparison]:
    history = folder / run.directory / _HISTORY
    if not run.verdicts or not history.is_file():
        return
    moments = {judged.id: judged.until for judged in run.verdicts}
    now = {judged.id: judged for judged in judge(loaded.incident, loaded.shape, read(history), moments)}
    then = {judged.id or _id_of(judged.name, now): judged for judged in run.verdicts}
    for key in dict.fromkeys([*then, *now]):
        before, after = then.get(key), now.get(key)
        yield Comparison(run.directory, (after or before or run.verdicts[0]).name, before, after)


def _id_of(name: str, now: Mapping[str, JudgedClaim]) -> str:
    """Return the id of a claim in a bundle that has names only: that of today's claim with this name."""
    return next((key for key, judged in now.items() if judged.name == name), name)
