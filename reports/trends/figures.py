"""Figures: the figures of a run's claims, for Allure's trends and for Prometheus."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness import figures
from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.harness.redaction import redact

__all__ = ["FigureSample", "allure_performance", "collect_samples", "figure_titles", "open_metrics"]

Labels = tuple[tuple[str, str], ...]

_PREFIX = "chaos_"
_CLAIMS = f"{_PREFIX}claim_as_expected"
_SHAPE = ("gatekeeper", "kubernetes")


@dataclass(frozen=True)
class FigureSample:
    """One figure of one claim of one test, on one version of Gatekeeper and Kubernetes."""

    test: str
    on: str
    claim: str
    figure: str
    value: float
    start: float
    stop: float
    id: str = ""

    @property
    def key(self) -> str:
        """Identifies the same figure in other runs, and nothing else."""
        return f"{self.test} | {self.on} | {self.id or self.claim} | {self.figure}"

    @property
    def is_harm(self) -> bool:
        """Whether more of it is worse, and it is a duration or a share of lost requests."""
        return figures.is_time_or_share(self.figure) and figures.worse_if(self.figure) == "more"

    @property
    def title(self) -> str:
        """Its name for people."""
        return f"{_short(self.test)}: {self.claim}: {_words(self.figure)}"

    @property
    def unit(self) -> str:
        """Its unit, by the end of its name."""
        return figures.unit(self.figure)


def collect_samples(records: Mapping[str, Record]) -> list[FigureSample]:
    """Return the figures of all claims that could be judged; `records` are by test ID."""
    measured = []
    for nodeid, record in records.items():
        shape = record.cluster.get("shape", {})
        known = [shape[name] for name in _SHAPE if name in shape]
        on = redact(" ".join(map(str, [*known, *filter(None, [(shape.get("own") or {}).get("digest")])])))
        start = min((phase.start for phase in record.phases), default=0.0)
        stop = max((phase.stop or phase.start for phase in record.phases), default=start)
        for claim in record.claims:
            if claim.outcome != "inconclusive":
                measured += [
                    FigureSample(redact(nodeid), on, redact(claim.name), name, value, start, stop, redact(claim.id))
                    for name, value in claim.figures.items()
                ]
    return measured


def allure_performance(samples: Iterable[FigureSample]) -> list[dict[str, Any]]:
    """Return the content of Allure's file `*-perf.json`."""
    return [
        {
            "id": f"{number}",
            "key": sample.key,
            "value": sample.value,
            "start": round(sample.start * 1000),
            "stop": round(sample.stop * 1000),
        }
        for number, sample in enumerate(samples)
    ]


def figure_titles(samples: Iterable[FigureSample]) -> dict[str, dict[str, str]]:
    """Return Allure's title of each figure, and whether lower is better."""
    return {
        sample.key: {"title": sample.title, "unit": sample.unit, **({"better": "lower"} if sample.is_harm else {})}
        for sample in samples
    }


def open_metrics(samples: Iterable[FigureSample], records: Mapping[str, Record]) -> str:
    """Return the figures, and the outcomes of the claims, as OpenMetrics text.

    Of two values with the same labels, as of one claim made twice, the first one stays: a text with both is refused.
    """
    families: dict[str, dict[Labels, float]] = {_CLAIMS: {}}
    for nodeid, record in records.items():
        for claim in record.claims:
            families[_CLAIMS].setdefault(_claim_labels(nodeid, claim), float(claim.as_expected))
    for sample in samples:
        labels = _labels({"test": sample.test, "on": sample.on, "claim": sample.claim})
        families.setdefault(_name(sample.figure), {}).setdefault(labels, sample.value)
    registry = CollectorRegistry()
    registry.register(_Collector([_family(name, series) for name, series in families.items()]))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]  # prometheus_client leaves this one out
    return text.decode()


@dataclass(frozen=True, eq=False)
class _Collector(Collector):
    families: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        return self.families


def _family(name: str, series: Mapping[Labels, float]) -> Metric:
    meaning = (
        "1 if a claim came out as expected."
        if name == _CLAIMS
        else f"Figure of claims: {_words(name.removeprefix(_PREFIX))}."
    )
    family = Metric(name, meaning, "gauge", "seconds" if name.endswith("_seconds") else "")
    for labels, value in series.items():
        family.add_sample(name, dict(labels), value)
    return family


def _claim_labels(nodeid: str, claim: ClaimRecord) -> Labels:
    return _labels(
        {
            "test": redact(nodeid),
            "claim": redact(claim.name),
            "outcome": claim.outcome,
            "expected": claim.expected,
            "issue": redact(claim.issue or ""),
        }
    )


def _labels(labels: Mapping[str, str]) -> Labels:
    return tuple((name, escape_controls(value, lines=True)) for name, value in labels.items())


def _name(figure: str) -> str:
    return f"{_PREFIX}{re.sub(r'[^a-zA-Z0-9_]', '_', figure)}"


def _words(figure: str) -> str:
    return figure.removesuffix("_seconds").replace("_", " ")


def _short(nodeid: str) -> str:
    return nodeid.rpartition("::")[2].removeprefix("test_")
