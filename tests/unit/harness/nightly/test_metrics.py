"""Metrics: each outcome of a cell is a series, 1 for the one that it came to."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from chaos_harness.harness.nightly.ledger import CellFacts, Ended, Head
from chaos_harness.harness.nightly.metrics import summary_metrics
from chaos_harness.harness.nightly.summary import summarize

_AXES = dict.fromkeys(("kubernetes", "gatekeeper", "install", "failurePolicy", "values"), "a")


def test_outcomes_are_counted_and_told_cell_by_cell() -> None:
    """A cell without a run is `not run`; seconds are those of all runs of a cell."""
    cells = {name: CellFacts(target=name, axes=_AXES, seconds=60, memory_mib=1) for name in ("one", "two")}
    head = Head(
        harness="1", night="n", matrix="m", digest="d", seed=1, begun=5.0, confidence=0.95, width=0.6, cells=cells
    )
    ran = Ended(cell="one", attempt=1, outcome="as expected", status=0, seconds=7.5, begun=5.0, ended=12.5)
    text = summary_metrics(summarize(head, [ran], [], {}))
    families = {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]

    counts = {sample.labels["outcome"]: sample.value for sample in families["chaos_night_cells"].samples}
    assert (counts["as expected"], counts["not run"], counts["broken"]) == (1, 1, 0)
    true = {
        sample.labels["target"]: sample.labels["outcome"]
        for sample in families["chaos_night_cell_outcome"].samples
        if sample.value
    }
    assert true == {"one": "as expected", "two": "not run"}
    seconds = {sample.labels["target"]: sample.value for sample in families["chaos_night_cell_seconds"].samples}
    assert seconds == {"one": 7.5, "two": 0}
