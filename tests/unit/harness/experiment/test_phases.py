"""Phases: each step is told where it begins and where it ends, however it ends."""

from pathlib import Path

import pytest

from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario, InvariantViolated, PreparationFailed
from chaos_harness.harness.experiment.phases import Phases
from chaos_harness.harness.experiment.record import Record
from chaos_harness.harness.history import HistoryWriter, read


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record("a try", {}, 1, "history", "journal")


def test_nothing_was_touched_is_said_of_no_step(record: Record, history: HistoryWriter) -> None:
    """What a step turns out not to be able to use is told with the step: an experiment that has begun has touched."""
    with (
        pytest.raises(PreparationFailed, match="fault: kill containers: no pod a/b"),
        Phases(record, history, Progress.quiet())("fault: kill containers") as phase,
    ):
        raise BadScenario("no pod a/b")
    assert (phase.status, phase.detail) == ("broken", "no pod a/b")


@pytest.mark.parametrize(
    ("error", "status"), [(None, "passed"), (InvariantViolated("no"), "failed"), (ValueError("no"), "broken")]
)
def test_each_end_is_told(record: Record, history: HistoryWriter, error: Exception | None, status: str) -> None:
    """A step that ends well passed, one whose claim is violated failed, any other is broken; all have an end."""
    try:
        with Phases(record, history, Progress.quiet())("step") as phase:
            if error:
                raise error
    except (InvariantViolated, ValueError):
        assert phase.detail == "no"
    assert (phase.name, phase.status) == ("step", status)
    assert phase.stop is not None
    assert record.phases == [phase]
    marks = [(entry.kind, entry.process, entry.f, entry.value) for entry in read(history.path).entries]
    assert marks == [("mark", "experiment", "begin", "step"), ("mark", "experiment", "end", "step")]
