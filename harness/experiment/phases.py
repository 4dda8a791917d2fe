"""Phases: the steps of an experiment, written to the record, the history and the terminal."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario, InvariantViolated, PreparationFailed
from chaos_harness.harness.experiment.live_line import describe_phase
from chaos_harness.harness.experiment.record import Phase, Record
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import BEGIN, END, EXPERIMENT

__all__ = ["Phases", "convert_bad_scenario", "describe_serving"]


@contextmanager
def convert_bad_scenario(what: str) -> Iterator[None]:
    """Raise PreparationFailed for a BadScenario of the block: BadScenario means that nothing was touched."""
    try:
        yield
    except BadScenario as error:
        raise PreparationFailed(f"{what}: {error}") from error


def describe_serving(pods: Sequence[str], again: str = "") -> str:
    """Return which webhook pods serve; a cluster without Gatekeeper has none."""
    return f"{', '.join(pods)} serve admission{again}" if pods else "no Gatekeeper"


class Phases:
    """Reports the start and the end of each step, also if the step fails."""

    def __init__(self, record: Record, history: HistoryWriter, progress: Progress) -> None:
        self._record = record
        self._history = history
        self._progress = progress

    @contextmanager
    def __call__(self, name: str, seconds: float | None = None) -> Iterator[Phase]:
        """Enclose the step `name`, which takes `seconds` if that is known; the block may put its result into `detail`.

        Raises PreparationFailed for a BadScenario of the block (see `convert_bad_scenario`).
        """
        phase = Phase(name, time.time())
        self._record.phases.append(phase)
        self._history.append("mark", EXPERIMENT, BEGIN, name)
        with (
            convert_bad_scenario(name),
            self._progress.step(name, lambda: describe_phase(self._record.name, self._history), seconds),
        ):
            try:
                yield phase
                phase.status = "passed" if phase.status == "running" else phase.status
            except BaseException as error:
                phase.status = "failed" if isinstance(error, InvariantViolated) else "broken"
                phase.detail = str(error) or repr(error)
                raise
            finally:
                phase.stop = time.time()
                self._history.append("mark", EXPERIMENT, END, name)
