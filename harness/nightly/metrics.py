"""Metrics: the numbers of a night in OpenMetrics, with labels that stay from night to night."""

from collections.abc import Iterator

from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest

from chaos_harness.harness.nightly.ledger import Outcome
from chaos_harness.harness.nightly.summary import CellSummary, Summary

__all__ = ["summary_metrics"]

LABELS = ("target", "kubernetes", "gatekeeper", "install", "failure_policy", "values")
"""What tells cells apart; neither the night nor the machine is among them, so that a series goes on."""

_OUTCOMES: tuple[Outcome | str, ...] = (
    *("as expected", "otherwise", "false alarm", "inconclusive", "broken", "refused"),
    *("lost", "not run"),
)


def summary_metrics(summary: Summary) -> str:
    """Return the numbers of a night as the text of OpenMetrics."""
    registry = CollectorRegistry()
    registry.register(_Night(summary))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode()


class _Night:
    """A collector of one night."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its samples."""
        summary = self._summary
        night = GaugeMetricFamily("chaos_night_cells", "Cells of the night, by outcome.", labels=["outcome"])
        for outcome in _OUTCOMES:
            night.add_metric([outcome], summary.counts.get(outcome, 0))
        yield night
        yield GaugeMetricFamily("chaos_night_status", "Exit status of the night.", value=int(summary.status))
        begun = "When the night began, in unix seconds."
        yield GaugeMetricFamily("chaos_night_begun_timestamp_seconds", begun, value=summary.head.begun)
        yield GaugeMetricFamily("chaos_night_lost_shards", "Shards that are lost.", value=len(summary.lost))
        outcomes = GaugeMetricFamily(
            "chaos_night_cell_outcome", "1 for the outcome of a cell, else 0.", labels=[*LABELS, "outcome"]
        )
        seconds = GaugeMetricFamily("chaos_night_cell_seconds", "Seconds of all runs of a cell.", labels=LABELS)
        runs = GaugeMetricFamily("chaos_night_cell_runs", "Runs of a cell.", labels=LABELS)
        rates = GaugeMetricFamily(
            "chaos_night_cell_otherwise_ratio", "How often the repeats came out otherwise.", labels=[*LABELS, "bound"]
        )
        for cell in summary.cells:
            labels = _labels(cell)
            for outcome in _OUTCOMES:
                outcomes.add_metric([*labels, outcome], int(cell.outcome == outcome))
            seconds.add_metric(labels, sum(run.seconds for run in cell.runs))
            runs.add_metric(labels, len(cell.runs))
            if cell.rate:
                for bound in ("low", "estimate", "high"):
                    rates.add_metric([*labels, bound], getattr(cell.rate, bound))
        yield from (outcomes, seconds, runs, rates)


def _labels(cell: CellSummary) -> list[str]:
    axes = cell.facts.axes
    names = ("kubernetes", "gatekeeper", "install", "failurePolicy", "values")
    return [cell.facts.target, *(axes[name] for name in names)]
