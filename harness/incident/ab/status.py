"""Status: how a comparison ends, for scripts."""

from chaos_harness.harness.incident.ab.arms import LABELS
from chaos_harness.harness.incident.ab.compare import Comparison
from chaos_harness.harness.run.exit_status import ExitStatus

__all__ = ["exit_status"]


def exit_status(comparison: Comparison) -> ExitStatus:
    """Return AS_EXPECTED if B is not worse, OTHERWISE if it is, INCONCLUSIVE if that is undecided.

    BROKEN if an arm has no run that could be judged because the harness failed in all of them; NOTHING without claims.
    """
    if comparison.judgement == "worse":
        return ExitStatus.OTHERWISE
    if any(comparison.broken[label] == comparison.runs[label] for label in LABELS):
        return ExitStatus.BROKEN
    if comparison.judgement == "undecided":
        return ExitStatus.INCONCLUSIVE
    return ExitStatus.AS_EXPECTED if comparison.claims else ExitStatus.NOTHING
