"""Repro: reports the runs of an incident: how often it reproduced, the evidence, and the command to repeat it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.own_gatekeeper import flatten
from chaos_harness.clusters.terminal.escape import escape_controls, first_line
from chaos_harness.harness.incident.bundle.write import Replay, left_out
from chaos_harness.harness.incident.cli_options import NO_GATEKEEPER
from chaos_harness.harness.incident.judge import JudgedClaim
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.run.exit_status import CANNOT_TELL, ExitStatus, worst
from chaos_harness.harness.statistics import wilson

__all__ = ["bisect_status", "describe", "exit_status", "replay_command", "report", "score"]

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


def exit_status(runs: Sequence[Replay]) -> ExitStatus:
    """Return how a command ends that replayed an incident so often.

    One reproduction is enough, since a race is not reproduced by each run; so is a run whose claims all came out as
    expected on its version. But a run that broke is reported before all else. NOTHING if there was no run.
    """
    statuses = [_status(run) for run in runs]
    if ExitStatus.BROKEN not in statuses and ExitStatus.AS_EXPECTED in statuses:
        return ExitStatus.AS_EXPECTED
    return worst(statuses or [ExitStatus.NOTHING])


def bisect_status(runs: Sequence[Replay]) -> int:
    """Return the status for `git bisect run`: 1, a bad commit, if the incident was reproduced; 0 if no run did.

    CANNOT_TELL if a run was inconclusive or broken, and none reproduced it.
    """
    seen = {run.seen for run in runs}
    if "reproduced" in seen:
        return 1
    return 0 if seen == {"not reproduced"} else CANNOT_TELL


def _status(run: Replay) -> ExitStatus:
    if run.seen == "broken":
        return ExitStatus.INCONCLUSIVE if run.reason == "inconclusive" else ExitStatus.BROKEN
    predicted = [judged for judged in run.verdicts if judged.expected is not None and not judged.implied]
    if run.seen == "reproduced" or (predicted and all(judged.as_expected for judged in predicted)):
        return ExitStatus.AS_EXPECTED
    if any(judged.broken for judged in run.verdicts):
        return ExitStatus.BROKEN
    undecided = predicted and all(judged.as_expected or judged.outcome == "inconclusive" for judged in predicted)
    return ExitStatus.INCONCLUSIVE if undecided or run.seen == "inconclusive" else ExitStatus.OTHERWISE


def describe(loaded: LoadedIncident, runs: Sequence[Replay], seed: int, bundle: Path) -> dict[str, Any]:
    """Return the report for a script, as JSON has it: each run with its verdicts, and why it broke, if it did."""
    return {
        "incident": loaded.name,
        "title": loaded.incident.title,
        "seed": seed,
        "shape": loaded.shape.model_dump(mode="json"),
        "score": score(runs),
        "runs": [run.model_dump(mode="json") for run in runs],
        "bundle": str(bundle),
    }


def report(
    loaded: LoadedIncident, runs: Sequence[Replay], seed: int, bundle: Path, on: str | None = None
) -> Iterator[str]:
    """Yield the lines of the report; `on` is the adopted cluster that it ran on, if it did."""
    shape = loaded.shape
    yield f"{loaded.name}: {loaded.incident.title}"
    yield (
        f"{shape.gatekeeper_words}, Kubernetes {shape.kubernetes}, "
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
    if left := left_out(loaded):
        yield f"not in it:    {', '.join(map(str, left))} (no text, or too much); replay it where these files are"
    yield f"without a cluster: {command_line('recheck --')} {bundle}"
    yield f"replay it:         {replay_command(loaded, seed, on)}"


def replay_command(loaded: LoadedIncident, seed: int, on: str | None = None) -> str:
    """Return the command that repeats the run: on another machine, or on the same adopted cluster."""
    shape = loaded.shape
    if on:
        return " ".join([command_line("repro --"), str(loaded.path), f"--on {on}", f"--seed {seed}"])
    given: Mapping[str, Any] = {
        "gatekeeper": shape.gatekeeper or NO_GATEKEEPER,
        "kubernetes": shape.kubernetes,
        "install": shape.install,
        "workers": shape.workers,
        "seed": seed,
    }
    flat = flatten(loaded.given, loaded.path.parent)
    written = {name: NO_GATEKEEPER if value is None else value for name, value in flat.items()}
    options = [f"--{name} {value}" for name, value in given.items() if written.get(name) != value]
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
