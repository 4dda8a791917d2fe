"""Repro: reports the runs of an incident: how often it reproduced, the evidence, and the command to repeat it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.terminal.escape import escape_controls, first_line
from chaos_harness.harness.incident.bundle.write import Replay
from chaos_harness.harness.incident.judge import JudgedClaim
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.statistics import wilson

__all__ = ["replay_command", "report", "score"]

_SHOWN = 2
_SHORT = 300


def score(runs: Sequence[Replay]) -> str:
    """Return "reproduced k of n (interval)"; runs that could not be judged are not in n, but listed after it."""
    decided = [run for run in runs if run.seen in ("reproduced", "not reproduced")]
    reproduced = sum(run.seen == "reproduced" for run in decided)
    words = f"reproduced {reproduced} of {len(decided)}"
    if decided:
        interval = wilson(reproduced, len(decided))
        words += f" (95 % interval {interval.low:.0%} to {interval.high:.0%})"
    others = {seen: sum(run.seen == seen for run in runs) for seen in ("inconclusive", "broken")}
    return ", ".join([words, *(f"{count} {seen}" for seen, count in others.items() if count)])


def report(loaded: LoadedIncident, runs: Sequence[Replay], seed: int, bundle: Path) -> Iterator[str]:
    """Yield the lines of the report."""
    shape = loaded.shape
    yield f"{loaded.name}: {loaded.incident.title}"
    yield (
        f"Gatekeeper {shape.gatekeeper} by its {shape.install}, Kubernetes {shape.kubernetes}, "
        f"{shape.control_planes} control plane, {shape.workers} workers, seed {seed}"
    )
    yield ""
    for number, run in enumerate(runs, start=1):
        yield f"run {number}: {run.seen}, {run.seconds:.0f} s{_why(run)}"
        for judged in run.verdicts:
            yield f"  {_mark(judged)} {judged.name}: {judged.outcome} ({_expected(judged)})"
            if not judged.as_expected:
                yield f"      {judged.summary}"
    yield ""
    yield score(runs)
    yield from _evidence(runs)
    yield ""
    yield f"bundle:       {bundle} (and the directory beside it)"
    yield f"without a cluster: {command_line('recheck --')} {bundle}"
    yield f"replay it:         {replay_command(loaded, seed)}"


def replay_command(loaded: LoadedIncident, seed: int) -> str:
    """Return the command that repeats the run on another machine."""
    shape = loaded.shape
    given: Mapping[str, Any] = {
        "gatekeeper": shape.gatekeeper,
        "kubernetes": shape.kubernetes,
        "install": shape.install,
        "workers": shape.workers,
        "seed": seed,
    }
    options = [f"--{name} {value}" for name, value in given.items() if loaded.given.get(name) != value]
    return " ".join([command_line("repro --"), str(loaded.path), *options])


def _evidence(runs: Iterable[Replay]) -> Iterator[str]:
    """Yield the shortest evidence: that of the reproducing run whose symptoms have the fewest characters."""
    proved = [_symptoms(run.verdicts) for run in runs if run.seen == "reproduced"]
    if not proved:
        return
    for symptom in min(proved, key=lambda symptoms: sum(len(line) for one in symptoms for line in one.evidence)):
        yield f"  {symptom.name}: {escape_controls(symptom.summary, most=_SHORT)}"
        yield from (f"    {line}" for line in symptom.evidence[:_SHOWN])
        if len(symptom.evidence) > _SHOWN:
            yield f"    and {len(symptom.evidence) - _SHOWN} more lines in the bundle"


def _symptoms(verdicts: Sequence[JudgedClaim]) -> list[JudgedClaim]:
    return [judged for judged in verdicts if judged.symptom] or list(verdicts)


def _why(run: Replay) -> str:
    return f": {first_line(run.error)}" if run.error else ""


def _mark(judged: JudgedClaim) -> str:
    if judged.outcome == "inconclusive":
        return "?"
    return "✓" if judged.as_expected else "✗"


def _expected(judged: JudgedClaim) -> str:
    if judged.expected is None:
        return "nothing is expected on this version"
    return "as expected" if judged.as_expected else f"expected {judged.expected}"
