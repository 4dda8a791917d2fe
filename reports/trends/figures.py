"""Figures: the figures of a run's claims, for Allure's trends and for Prometheus."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.harness.redaction import redact

__all__ = ["FigureSample", "allure_performance", "collect_samples", "figure_titles", "open_metrics"]

_HARM = ("_seconds", "_percent")
_NO_HARM = ("asked_seconds", "cut_seconds", "first_lost_seconds")
_BOUNDS = ("_low_", "_high_")
_SHAPE = ("gatekeeper", "kubernetes")
_UNITS = (("_seconds", "s"), ("_percent", "%"), ("_bytes", "B"))


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
        """Whether more of it is worse: a duration, or a share of lost requests.

        Values that the scenario chooses, sample sizes, and the ends of confidence intervals are not.
        """
        bounds = any(bound in self.figure for bound in _BOUNDS)
        return self.figure.endswith(_HARM) and self.figure not in _NO_HARM and not bounds

    @property
    def title(self) -> str:
        """Its name for people."""
        return f"{_short(self.test)}: {self.claim}: {_words(self.figure)}"

    @property
    def unit(self) -> str:
        """Its unit, by the end of its name."""
        return next((unit for ending, unit in _UNITS if self.figure.endswith(ending)), "")


def collect_samples(records: Mapping[str, Record]) -> list[FigureSample]:
    """Return the figures of all claims that could be judged; `records` are by test ID."""
    measured = []
    for nodeid, record in records.items():
        shape = record.cluster.get("shape", {})
        on = redact(" ".join(str(shape[name]) for name in _SHAPE if name in shape))
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
    """Return the figures, and the outcomes of the claims, as OpenMetrics text."""
    lines = [
        "# TYPE chaos_claim_as_expected gauge",
        "# HELP chaos_claim_as_expected 1 if a claim came out as expected.",
    ]
    for nodeid, record in records.items():
        lines += [_claim(nodeid, claim) for claim in record.claims]
    families: dict[str, list[str]] = {}
    for sample in samples:
        labels = {"test": sample.test, "on": sample.on, "claim": sample.claim}
        families.setdefault(_name(sample.figure), []).append(f"{_labels(labels)} {sample.value!r}")
    for name, series in families.items():
        unit = [f"# UNIT {name} seconds"] if name.endswith("_seconds") else []
        lines += [f"# TYPE {name} gauge", *unit, *(f"{name}{labelled}" for labelled in dict.fromkeys(series))]
    return "\n".join([*dict.fromkeys(lines), "# EOF", ""])


def _claim(nodeid: str, claim: ClaimRecord) -> str:
    labels = {
        "test": redact(nodeid),
        "claim": redact(claim.name),
        "outcome": claim.outcome,
        "expected": claim.expected,
        "issue": redact(claim.issue or ""),
    }
    return f"chaos_claim_as_expected{_labels(labels)} {int(claim.as_expected)}"


def _labels(labels: Mapping[str, str]) -> str:
    escaped = {
        name: escape_controls(value, lines=True).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        for name, value in labels.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"


def _name(figure: str) -> str:
    return f"chaos_{re.sub(r'[^a-zA-Z0-9_]', '_', figure)}"


def _words(figure: str) -> str:
    return figure.removesuffix("_seconds").replace("_", " ")


def _short(nodeid: str) -> str:
    return nodeid.rpartition("::")[2].removeprefix("test_")
