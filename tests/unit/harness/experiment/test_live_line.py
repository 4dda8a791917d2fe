"""Live: the words beside a phase."""

from pathlib import Path

from chaos_harness.harness.experiment.live_line import describe_phase
from chaos_harness.harness.history import HistoryWriter


def test_line_counts_what_the_canary_heard(tmp_path: Path) -> None:
    """Before the canary asks there is only the scenario's name; then its outcomes are counted, other probes' not."""
    history = HistoryWriter(tmp_path / "history.jsonl")
    assert describe_phase("Always", history) == "Always"
    for process, kinds in {"canary 0": ("invoke", "ok"), "canary 7": ("invoke", "fail"), "replica p": ("ok",)}.items():
        for kind in kinds:
            history.append(kind, process, "q")  # type: ignore[arg-type]
    assert describe_phase("Always", history) == "Always: canary 1 ok, 1 lost"
    history.append("info", "canary 3", "q")
    assert describe_phase("Always", history) == "Always: canary 1 ok, 1 lost, 1 unanswered"
    history.close()
