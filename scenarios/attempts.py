"""Attempts: rows of a table that were tried in one experiment each, and what tests claim of such a row."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import pytest

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.checks import Check
from chaos_harness.harness.errors import HarnessError, InvariantViolated
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.experiment.record import Record
from chaos_harness.harness.pytest_plugin.plugin import Experiments, attach_record
from chaos_harness.harness.verdict import Expected

__all__ = ["Attempt", "RowClaims", "claims_of", "try_row"]


class NamedRow(Protocol):
    """A row of a table of predictions."""

    @property
    def name(self) -> str:
        """Its name in test ids, which is also the name of its experiment."""


RowT = TypeVar("RowT", bound=NamedRow)


@dataclass
class Attempt(Generic[RowT]):
    """A row that was tried, its experiment, and its error, if any: one that stopped it, or a violated claim."""

    row: RowT
    experiment: Experiment
    error: HarnessError | InvariantViolated | None = None


@dataclass
class RowClaims(Generic[RowT]):
    """The claims of one test about a row: judged by the history of the row's experiment, kept in this test's record."""

    attempt: Attempt[RowT]
    record: Record

    @property
    def row(self) -> RowT:
        """The row."""
        return self.attempt.row

    @property
    def experiment(self) -> Experiment:
        """The row's experiment."""
        return self.attempt.experiment

    def claim(
        self,
        check: Check,
        *,
        expected: Expected = "holds",
        issue: str | None = None,
        because: Sequence[Cause] = (),
    ) -> None:
        """Claim something of the row; see `Experiment.claim`."""
        self.experiment.claim(check, expected=expected, issue=issue, because=because, record=self.record)


def try_row(row: RowT, experiments: Experiments, steps: Callable[[Experiment, RowT], object]) -> Attempt[RowT]:
    """Run the `steps` of a row in a new experiment; keep the error, so that each test of the row reports it."""
    experiment = experiments(row.name)
    try:
        with experiment:
            steps(experiment, row)
    except (HarnessError, InvariantViolated) as error:
        return Attempt(row, experiment, error)
    return Attempt(row, experiment)


@contextmanager
def claims_of(attempt: Attempt[RowT], node: pytest.Item) -> Iterator[RowClaims[RowT]]:
    """Give the claims of the test `node` about a row, and attach their record to it.

    Raises the error that stopped the row early; a fault of it that does not heal after the claims.
    """
    record = attempt.experiment.record.of(node.name)
    try:
        if isinstance(attempt.error, HarnessError):
            raise attempt.error
        yield RowClaims(attempt, record)
        if attempt.error:
            raise attempt.error
    finally:
        attach_record(node, record)
