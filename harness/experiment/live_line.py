"""Live: what the terminal tells of an experiment while it runs."""

from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.probes.admission import CANARY

__all__ = ["describe_phase"]


def describe_phase(name: str, history: HistoryWriter) -> str:
    """Tell whose phase it is, and how the canary has fared so far."""
    good, lost, silent = (history.counted(CANARY, kind) for kind in ("ok", "fail", "info"))
    if not good + lost + silent:
        return name
    return f"{name}: canary {good} ok, {lost} lost" + (f", {silent} unanswered" if silent else "")
