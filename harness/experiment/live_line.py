"""Live line: the text that the terminal shows of a running experiment."""

from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.probes.admission import CANARY

__all__ = ["describe_phase"]


def describe_phase(name: str, history: HistoryWriter) -> str:
    """Return the experiment's name with the numbers of the canary's answers so far."""
    good, lost, silent = (history.counted(CANARY, kind) for kind in ("ok", "fail", "info"))
    if not good + lost + silent:
        return name
    return f"{name}: canary {good} ok, {lost} lost" + (f", {silent} unanswered" if silent else "")
